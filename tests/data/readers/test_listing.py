"""What a folder holds: splits, classes, masks, links, lists of classes, and all that is left out."""

import os

import numpy as np
import pytest
from PIL import Image

from narrows.data import ImageSet, has_split, read_data
from narrows.data.packs.pack import pack
from narrows.data.readers.listing import list_folder
from narrows.data.readers.parts import NAMES_OF_PARTS, part_of
from narrows.errors import DataError
from small_files import write_picture


def labels(found: ImageSet) -> list[int]:
    assert found.labels is not None
    return found.labels.tolist()


def names(found: ImageSet) -> tuple[str, ...]:
    assert found.names is not None
    return found.names


def pictures(root, *names):
    for name in names:
        write_picture(root / name)
    return root


def folders(root, **counts):
    """Pictures of a cat and of a dog in each part, as many of each as is asked for."""
    for part, count in counts.items():
        for kind in ("cat", "dog"):
            pictures(root, *(f"{part}/{kind}/{k}.png" for k in range(count)))
    return root


# -- parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "name"), [(p, n) for p, names in NAMES_OF_PARTS.items() for n in names]
)
def test_a_part_is_known_in_any_case_and_spelling(part, name):
    assert part_of(name) == part_of(name.upper()) == part_of(f"{name[:2]}_{name[2:]}") == part


@pytest.mark.parametrize(
    ("parts", "test"),
    [
        ({"train": 3, "val": 2}, 2),
        ({"train": 3, "valid": 2, "test": 1}, 1),
        ({"Training": 3, "Testing": 1}, 1),
        ({"TRAIN": 3, "Validation": 2, "test_set": 1}, 1),
    ],
)
def test_usual_splits_are_read_as_such(tmp_path, parts, test):
    folders(tmp_path, **parts)
    train = read_data(tmp_path, "train")
    assert (len(train), train.classes) == (6, ("cat", "dog"))
    assert labels(train) == [0, 0, 0, 1, 1, 1]
    assert len(read_data(tmp_path, "test")) == 2 * test
    assert len(read_data(tmp_path, "all")) == 2 * sum(parts.values())
    assert has_split(tmp_path, "test")
    assert has_split(tmp_path, "val") == (len(parts) == 3)


def test_a_validation_part_serves_as_the_test_part_only_without_one_and_that_is_said(tmp_path):
    folders(tmp_path, train=3, valid=2)
    assert read_data(tmp_path, "test").names == read_data(tmp_path, "val").names
    (note,) = read_data(tmp_path, "test").notes
    assert note == f"{tmp_path} has no part to test with, so valid/ serves as one"
    folders(tmp_path, test=1)
    assert len(read_data(tmp_path, "val")) == 4
    assert read_data(tmp_path, "test").notes == ()


def test_a_part_alone_is_one_set(tmp_path):
    folders(tmp_path, val=2)
    for split in ("train", "all", "val", "test"):
        assert read_data(tmp_path, split).classes == ("cat", "dog")
    assert "no part to train with, so all is read: val/" in read_data(tmp_path, "train").notes[0]
    assert not has_split(tmp_path, "test")


def test_a_class_that_is_called_test_is_a_class(tmp_path):
    pictures(tmp_path, "test/1.png", "control/1.png")
    assert read_data(tmp_path).classes == ("control", "test")


def test_a_part_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    folders(tmp_path, train=1, test=1)
    with pytest.raises(DataError, match="has no val split: it has train/, test/; read it with"):
        read_data(tmp_path, "val")


def test_what_is_in_no_part_is_left_out_and_named(tmp_path):
    folders(tmp_path, train=1, test=1)
    pictures(tmp_path, "preview.png", "extra/a/1.png", "extra/2.png")
    found = read_data(tmp_path, "all")
    assert len(found) == 4
    assert found.skipped == (
        ("preview.png", "it is in none of the parts train/, test/"),
        ("extra/", "it is in none of the parts train/, test/, with its images, 2"),
    )


def test_labels_belong_to_a_split_and_not_to_the_others(tmp_path):
    folders(tmp_path, train=2)
    pictures(tmp_path, "test/1.png")
    assert labels(read_data(tmp_path, "train")) == [0, 0, 1, 1]
    assert read_data(tmp_path, "test").labels is None


# -- masks -----------------------------------------------------------------------------------------


@pytest.fixture
def mvtec(tmp_path):
    return pictures(
        tmp_path / "mvtec",
        *("train/good/0.png", "train/good/1.png", "test/good/0.png", "test/broken/0.png"),
        "ground_truth/broken/0_mask.png",
    )


