"""Patches of a folder: which, from where, in which depth, with which labels."""

from dataclasses import replace
from weakref import WeakSet

import numpy as np
import pytest

from narrows.data import read_data
from narrows.data.packs.pack import pack
from narrows.data.pairs import read_pairs
from narrows.data.patches.names import groups_of, place_in
from narrows.data.readers import decode, pictures_or_patches
from narrows.data.readers import folder as folder_reader
from narrows.data.readers.image_files import first_page
from narrows.data.readers.listing import list_folder
from narrows.data.readers.pixels import Page
from narrows.data.save_picture import save_pages
from narrows.data.share import Share
from narrows.errors import BuildError, DataError, UnknownName

SIZES = {"cat/a": (60, 50), "cat/b": (40, 90), "dog/c": (33, 33)}


def noise(size, dtype=np.uint8, seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(0.5, 2, size).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, size, dtype)


@pytest.fixture
def folder(tmp_path):
    """Three pictures of three sizes, in two classes."""
    for seed, (name, size) in enumerate(SIZES.items()):
        save_pages([Page(noise(size, seed=seed))], tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def by_name(images):
    return dict(zip(images.names, images.images))


@pytest.mark.parametrize("channels", [(), (3,), (4,)], ids=["grey", "colour", "alpha"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_patches_are_crops_bit_for_bit_in_their_depth(tmp_path, dtype, channels):
    picture = noise((50, 40, *channels), dtype)
    save_pages([Page(picture)], tmp_path / "a.tif")
    images = read_data(tmp_path, "all", size=(16, 12), patches=9)
    assert len(images) == 9
    assert images.images.dtype == dtype
    for name, patch in by_name(images).items():
        y, x = place_in(name)
        assert np.array_equal(patch, picture[y : y + 16, x : x + 12])


def test_patches_keep_levels_of_12_bits(tmp_path):
    pixels = noise((50, 40), np.uint16) % 4096
    save_pages([Page(pixels, (0, 4095))], tmp_path / "a.tif")
    images = read_data(tmp_path, "all", size=16, patches=2)
    assert images.levels == first_page(tmp_path / "a.tif").levels == (0, 4095)


def test_the_same_seed_gives_the_same_patches_whatever_the_order_and_the_workers(
    folder, tmp_path, monkeypatch
):
    first = read_data(folder, "all", size=16, patches={"count": 12, "seed": 5})
    again = by_name(read_data(folder, "all", size=16, patches={"count": 12, "seed": 5}))
    assert list(again) == list(first.names)
    other = read_data(folder, "all", size=16, patches={"count": 12, "seed": 6})
    assert set(other.names) != set(first.names)

    listed = read_backwards_by_7_workers(folder, monkeypatch)
    assert listed.names != first.names
    assert set(listed.names) == set(first.names)
    for name, patch in by_name(listed).items():
        assert np.array_equal(patch, again[name])


def read_backwards_by_7_workers(folder, monkeypatch):
    def list_backwards(*given):
        listing = list_folder(*given)
        return replace(listing, names=listing.names[::-1], labels=listing.labels[::-1])

    monkeypatch.setattr(folder_reader, "list_folder", list_backwards)
    monkeypatch.setattr(folder_reader, "THREADED_FROM", 0)
    monkeypatch.setattr(decode, "count_cores", lambda: 7)
    return read_data(folder, "all", size=16, patches={"count": 12, "seed": 5})


def test_patches_have_the_labels_of_their_pictures(folder):
    images = read_data(folder, "all", size=16, patches=12)
    assert images.classes == ("cat", "dog")
    for name, label in zip(images.names, images.labels):
        assert name.startswith(f"{images.classes[label]}/")


def test_the_shares_of_the_ranks_are_the_complete_set(folder):
    complete = read_data(folder, "all", size=16, patches=12)
    parts = [read_data(folder, "all", size=16, patches=12, share=Share(k, 2)) for k in (1, 2)]
    assert sum((part.names for part in parts), ()) == complete.names
    assert np.array_equal(np.concatenate([part.images for part in parts]), complete.images)


def test_a_pack_gives_the_patches_of_its_folder(folder, tmp_path):
    pack(folder, tmp_path / "set.tar")
    of_folder = read_data(folder, "all", size=16, patches=12)
    of_pack = read_data(tmp_path / "set.tar", "all", size=16, patches=12)
    assert of_pack.names == of_folder.names
    assert np.array_equal(of_pack.images, of_folder.images)
    assert np.array_equal(of_pack.labels, of_folder.labels)


def test_small_and_broken_pictures_are_skipped_with_the_reason(folder):
    (folder / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    images = read_data(folder, "all", size=(34, 20), patches=6)
    reasons = dict(images.skipped)
    assert set(reasons) == {"cat/broken.png", "dog/c.png"}
    assert "33 x 33 pixels, fewer than a patch of 34 x 20" in reasons["dog/c.png"]
    assert len(images) == 6
    with pytest.raises(DataError, match=r"none of the .* 33 x 33"):
        read_data(folder / "dog", "all", size=34, patches=6)


def test_fewer_patches_than_asked_for_are_reported(folder):
    images = read_data(folder, "all", size=30, patches=1000)
    assert len(images) < 100
    assert f"Only {len(images)} of 1,000 patches fit" in " ".join(images.notes)


def test_pictures_are_cut_at_several_sizes_as_often_at_each(tmp_path):
    """A ramp at half its size has the same values, twice as close; every third column is exact."""
    ramp = np.tile(np.arange(0, 240, 2, dtype=np.uint8), (120, 1))
    save_pages([Page(ramp)], tmp_path / "ramp.png")
    patches = {"count": 30, "distance": 1, "scales": [1, 0.5], "every": [3]}
    images = read_data(str(tmp_path), "all", size=16, patches=patches)
    names = list(map(str, images.names or ()))
    assert [sum(f"ramp#{k}_" in name for name in names) for k in (1, 2, 3)] == [10, 10, 10]
    for name, image in zip(names, images.images):
        steps = np.diff(image[:, 2:-2].astype(int))  # a filter has other values at an edge
        assert abs(steps - {"1": 2, "2": 4, "3": 6}[name[5]]).max() <= (name[5] == "2")
    assert set(groups_of(names)) == {0}


@pytest.mark.parametrize(
    "options",
    [{"scales": [2]}, {"scales": []}, {"scales": "1"}, {"every": [1]}, {"every": 2.5}],
    ids=str,
)
def test_sizes_that_cannot_be_are_refused(folder, options):
    with pytest.raises(BuildError, match="of patches"):
        read_data(str(folder), "all", size=16, patches={"count": 5, **options})


def test_each_page_of_a_stack_is_a_picture_and_all_are_of_one_file(tmp_path):
    save_pages([Page(noise((40, 40), seed=k)) for k in range(3)], tmp_path / "in" / "s.tif")
    images = read_data(tmp_path / "in", "all", size=16, patches=6)
    assert {name.partition("_y")[0] for name in images.names} == {"s#1", "s#2", "s#3"}
    assert len(set(groups_of(images.names))) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"patches": 0}, BuildError),
        ({"patches": {"count": 5, "sed": 1}}, UnknownName),
        ({"patches": {"seed": -1}}, BuildError),
        ({"patches": {"distance": 0}}, BuildError),
        ({"patches": 5, "fit": "pad"}, BuildError),
        ({"patches": 5, "size": (0, 3)}, DataError),
    ],
)
def test_options_that_cannot_be_are_refused(folder, options, error):
    with pytest.raises(error):
        read_data(folder, "all", **options)


