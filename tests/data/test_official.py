"""What is known of the official sets agrees with what an experiment file may name."""

from __future__ import annotations

import pytest

from dtrain.data.images import PARTS
from dtrain.data.official import OFFICIAL, identify, known_sets, verify
from dtrain.experiment.dataset import NAMED_DATASETS
from dtrain.ground.errors import DataError


def test_the_same_names_as_in_an_experiment_file() -> None:
    assert list(OFFICIAL) == [name for name in NAMED_DATASETS if not name.endswith("_sample")]
    assert set(known_sets()) == set(NAMED_DATASETS)


@pytest.mark.parametrize("name", NAMED_DATASETS)
def test_every_set_is_described_completely(name: str) -> None:
    known = known_sets()[name]
    assert known.name == name
    assert set(known.sha256) == set(PARTS)
    assert len(known.class_names) == NAMED_DATASETS[name].classes


def test_no_two_arrays_have_one_hash() -> None:
    hashes = [sha256 for known in known_sets().values() for sha256 in known.sha256.values()]
    assert len(set(hashes)) == len(hashes) == 16


def test_row_25_mismatch_shows_both_hashes() -> None:
    mnist = OFFICIAL["mnist"]
    with pytest.raises(DataError) as caught:
        verify(mnist, "train_images", "0" * 64, "there")
    assert "0" * 64 in str(caught.value) and mnist.sha256["train_images"] in str(caught.value)


def test_row_32_mixed_up_files_are_recognised_by_their_hash() -> None:
    mnist, fashion = OFFICIAL["mnist"], OFFICIAL["fashion_mnist"]
    assert identify(fashion.sha256["test_labels"]) == (fashion, "test_labels")
    with pytest.raises(DataError) as caught:
        verify(mnist, "train_labels", mnist.sha256["test_labels"], "there")
    assert caught.value.problems[0].hint == "this is test_labels of mnist: the files are mixed up"
