"""The user's own images are accepted in any size, and refused with the first thing that is wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from dtrain.data.own import load_own
from dtrain.data.scaling import fit_scaling
from dtrain.ground.errors import DataError
from tests.data.helpers import Arrays, tiny_arrays, write_folder, write_npz


def refusal(tmp_path: Path, **changed: object) -> tuple[str, str]:
    """What loading says of the tiny set with some arrays replaced: the message and its hint."""
    arrays = tiny_arrays() | {part: np.asarray(array) for part, array in changed.items()}
    with pytest.raises(DataError) as caught:
        load_own(write_npz(tmp_path / "own.npz", arrays))
    return str(caught.value), caught.value.problems[0].hint


def labels(count: int = 20, **at: int) -> Arrays:
    """Labels 0, 1, 2 in turn, with others at some indices (`index_4=9`)."""
    array = (np.arange(count) % 3).astype("i8")
    for index, label in at.items():
        array[int(index.removeprefix("index_"))] = label
    return {"train_labels": array}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("image_shape", [(4, 4), (5, 7), (6, 6, 3), (2, 2, 1)])
def test_folder_and_npz_agree(tmp_path: Path, image_shape: tuple[int, ...], suffix: str) -> None:
    arrays = tiny_arrays(image_shape=image_shape)
    from_folder = load_own(write_folder(tmp_path / "own", arrays, suffix))
    from_npz = load_own(write_npz(tmp_path / "own.npz", arrays))
    assert from_folder.digest == from_npz.digest
    assert from_folder.train_images.shape == (20, *image_shape)
    assert from_folder.train_labels.dtype == np.int32
    assert from_folder.class_names == ("0", "1", "2")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floating_point_images_become_float32(tmp_path: Path, dtype: str) -> None:
    arrays = tiny_arrays()
    for part in ("train_images", "test_images"):
        arrays[part] = arrays[part].astype(dtype)
    own = load_own(write_npz(tmp_path / "own.npz", arrays))
    assert own.train_images.dtype == own.test_images.dtype == np.float32


def test_labels_in_one_column_are_accepted_as_keras_writes_them(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    arrays["train_labels"] = arrays["train_labels"][:, np.newaxis]
    assert load_own(write_npz(tmp_path / "own.npz", arrays)).train_labels.shape == (20,)


def test_folder_without_a_file_names_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, tiny_arrays())
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte; expected four IDX files"):
        load_own(folder)


def test_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: no such file"):
        load_own(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (10, "got label 10 at index 4; expected 0 to 3"),
        (255, "got label 255 at index 4; expected 0 to 3"),
        (-1, "got label -1 at index 4; expected 0 to 3"),
    ],
)
def test_row_31_first_bad_label_is_named(tmp_path: Path, label: int, expected: str) -> None:
    message, hint = refusal(tmp_path, **labels(index_4=label, index_9=label))
    assert expected in message and "y_train" in message
    assert "without gaps" in hint


def test_row_31_test_label_that_training_does_not_have(tmp_path: Path) -> None:
    message, _ = refusal(tmp_path, test_labels=np.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1], "u1"))
    assert "y_test: got label 3 at index 3; expected 0 to 2" in message


def test_row_31_images_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    message, _ = refusal(tmp_path, **labels(19))
    assert "got 19 labels for 20 images; the first image without label is at index 19" in message
    message, _ = refusal(tmp_path, **labels(25))
    assert "got 25 labels for 20 images; the first label without image is at index 20" in message


def test_row_32_labels_of_the_two_sets_swapped(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    swapped = {"train_labels": arrays["test_labels"], "test_labels": arrays["train_labels"]}
    message, hint = refusal(tmp_path, **swapped)
    assert "got 10 labels for 20 images" in message
    assert hint == "the labels of the training and test sets are swapped"


def test_row_32_images_and_labels_swapped(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    swapped = {"train_images": arrays["train_labels"], "train_labels": arrays["train_images"]}
    message, hint = refusal(tmp_path, **swapped)
    assert "got images of shape (20,), labels of (20, 4, 4); expected the opposite" in message
    assert hint == "images and labels are swapped"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300], ids=["nan", "inf", "too large for float32"])
def test_row_33_values_that_are_not_finite_are_counted(tmp_path: Path, value: float) -> None:
    arrays = tiny_arrays(train=3000)
    images = arrays["train_images"].astype("f8")
    images[1500, 1, 2] = images[2999, 0, 0] = value
    message, _ = refusal(
        tmp_path,
        train_images=images,
        train_labels=arrays["train_labels"],
        test_images=arrays["test_images"].astype("f8"),
    )
    assert "x_train: got 2 values that are NaN or infinite, first in image 1500" in message


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"train_images": np.zeros((20, 16), "u1")}, "got images of shape (20, 16); expected [n, height"),
        ({"train_images": np.zeros((20, 3, 8, 8), "u1")}, "channels come last"),
        ({"train_images": np.zeros((20, 4, 4), "i8")}, "got images of type int64; expected uint8"),
        ({"test_images": np.zeros((10, 5, 5), "u1")}, "expected (4, 4), the shape of the training images"),
        ({"test_images": np.zeros((10, 4, 4), "f4")}, "got float32 test images; expected uint8"),
        ({"train_labels": np.zeros(20, "f4")}, "got labels of type float32; expected whole numbers"),
        ({"train_labels": np.zeros((20, 3), "u1")}, "got labels of shape (20, 3); expected [n]"),
        ({"train_labels": np.zeros(20, "u1"), "test_labels": np.zeros(10, "u1")}, "got one class"),
    ],
)
def test_arrays_that_do_not_make_a_data_set(tmp_path: Path, changed: Arrays, expected: str) -> None:
    message, _ = refusal(tmp_path, **changed)
    assert expected in message


def test_booleans_are_taken(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    for part in ("train_images", "test_images"):
        arrays[part] = arrays[part] > 100
    images = load_own(write_npz(tmp_path / "own.npz", arrays)).train_images
    assert images.dtype == np.uint8 and np.unique(images).tolist() == [0, 255]


def test_bytes_of_another_range_are_scaled_by_it(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    for part in ("train_images", "test_images"):
        arrays[part] = arrays[part] % 17
    images = load_own(write_npz(tmp_path / "own.npz", arrays))
    assert images.notes == ("the images are bytes of 0 to 16; 16, and not 255, is taken for the brightest",)
    assert fit_scaling("unit", images.train_images).apply(images.train_images).max() == 1


def test_members_without_a_suffix_are_read(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "own.npz", tiny_arrays())
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "bare.npz", "w") as bare:
        for name in archive.namelist():
            bare.writestr(name.removesuffix(".npy"), archive.read(name))
    assert load_own(tmp_path / "bare.npz").digest == load_own(path).digest


@pytest.mark.parametrize(
    ("names", "said", "hint"),
    [
        (["cats/1.png", "dogs/2.png"], "found 2 folders", "read the pictures into arrays"),
        (["1.png", "2.png"], "found 2 .png", "read the pictures into arrays"),
        (["kmnist-train-imgs.npz", "kmnist-test-imgs.npz"], "found 2 .npz", "each of these holds one array, arr_0"),
        (
            ["emnist-letters-test-labels-idx1-ubyte.gz"],
            "found 1 .gz",
            "rename emnist-letters-test-labels-idx1-ubyte.gz to t10k-labels-idx1-ubyte.gz",
        ),
        ([], "found nothing", "name the files as MNIST's are"),
    ],
)
def test_a_folder_of_something_else_says_what_is_there_and_the_next_step(
    tmp_path: Path, names: list[str], said: str, hint: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=said) as caught:
        load_own(tmp_path)
    assert hint in caught.value.problems[0].hint


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.csv", "got a table of text"), ("a.pkl", "got a pickle"), ("a.npy", "got one array"), ("a.PNG", "a picture")],
)
def test_a_file_of_another_kind_is_called_by_it(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"{said}.*; expected a folder of four IDX files, or an .npz"):
        load_own(tmp_path / name)


def test_a_path_that_leads_nowhere_says_from_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"data.npz: no such file in {tmp_path}, from where relative paths count"):
        load_own(Path("data.npz"))
    with pytest.raises(DataError, match="got a name of 5,000 letters") as caught:
        load_own(Path("x" * 5000))
    assert len(str(caught.value)) < 300