def test_masks_are_not_read_as_images_and_that_is_said(mvtec):
    found = read_data(mvtec, "all")
    assert (len(found), found.classes) == (4, ("broken", "good"))
    assert "folders of masks, which are not read as images: 1 (ground_truth/)" in found.notes
    assert list_folder(mvtec, "test").masks == ("ground_truth",)
    assert read_data(mvtec, "test").names == ("test/broken/0.png", "test/good/0.png")


def test_masks_next_to_classes_are_no_class(tmp_path):
    pictures(tmp_path, "good/0.png", "bad/0.png", "ground_truth/bad/0.png")
    assert read_data(tmp_path).classes == ("bad", "good")


# -- stray files -----------------------------------------------------------------------------------


def test_images_next_to_the_classes_are_named_as_the_reason_for_no_labels(tmp_path):
    pictures(tmp_path, "good/0.png", "bad/0.png", "preview.png")
    found = read_data(tmp_path)
    assert (len(found), found.labels) == (3, None)
    (note,) = found.notes
    assert note.endswith("so there are no labels: 1 (preview.png)")


def test_files_that_are_not_tried_are_counted_and_named_but_for_companions(tmp_path):
    pictures(tmp_path, "0.png")
    for name in ("a.raw", "b.xyz", "notes.txt", "labels.json", "Thumbs.db", ".hidden", "README"):
        (tmp_path / name).write_text("x")
    assert read_data(tmp_path).notes == (
        "files of other kinds, which are not read: 2 (a.raw, b.xyz)",
    )


def test_no_images_says_what_else_is_there(tmp_path):
    (tmp_path / "a.raw").write_text("x")
    (tmp_path / "cat").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"not read: 1 \(a\.raw\); cat: it is a link to nothing"):
        read_data(tmp_path)


# -- links -----------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    return folders(tmp_path / "store", all=2) / "all"


def test_linked_classes_are_followed_and_reported(tmp_path, store):
    (tmp_path / "subset").mkdir()
    for kind in ("cat", "dog"):
        (tmp_path / "subset" / kind).symlink_to(store / kind)
    found = read_data(tmp_path / "subset")
    assert (found.classes, names(found)[0], len(found)) == (("cat", "dog"), "cat/0.png", 4)
    assert found.notes[0].startswith(
        f"linked folders, which are followed: 2 (cat -> {store / 'cat'}, dog -> "
    )


@pytest.mark.parametrize("target", [".", "..", "a", "a/deep"])
def test_a_link_that_leads_back_is_refused_and_reported(tmp_path, target):
    pictures(tmp_path / "in", "a/0.png", "a/deep/1.png")
    (tmp_path / "in" / "a" / "deep" / "loop").symlink_to(tmp_path / "in" / target)
    found = read_data(tmp_path / "in")
    assert found.names == ("a/0.png", "a/deep/1.png")
    ((name, reason),) = found.skipped
    assert name == "a/deep/loop"
    assert "in a circle" in reason


def test_what_is_read_already_is_not_read_again_by_a_link(tmp_path, store):
    pictures(tmp_path / "in", "z/0.png")
    (tmp_path / "in" / "a").symlink_to(tmp_path / "in" / "z")
    for name in ("b", "c"):
        (tmp_path / "in" / name).symlink_to(store / "cat")
    found = read_data(tmp_path / "in")
    assert found.names == ("b/0.png", "b/1.png", "z/0.png")
    reasons = dict(found.skipped)
    assert reasons["a"].startswith(f"it is a link to {tmp_path / 'in' / 'z'}, which is read")
    assert reasons["c"] == f"it is a link to {store / 'cat'}, which is read already, in b"


def test_links_that_lead_to_one_another_end(tmp_path):
    for here, there in (("x", "y"), ("y", "x")):
        pictures(tmp_path / here, "0.png")
        (tmp_path / here / "other").symlink_to(tmp_path / there)
    pictures(tmp_path / "in", "0.png")
    (tmp_path / "in" / "x").symlink_to(tmp_path / "x")
    found = read_data(tmp_path / "in")
    assert found.names == ("0.png", "x/0.png", "x/other/0.png")
    assert [name for name, _ in found.skipped] == ["x/other/other"]


def test_a_link_to_a_hidden_folder_is_followed(tmp_path):
    pictures(tmp_path, ".store/cat/0.png")
    (tmp_path / "cat").symlink_to(tmp_path / ".store" / "cat")
    assert read_data(tmp_path).names == ("cat/0.png",)


# -- lists of classes ------------------------------------------------------------------------------


@pytest.fixture
def flat(tmp_path):
    return pictures(tmp_path / "flat", "1.png", "2.png", "a.b.png", "é.png")


