"""What the pages show can be done: a page's commands and Python lines, one after the other, in one folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtrain.cli import main
from dtrain.data.images import Array, ImageSet
from dtrain.ground.result import Result
from dtrain.runs.catalogue import create_run
from tests.pages import FENCE, PAGES, README, ROOT, Command, blocks, commands
from tests.studies import made_runs

SMALLER = {
    "run": ("training.epochs=2", "dataset.train_limit=400", "training.engine=graph"),
    "transfer": ("transfer.frozen_epochs=1", "transfer.unfrozen_epochs=1"),
}
FEWER_SEEDS = "2"
SHOWN = {"run-folder": "quickstart", "monte-carlo": "dropping-mc-predict-1"}
"""The folders whose files these pages list."""


@pytest.fixture(autouse=True)
def in_a_folder_with_the_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dtrain.DtrainWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_can_be_done(page: Path, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    save_images_of_ones_own(image_set)
    # pandas, which its lines need, is not among what the tests need
    monkeypatch.setattr(Result, "to_frame", Result.rows)
    names: dict[str, object] = {}
    for step in steps(page.read_text()):
        if isinstance(step, str):
            exec(compile(step, page.name, "exec"), names)
        elif step.is_complete and ("DTRAIN_DATA_DIR" in os.environ or not step.needs_data):
            assert main(smaller(step)) == step.exit_code, step
    if page.stem in SHOWN:
        files = [path.name for path in Path("runs", SHOWN[page.stem]).iterdir() if not path.name.startswith(".")]
        assert [name for name in files if f"`{name}" not in page.read_text()] == []


def steps(text: str) -> Iterator[Command | str]:
    """Yields commands and Python lines in the order of the page."""
    done = 0
    for block in FENCE.finditer(text):
        if block[1] == "python":
            yield from commands(text[done : block.start()])
            yield block[2]
            done = block.end()
    yield from commands(text[done:])


def smaller(command: Command) -> list[str]:
    """Returns the words of a command that trains for less long, and the others as they are."""
    words = [*command.words, *SMALLER.get(command.words[0], ())]
    if words[0] in SMALLER and "--seeds" in words:
        words[words.index("--seeds") + 1] = FEWER_SEEDS
    return words


def save_images_of_ones_own(image_set: ImageSet) -> None:
    """Writes three classes of the sample as image files and as the .npz file that becomes of them."""
    x_train, y_train = _three_classes("train", image_set.train_images, image_set.train_labels)
    x_test, y_test = _three_classes("test", image_set.test_images, image_set.test_labels)
    np.savez("my_images.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def _three_classes(part: str, images: Array, labels: Array) -> tuple[Array, Array]:
    chosen = np.flatnonzero(labels < 3)[:500]
    for number in chosen:
        path = Path(part, str(labels[number]), f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number]).save(path)
    return images[chosen], labels[chosen]


L2 = {"kind": "l2", "factor": 1e-4}
MEASURED = {
    "plain": ([L2], [0.864, 0.875, 0.856, 0.871, 0.869, 0.876], [0.8740, 0.8705, 0.8505, 0.8630, 0.8615, 0.8690]),
    "dropout": (
        [L2, {"kind": "dropout"}],
        [0.866, 0.862, 0.867, 0.869, 0.863, 0.866],
        [0.8665, 0.8660, 0.8660, 0.8685, 0.8645, 0.8680],
    ),
}
"""What the two trainings of the README end with: regularizers, validation and test accuracy of each seed."""


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "comparing.md"], ids=lambda page: page.stem)
def test_the_answer_that_is_shown_is_what_compare_prints(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made_runs, "IMAGES", 2000)
    for name, (regularizer, validation, test) in MEASURED.items():
        parent = create_run(Path("runs"), name=name, stem="", kind="seeds")
        for seed, accuracies in enumerate(zip(validation, test, strict=True), start=42):
            folder = parent.seed_folder(seed)
            made_runs.fill(folder, seed, *accuracies, {"regularizer": regularizer}, digest="9da6ace42a6f")
        parent.write_status("completed", seeds=len(test))
    assert main(["compare", *MEASURED]) == 0
    (shown,) = (text for text in blocks(page, "text") if "verdict:" in text)
    assert capsys.readouterr().out.split() == shown.split()
