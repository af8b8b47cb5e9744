"""The lesson's stories: experiment files that come with dtrain, in its repository as in what is installed."""

from __future__ import annotations

from pathlib import Path

from dtrain.ground.errors import UsageError, did_you_mean
from dtrain.ground.printable import clipped

PACKAGE = Path(__file__).parents[2]
FOLDERS = (PACKAGE / "stories", PACKAGE.with_name("configs"))
"""Where an installation has them, and where the repository does."""


def stories() -> dict[str, Path]:
    """Returns the file of each story by its name."""
    folder = next(filter(Path.is_dir, FOLDERS))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def story(name: str, file: str) -> str:
    """Returns the text of a story as that of a file of the user's, whose other stories are beside it.

    Args:
        name: The story.
        file: What the file will be called.

    Raises:
        UsageError: There is no such story.
    """
    found = stories()
    if name not in found:
        message = f"got {clipped(name)!r}; expected one of {', '.join(found)}{did_you_mean(clipped(name), found)}"
        raise UsageError(message, where="--story")
    text = found[name].read_text(encoding="utf-8")
    return text.replace(f"configs/{name}.yaml", file).replace("configs/", "")