@pytest.mark.parametrize(
    ("heading", "row"),
    [("file,label", "{name},{kind}"), ("id,score,class", "{stem},1,{kind}"), ("", "{name},{kind}")],
)
def test_classes_come_from_a_list(flat, tmp_path, heading, row):
    kinds = {"1.png": "dog", "2.png": "cat", "a.b.png": "cat", "e\u0301.png": "dog"}
    rows = [row.format(name=n, stem=n.removesuffix(".png"), kind=k) for n, k in kinds.items()]
    (tmp_path / "list.csv").write_text("\n".join([heading, *rows]), encoding="utf-8")
    found = read_data(flat, labels=str(tmp_path / "list.csv"))
    assert (found.classes, labels(found)) == (("cat", "dog"), [1, 0, 0, 1])
    assert f"the classes are those of {tmp_path / 'list.csv'}" in found.notes


@pytest.mark.parametrize("place", ["flat/labels.csv", "flat/train.csv", "flat.csv", "labels.csv"])
def test_a_list_in_or_next_to_the_folder_is_found_and_that_is_said(flat, tmp_path, place):
    (tmp_path / place).write_text("image,label\n1,7\n2,7\na.b,3\né,3\n", encoding="utf-8")
    found = read_data(flat)
    assert (found.classes, labels(found)) == (None, [7, 7, 3, 3])
    assert found.notes == (f"the classes are those of {tmp_path / place}",)


def test_a_list_that_does_not_fit_is_no_reason_to_stop(flat, tmp_path):
    (flat / "labels.csv").write_text("file,label\n1.png,a\n9.png,b\n")
    found = read_data(flat)
    assert (len(found), found.labels) == (4, None)
    assert found.notes == (
        f"{flat / 'labels.csv'} lists files that are not here: 1 (9.png)",
        f"images are not in {flat / 'labels.csv'}, so there are no labels: 3 (2.png, a.b.png, é.png)",
    )
    (flat / "labels.csv").write_text("file,label\n1.png,a\n1.png,b\n")
    assert "lists 1.png twice, as a and as b" in read_data(flat).notes[0]
    with pytest.raises(DataError, match=r"lists 1\.png twice"):
        read_data(flat, labels=str(flat / "labels.csv"))


def test_a_csv_of_something_else_is_not_a_list(flat):
    (flat / "scores.csv").write_text("file,score\n1.png,3\n")
    assert (read_data(flat).labels, read_data(flat).notes) == (None, ())


def test_folders_win_over_a_list_that_nobody_asked_for(tmp_path):
    folders(tmp_path / "in", all=1)
    pictures(tmp_path / "in" / "all")
    (tmp_path / "in" / "all" / "labels.csv").write_text("file,label\n0.png,a\n")
    found = read_data(tmp_path / "in" / "all")
    assert found.classes == ("cat", "dog")
    assert "the folders are the classes; " in found.notes[0]


# -- names that are not UTF-8, and packs ------------------------------------------------------------


def test_names_that_are_not_utf_8_are_classes_in_an_escaped_form(tmp_path):
    for name in (b"caf\xe9", b"tee"):
        pictures(tmp_path / os.fsdecode(name), "0.png")
    found = read_data(tmp_path)
    assert found.classes == (r"caf\udce9", "tee")
    assert os.fsencode(names(found)[0]) == b"caf\xe9/0.png"


@pytest.mark.parametrize("indexed", [True, False])
def test_a_pack_reads_as_its_folder_whatever_its_layout(tmp_path, mvtec, indexed):
    folders(tmp_path / "kaggle", Training=2, Testing=1, valid=1)
    pictures(tmp_path / "kaggle", "preview.png")
    for root in (mvtec, tmp_path / "kaggle"):
        made = pack(root, tmp_path / f"{root.name}.tar")
        if not indexed:
            (tmp_path / f"{root.name}.index").unlink()
        for split in ("train", "test", "all"):
            folder, packed = read_data(root, split), read_data(tmp_path / f"{root.name}.tar", split)
            assert packed.names == folder.names
            assert packed.classes == folder.classes
            np.testing.assert_array_equal(packed.labels, folder.labels)
        for split in ("train", "val", "test"):
            assert has_split(root, split) == has_split(tmp_path / f"{root.name}.tar", split)
        assert made["skipped"] == read_data(root, "all").skipped
        assert made["notes"] == read_data(root, "all").notes


def test_the_picture_of_a_link_to_a_file_is_read(tmp_path):
    Image.new("L", (4, 6), 7).save(tmp_path / "x.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "y.png").symlink_to(tmp_path / "x.png")
    assert read_data(tmp_path / "in").images.max() == 7