class Holder:
    """Alive as long as the picture that it belongs to."""


class Tracked(np.ndarray):
    """A picture with a holder."""


def test_few_pictures_are_in_memory_at_a_time(tmp_path, monkeypatch):
    """Of 40 pictures, no more than are decoded ahead."""
    for k in range(40):
        save_pages([Page(noise((40, 40), seed=k))], tmp_path / "in" / f"{k:02d}.png")
    alive, counts = WeakSet(), []
    opener = pictures_or_patches.picture_opener

    def tracking_opener(*given):
        open_file = opener(*given)

        def open_tracked(source):
            for page in open_file(source):
                pixels = page.pixels.view(Tracked)
                pixels.holder = Holder()
                alive.add(pixels.holder)
                counts.append(len(alive))
                yield page._replace(pixels=pixels)

        return open_tracked

    monkeypatch.setattr(pictures_or_patches, "picture_opener", tracking_opener)
    monkeypatch.setattr(folder_reader, "THREADED_FROM", 0)
    monkeypatch.setattr(decode, "count_cores", lambda: 2)
    assert len(read_data(tmp_path / "in", "all", size=16, patches=80)) == 80
    assert len(counts) == 2 * 40  # two passes
    assert max(counts) <= 8


@pytest.fixture
def pair(folder, tmp_path):
    """The pictures, and the same with noise, as pictures of another format."""
    for name, size in SIZES.items():
        clean = first_page(folder / f"{name}.png").pixels
        assert clean.shape == size
        save_pages([Page(255 - clean)], tmp_path / "noisy" / f"{name}.bmp")
    return {"kind": str(folder), "noisy": str(tmp_path / "noisy"), "size": 16, "patches": 12}


