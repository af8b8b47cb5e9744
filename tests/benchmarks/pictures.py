"""Makes the pictures of README and docs from the commands themselves: python -m tests.benchmarks.pictures"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.pages import README, ROOT, commands, section

PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 100
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""
"""As Rich draws a terminal, without the fonts that it would fetch from elsewhere."""


def main() -> None:
    """Trains the runs that are shown, and draws what the commands print about them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "configs").symlink_to(ROOT / "configs")
        _run(work, "run", "configs/quickstart.yaml", "--name", "quickstart", "--quiet")
        _draw(work, "run", "show", "quickstart")
        shutil.copy(work / "runs" / "quickstart" / "curves.png", PICTURES / "curves.png")
        for command in commands(section(README, "Does a technique help?")):
            if command.is_complete:
                _run(work, *command.words)
        shutil.copy(work / "difference.png", PICTURES / "difference.png")


def _run(work: Path, *arguments: str) -> None:
    subprocess.run(_command(arguments), cwd=work, env=_environment(), check=True, stdout=subprocess.DEVNULL)


def _draw(work: Path, name: str, *arguments: str) -> None:
    shown = Text.assemble(("$ ", "bold green"), f"dtrain {' '.join(arguments)}\n")
    shown.append_text(Text.from_ansi(_printed_in_terminal(work, arguments)))
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(shown)
    console.save_svg(str(PICTURES / f"{name}.svg"), title="dtrain", theme=MONOKAI, code_format=SVG, unique_id=name)


def _printed_in_terminal(work: Path, arguments: tuple[str, ...]) -> str:
    """Returns what a command prints, with the colours that it uses where a terminal reads it."""
    reader, writer = pty.openpty()
    with subprocess.Popen(_command(arguments), cwd=work, env=_environment(), stdout=writer, stdin=writer) as process:
        os.close(writer)
        printed = bytearray()
        while piece := _read(reader):
            printed += piece
    os.close(reader)
    if process.returncode:
        sys.exit(f"dtrain {' '.join(arguments)} ended with {process.returncode}")
    return printed.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says that the other end is closed with an error
        return b""


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "dtrain", *arguments]


def _environment() -> dict[str, str]:
    return os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    main()
