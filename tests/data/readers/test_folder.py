"""Folders: classes, splits, names, and what cannot be read."""

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.readers import folder
from narrows.errors import BuildError, DataError
from small_files import write_picture


def test_a_flat_folder_has_names_and_no_labels(tmp_path):
    for k, ending in enumerate(("tiff", "png", "JPG", "webp", "bmp", "gif")):
        write_picture(tmp_path / f"{k}.{ending}", fill=20 * k)
    found = read_data(tmp_path)
    assert found.images.shape[:3] == (6, 6, 4)
    assert found.names == ("0.tiff", "1.png", "2.JPG", "3.webp", "4.bmp", "5.gif")
    assert (found.labels, found.classes, found.skipped) == (None, None, ())
    assert str(tmp_path) in found.source


def test_first_level_folders_are_classes(tmp_path):
    for name in ("dog/2", "cat/deep/er/1", "dog/10"):
        write_picture(tmp_path / f"{name}.png")
    found = read_data(tmp_path, "all")
    assert found.names == ("cat/deep/er/1.png", "dog/10.png", "dog/2.png")
    assert (found.labels.tolist(), found.labels.dtype) == ([0, 1, 1], np.int64)
    assert found.classes == ("cat", "dog")


def test_an_image_outside_the_classes_means_no_labels(tmp_path):
    write_picture(tmp_path / "cat/1.png")
    write_picture(tmp_path / "2.png")
    found = read_data(tmp_path)
    assert (len(found), found.labels, found.classes) == (2, None, None)


def test_hidden_and_other_files_are_ignored(tmp_path):
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / ".b.png")
    write_picture(tmp_path / ".thumbs/c.png")
    (tmp_path / "notes.txt").write_text("nothing")
    assert read_data(tmp_path).names == ("a.png",)


def test_train_and_test_are_splits_with_one_list_of_classes(tmp_path):
    for name in ("train/a/1", "train/b/1", "train/c/1", "test/c/2"):
        write_picture(tmp_path / f"{name}.png")
    train, test, both = (read_data(tmp_path, split) for split in ("train", "test", "all"))
    assert train.labels.tolist() == [0, 1, 2]
    assert (test.names, test.labels.tolist(), test.classes) == (
        ("test/c/2.png",),
        [2],
        ("a", "b", "c"),
    )
    assert both.labels.tolist() == [0, 1, 2, 2]


def test_a_folder_without_splits_has_no_test_split(tmp_path):
    write_picture(tmp_path / "a.png")
    with pytest.raises(
        DataError, match="no test split: for that it needs the sub-folders train and test; read it"
    ):
        read_data(tmp_path, "test")


def test_grey_stays_grey_and_mixed_becomes_colour(tmp_path):
    write_picture(tmp_path / "a.png", "L")
    write_picture(tmp_path / "b.png", "I;16", fill=257 * 50)
    write_picture(tmp_path / "c.png", "1", fill=1)
    found = read_data(tmp_path).images
    assert (found.shape, found.dtype, found[:, 0, 0].tolist()) == (
        (3, 6, 4),
        np.uint16,
        [128 * 257, 50 * 257, 65535],
    )
    write_picture(tmp_path / "d.png", "RGB", fill=(1, 2, 3))
    assert read_data(tmp_path).images.shape == (4, 6, 4, 3)


def test_alpha_is_kept_if_all_have_it(tmp_path):
    write_picture(tmp_path / "a.png", "RGBA", fill=(1, 2, 3, 4))
    write_picture(tmp_path / "b.png", "LA", fill=(5, 6))
    assert read_data(tmp_path).images[:, 0, 0].tolist() == [[1, 2, 3, 4], [5, 5, 5, 6]]


def test_mixed_sizes_are_refused_with_their_counts(tmp_path):
    for k, size in enumerate([(6, 4), (6, 4), (8, 5)]):
        write_picture(tmp_path / f"{k}.png", size=size)
    with pytest.raises(DataError) as caught:
        read_data(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds images of 2 sizes (height x width): 6 x 4 (2), 8 x 5 (1); "
        "bring them to one with size=(6, 4) (--size 6 4) and fit='crop', 'pad' or 'stretch', "
        "or cut patches of one size, patches=... (--patches)"
    )
    assert read_data(tmp_path, size=(3, 2), fit="pad").images.shape == (3, 3, 2)


