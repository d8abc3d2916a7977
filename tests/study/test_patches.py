"""Trainings on patches: no picture is both trained on and held back."""

import numpy as np
import pytest

import narrows as nw
from narrows.cli import run
from narrows.data import ImageSet, scratch
from narrows.data.patches.names import groups_of, place_in
from narrows.data.readers.pixels import Page
from narrows.data.save_picture import save_pages
from narrows.errors import BuildError, DataError
from narrows.model.training.split import held_back, hold_groups
from narrows.study import data_split
from narrows.study.data_split import read_split
from narrows.study.run import run_study
from narrows.study.run_folder import take_up
from narrows.study.schema import Run, Study
from narrows.study.verify import verify

SMALL = {"epochs": 2, "batch_size": 16, "body": {"widths": [8]}, "validation": 0.3}


def pictures(folder, count=8, size=(40, 48)):
    random = np.random.default_rng(0)
    for k in range(count):
        save_pages([Page(random.integers(0, 256, size, np.uint8))], folder / f"{k}.png")
    return folder


def files_of(images: ImageSet) -> set[str]:
    return {name.partition("_y")[0] for name in images.names}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = pictures(tmp_path_factory.mktemp("pictures"))
    return {"kind": str(folder), "size": 8, "patches": {"count": 80, "seed": 3}}


def test_no_picture_gives_patches_to_train_and_to_test_with(data):
    split = read_split(data)
    assert files_of(split.train) | files_of(split.test) == set("01234567")
    assert not files_of(split.train) & files_of(split.test)
    assert len(split.train) + len(split.test) == 80


def test_the_same_holds_of_patches_that_were_written_as_files(data, tmp_path):
    options = ["-n", "40", "--size", "8", "-o", str(tmp_path / "out")]
    assert run(["patches", data["kind"], *options]) == 0
    split = read_split(str(tmp_path / "out"))
    assert len(split.train) + len(split.test) == 40
    assert not files_of(split.train) & files_of(split.test)


def test_the_same_holds_of_sets_on_the_disk(data, monkeypatch):
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(data_split, "LARGE", 0)
    split = read_split(data)
    assert isinstance(split.train.images, np.memmap)
    assert files_of(split.train) | files_of(split.test) == set("01234567")
    assert not files_of(split.train) & files_of(split.test)
    for part in (split.train, split.test):
        assert_crops(part, data["kind"])


def assert_crops(part, folder):
    for name, patch in zip(part.names, part.images):
        y, x = place_in(name)
        picture, _ = nw.load_data(f"{folder}/{name.partition('_y')[0]}.png", "all")
        assert np.array_equal(patch, picture[0, y : y + 8, x : x + 8])


def test_patches_of_one_picture_cannot_be_split(tmp_path):
    folder = pictures(tmp_path, count=1)
    with pytest.raises(DataError, match="one picture; two at least"):
        read_split({"kind": str(folder), "size": 8, "patches": 5})


def test_a_part_to_test_with_gives_a_tenth_as_many(tmp_path):
    pictures(tmp_path / "train")
    pictures(tmp_path / "test", count=2)
    split = read_split({"kind": str(tmp_path), "size": 8, "patches": 60})
    assert (len(split.train), len(split.test)) == (60, 6)


def test_validation_holds_back_complete_pictures_and_the_run_says_so(data, tmp_path):
    study = Study("Patches", [Run("a", "ae-mlp", {**SMALL, "random_state": 0})], data)
    record = run_study(study, tmp_path)
    split = read_split(data)
    groups = groups_of(split.train.names)
    index = held_back(len(split.train), 0.3, 0, groups)
    assert not set(groups[index]) & set(np.delete(groups, index))
    assert 0 < len(index) < len(groups)
    notes = record.facts["notes on the data"]
    assert "Patches of 8 x 8 pixels were cut from 8 pictures (80 at most, seed 3)" in notes
    assert record.origin["data"] == data
    verify(tmp_path)  # cuts the same patches again
    model = nw.load(tmp_path / "model.safetensors")
    assert model.image_shape_ == (8, 8)


def test_fit_holds_back_complete_groups(data):
    images = read_split(data).train
    groups = groups_of(images.names)
    model = nw.recipe("ae-mlp", **SMALL, random_state=1).fit(images.images, groups=groups)
    index = model.validation_index_
    assert not set(groups[index]) & set(np.delete(groups, index))
    alone = nw.recipe("ae-mlp", **SMALL, random_state=1).fit(images.images)
    assert set(groups[alone.validation_index_]) & set(np.delete(groups, alone.validation_index_))


def test_groups_take_what_is_asked_for_and_leave_some():
    groups = np.repeat(np.arange(10), 5)
    order = np.random.default_rng(0).permutation(50)
    for count in (1, 5, 6, 49, 50):
        held = hold_groups(groups, count, order)
        assert min(45, count) <= len(held) <= min(45, count + 4)
    with pytest.raises(BuildError, match="two at least"):
        hold_groups(np.zeros(5, int), 1, np.arange(5))


def test_groups_of_another_length_are_refused(data):
    with pytest.raises(BuildError, match="one an image"):
        held_back(5, 0.5, 0, groups=[1, 2])


def test_a_run_that_is_taken_up_again_holds_back_the_same_pictures(data, tmp_path):
    study = Study("Patches", [Run("a", "ae-mlp", {**SMALL, "random_state": 0})], data)
    run_study(study, tmp_path)
    model = nw.recipe("ae-mlp", **SMALL, random_state=0)
    split = read_split(data)
    again = take_up(study.runs[0], model, split, tmp_path)
    expected = held_back(len(split.train), 0.3, 0, split.groups)
    assert again.model.validation_index_.tolist() == expected.tolist()