def test_pairs_are_cut_at_the_same_places(pair, folder):
    found = read_pairs(pair, "all")
    alone = read_data(folder, "all", size=16, patches=12)
    assert found.names == alone.names
    assert np.array_equal(found.images, alone.images)
    assert np.array_equal(found.noisy, 255 - found.images)
    assert found.skipped == ()


def test_pairs_of_pictures_of_other_sizes_are_refused(pair, tmp_path):
    save_pages([Page(noise((70, 60)))], tmp_path / "noisy" / "cat" / "a.bmp")
    with pytest.raises(DataError, match=r"one size; others have cat/a\.png"):
        read_pairs(pair, "all")


def test_patches_without_a_noisy_counterpart_are_named(pair, tmp_path):
    (tmp_path / "noisy" / "dog" / "c.bmp").unlink()
    found = read_pairs(pair, "all")
    assert found.names
    assert all(name.startswith("cat/") for name in found.names)
    assert all(name.startswith("dog/c_y") for name, _ in found.skipped)
    assert len(found.names) + len(found.skipped) == 12


def test_folders_without_a_common_name_are_no_pairs(pair, tmp_path):
    save_pages([Page(noise((40, 40)))], tmp_path / "others" / "x.png")
    with pytest.raises(DataError, match=r"no image in .*others has the name of one"):
        read_pairs({**pair, "noisy": str(tmp_path / "others")}, "all")


def test_of_a_picture_the_side_of_more_contrast_is_cut_more_often(tmp_path):
    """The first place of 500 seeds, left or right of the middle, against the sums of σ there."""
    picture = noise((40, 60)) // 8 + 100
    picture[:, :30] = noise((40, 30), seed=1)
    save_pages([Page(picture)], tmp_path / "a.png")
    sigma = np.lib.stride_tricks.sliding_window_view(picture.astype(float), (8, 8)).std((2, 3))
    expected = sigma[:, :26].sum() / sigma.sum()
    options = [{"count": 1, "seed": seed} for seed in range(500)]
    names = [read_data(tmp_path, "all", size=8, patches=cut).names[0] for cut in options]
    left = np.mean([place_in(name)[1] < 26 for name in names])
    assert abs(left - expected) < 4 * np.sqrt(expected * (1 - expected) / 500)
    assert expected > 0.75