def test_many_sizes_are_reported_in_short(tmp_path):
    for k in range(7):
        write_picture(tmp_path / f"{k}.png", size=(k + 1, 4))
    with pytest.raises(DataError, match=r"of 7 sizes .*, \.\.\.; bring"):
        read_data(tmp_path)


@pytest.fixture
def partly_broken(tmp_path):
    """One good image; one cut short, one that is text, one of integers beyond 16 bits."""
    write_picture(tmp_path / "a/good.png", size=(60, 60))
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    Image.fromarray(noise).save(cut := tmp_path / "a/cut.jpg")
    cut.write_bytes(cut.read_bytes()[:-600])
    (tmp_path / "b").mkdir()
    (tmp_path / "b/text.png").write_text("this is no image")
    write_picture(tmp_path / "b/wide.tif", "I", fill=70_000)
    return tmp_path


def test_files_that_cannot_be_read_are_collected(partly_broken):
    found = read_data(partly_broken)
    assert found.names == ("a/good.png",)
    assert found.labels.tolist() == [0]
    assert found.classes == ("a", "b")
    reasons = dict(found.skipped)
    assert list(reasons) == ["a/cut.jpg", "b/text.png", "b/wide.tif"]
    assert "truncated" in reasons["a/cut.jpg"]
    assert reasons["b/text.png"] == "it is not an image of a known kind, or is damaged"
    assert reasons["b/wide.tif"] == "its pixels are integers from 70000 to 70000, beyond 16 bits"


def test_a_link_to_nothing_is_skipped(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone")
    write_picture(tmp_path / "b.png")
    ((name, reason),) = read_data(tmp_path).skipped
    assert name == "a.png"
    assert "No such file" in reason


def test_threads_keep_the_order(tmp_path, monkeypatch):
    for k in range(20):
        write_picture(tmp_path / f"{k:02}.png", fill=k)
    monkeypatch.setattr(folder, "THREADED_FROM", 0)
    assert read_data(tmp_path).images[:, 0, 0].tolist() == list(range(20))
    (tmp_path / "05.png").write_text("no")
    with pytest.raises(DataError, match=r"05\.png cannot be read"):
        read_data(tmp_path, strict=True)


def test_strict_raises_at_the_first(partly_broken):
    with pytest.raises(DataError, match=r"cut\.jpg cannot be read: .*; replace or remove it"):
        read_data(partly_broken, strict=True)


def test_none_readable_is_an_error(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_text("no")
    with pytest.raises(
        DataError,
        match=r"none of the 2 images in .* can be read; the first, a.png: it is not an image",
    ):
        read_data(tmp_path)


def test_no_images_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(
        DataError, match=r"holds no images \(split 'train'\); known endings: .png, .apng, .jpg"
    ):
        read_data(tmp_path)


def test_decompression_bombs_are_refused(tmp_path, monkeypatch):
    write_picture(tmp_path / "a.png", size=(4, 4))
    write_picture(tmp_path / "b.png", size=(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    ((name, reason),) = read_data(tmp_path).skipped
    assert name == "b.png"
    assert reason.startswith("it is too large, and may be meant to fill the memory")


def test_only_kinds_that_are_read_are_opened(tmp_path):
    write_picture(tmp_path / "a.tga").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match="it is not an image of a known kind"):
        read_data(tmp_path)


def test_options_are_reported(tmp_path):
    write_picture(tmp_path / "a.png")
    with pytest.raises(
        BuildError, match="format 'folder': it has no option 'sise'; did you mean 'size'"
    ):
        read_data(tmp_path, sise=3)


def test_one_image_is_a_set_of_one(tmp_path):
    found = read_data(write_picture(tmp_path / "a.png", "RGB", fill=(1, 2, 3)))
    assert (found.images.shape, found.names, found.labels) == ((1, 6, 4, 3), ("a.png",), None)
    assert read_data(tmp_path / "a.png", "all", size=(2, 2)).images.shape == (1, 2, 2, 3)


def test_one_image_that_cannot_be_read(tmp_path):
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(
        DataError, match=r"a.png cannot be read: it is not an image of a known kind"
    ):
        read_data(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png has no test split"):
        read_data(tmp_path / "a.png", "test")
