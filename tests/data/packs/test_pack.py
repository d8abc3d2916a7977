"""Packs: the images of the folder, whatever stands between; and what is no whole pack is refused."""

import json
import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.packs.pack import bytes_of, pack
from narrows.data.packs.reader import Pack, verify_pack
from narrows.data.packs.tar_writer import tar_header
from narrows.errors import BuildError, DataError, OutputError
from small_files import write_picture

SHARD = 10_000  # bytes; some three images of `photos`


def photos(root: Path, names: tuple[str, ...]) -> Path:
    """A folder with a picture of noise under each name."""
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(root / name)
    return root


FLAT = ("b.png", "a.jpg", "c.png", "d.webp", "e.b.png", "e.c.png", "f g ä.png")
CLASSES = ("cat/2.png", "cat/10.png", "cat.d/1.png", "dog/deep/er/1.jpg", "dog/1.png")
SPLITS = ("train/cat/1.png", "train/dog/1.png", "train/dog/2.png", "test/dog/3.png")


@pytest.fixture
def folder(tmp_path):
    return photos(tmp_path / "photos", CLASSES)


@pytest.fixture
def packed(folder, tmp_path):
    """`set.tar` and its index, of five images in three classes."""
    pack(folder, tmp_path / "set.tar")
    return tmp_path / "set.tar"


def same(a, b) -> None:
    assert np.array_equal(a.images, b.images)
    assert (a.names, a.classes, a.skipped) == (b.names, b.classes, b.skipped)
    assert (a.labels is None) == (b.labels is None)
    if a.labels is not None:
        assert (a.labels.tolist(), a.labels.dtype) == (b.labels.tolist(), b.labels.dtype)


@pytest.mark.parametrize("indexed", [True, False], ids=["with its index", "by its headers"])
@pytest.mark.parametrize("names", [FLAT, CLASSES, SPLITS], ids=["flat", "classes", "splits"])
def test_a_pack_reads_as_its_folder(tmp_path, names, indexed):
    root = photos(tmp_path / "photos", names)
    pack(root, tmp_path / "set.tar")
    if not indexed:
        (tmp_path / "set.index").unlink()
    for split in ("train", "test", "all") if names == SPLITS else ("train", "all"):
        same(read_data(tmp_path / "set.tar", split), read_data(root, split))
    options = {"size": (7, 9), "fit": "pad", "grey": True}
    same(read_data(tmp_path / "set.tar", "all", **options), read_data(root, "all", **options))


def test_a_pack_in_shards_reads_as_its_folder(folder, tmp_path):
    made = pack(folder, tmp_path / "set.tar", shard=SHARD)
    shards = sorted(tmp_path.glob("*.tar"))
    assert (made["images"], made["classes"], made["skipped"]) == (5, 3, ())
    assert made["shards"] == len(shards) > 1
    assert max(shard.stat().st_size for shard in shards) <= SHARD
    assert made["bytes"] == sum(shard.stat().st_size for shard in shards)
    same(read_data(made["path"]), read_data(folder))
    whole = read_data(folder, "all")
    # a shard on its own is a tar without an index
    parts = [read_data(shard, "all") for shard in shards]
    assert np.array_equal(np.concatenate([part.images for part in parts]), whole.images)
    assert sum((part.names for part in parts), ()) == whole.names
    assert [part.classes[k] for part in parts for k in part.labels] == [
        whole.classes[k] for k in whole.labels
    ]


@pytest.mark.parametrize("words", [("cat", "dog"), ("10", "2")])
@pytest.mark.parametrize("asked", [True, False], ids=["asked", "found"])
def test_classes_of_a_list_are_packed(tmp_path, words, asked):
    photos(tmp_path / "photos", FLAT)
    rows = [f"{name},{words[k % 2]}" for k, name in enumerate(FLAT)]
    place = tmp_path / "list.csv" if asked else tmp_path / "photos" / "labels.csv"
    place.write_text("\n".join(["file,label", *rows]))
    options = {"labels": str(place)} if asked else {}
    told = pack(tmp_path / "photos", tmp_path / "set.tar", **options)
    assert f"the classes are those of {place}" in told["notes"]
    found = read_data(tmp_path / "set.tar")
    wanted = read_data(tmp_path / "photos", **options)
    assert (found.names, found.classes) == (wanted.names, wanted.classes)
    np.testing.assert_array_equal(found.labels, wanted.labels)


def test_a_list_that_lacks_an_image_and_masks_are_told_of(tmp_path):
    photos(tmp_path / "photos", ("train/good/1.png", "test/bad/1.png", "ground_truth/bad/1.png"))
    told = pack(tmp_path / "photos", tmp_path / "set.tar")
    assert told["images"] == 2
    assert "folders of masks, which are not read as images: 1" in " ".join(told["notes"])
    photos(tmp_path / "flat", FLAT)
    (tmp_path / "flat" / "labels.csv").write_text("file,label\na.jpg,cat\n")
    told = pack(tmp_path / "flat", tmp_path / "flat.tar")
    assert "so there are no labels: 6" in " ".join(told["notes"])
    assert read_data(tmp_path / "flat.tar").labels is None


def test_files_are_packed_byte_for_byte_and_read_one_at_a_time(folder, packed):
    images = Pack(packed)
    assert [one.name for one in images] == sorted(CLASSES, key=lambda name: name.split("/"))
    for k in (3, 0, -1):
        assert images[k].data == (folder / images[k].name).read_bytes()
    assert (images[0].label, images[-1].label, len(images)) == (0, 2, 5)
    with pytest.raises(IndexError):
        images[5]


def test_the_same_folder_gives_the_same_bytes(folder, packed, tmp_path):
    pack(folder, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == packed.read_bytes()


def test_the_tar_is_in_the_layout_of_webdataset(folder, packed):
    with tarfile.open(packed) as tar:
        names = tar.getnames()
        first = {name.partition(".")[2]: tar.extractfile(name).read() for name in names[:3]}
    assert names[:3] == ["000000000.png", "000000000.json", "000000000.cls"]
    assert [name[:9] for name in names] == [f"{k:09d}" for k in range(5) for _ in range(3)]
    assert first["png"] == (folder / "cat/10.png").read_bytes()
    assert (json.loads(first["json"]), first["cls"]) == (
        {"file": "cat/10.png", "class": "cat"},
        b"0",
    )


@pytest.mark.parametrize(("name", "size"), [("000000000.png", 0), ("999999999.json", 8**11 - 1)])
def test_headers_are_those_of_tarfile(name, size):
    other = tarfile.TarInfo(name)
    other.size = size
    assert tar_header(name, size) == other.tobuf(tarfile.USTAR_FORMAT)


def test_webdataset_reads_it(packed):
    wds = pytest.importorskip("webdataset")
    found = list(
        wds.WebDataset(str(packed), shardshuffle=False).decode("rgb8").to_tuple("png;jpg", "cls")
    )
    whole = read_data(packed)
    assert [label for _, label in found] == whole.labels.tolist()
    assert np.array_equal(np.stack([image for image, _ in found]), whole.images)


def _data(images: Pack, k: int) -> bytes:
    return images.data(k)


def test_threads_and_processes_share_a_pack(folder, tmp_path):
    images = Pack(pack(folder, tmp_path / "set.tar", shard=SHARD)["path"])
    expected = [one.data for one in pickle.loads(pickle.dumps(images))] * 20
    places = list(range(len(images))) * 20
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(images.data, places)) == expected
    with get_context("fork").Pool(2) as pool:
        assert pool.starmap(_data, [(images, k) for k in places[:5]]) == expected[:5]


@pytest.fixture
def partly_broken(folder):
    """The folder with two more files, which cannot be read."""
    (folder / "cat/text.png").write_text("this is no image")
    whole = (folder / "dog/deep/er/1.jpg").read_bytes()
    (folder / "dog/cut.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def test_files_that_cannot_be_read_are_left_out_and_reported(partly_broken, tmp_path):
    made = pack(partly_broken, tmp_path / "set.tar")
    assert made["skipped"] == read_data(partly_broken).skipped
    assert (made["images"], len(made["skipped"])) == (5, 2)
    assert np.array_equal(read_data(tmp_path / "set.tar").images, read_data(partly_broken).images)
    with pytest.raises(
        DataError, match=r"cat/text.png cannot be read: it is not an image of a known kind"
    ):
        pack(partly_broken, tmp_path / "strict.tar", strict=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "set.index", "set.tar"]


def test_unchecked_files_are_reported_when_they_are_read(partly_broken, tmp_path):
    assert pack(partly_broken, tmp_path / "set.tar", check=False)["images"] == 7
    same(read_data(tmp_path / "set.tar"), read_data(partly_broken))
    with pytest.raises(DataError, match=r"set.tar: cat/text.png cannot be read"):
        read_data(tmp_path / "set.tar", strict=True)


def test_large_files_are_read_in_threads_in_their_order(tmp_path, monkeypatch):
    root = photos(tmp_path / "photos", tuple(f"{k}.png" for k in range(30)))
    for module in ("packs.pack", "packs.reader"):
        monkeypatch.setattr(f"narrows.data.{module}.THREADED_FROM", 100)
    done = []
    pack(root, tmp_path / "set.tar", progress=lambda *counts: done.append(counts))
    assert done == [(k, 30) for k in range(1, 31)]
    same(read_data(tmp_path / "set.tar"), read_data(root))


def test_a_folder_without_images_makes_no_pack(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no images to pack; known endings"):
        pack(tmp_path / "empty", tmp_path / "set.tar")
    (tmp_path / "empty/a.png").write_text("no")
    with pytest.raises(
        DataError, match=r"none of the 1 images can be read; the first, a.png: it is not an image"
    ):
        pack(tmp_path / "empty", tmp_path / "set.tar")
    with pytest.raises(DataError, match="nowhere cannot be listed: No such file"):
        pack(tmp_path / "nowhere", tmp_path / "set.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_pack_is_not_replaced_unasked(folder, packed, tmp_path):
    with pytest.raises(OutputError, match=r"set.tar exists already"):
        pack(folder, packed)
    (folder / "cat/2.png").unlink()
    assert pack(folder, packed, force=True)["images"] == len(Pack(packed)) == 4
    packed.unlink()
    with pytest.raises(OutputError, match=r"set.index exists already"):
        pack(folder, packed)
    (tmp_path / "set.index").unlink()
    pack(folder, packed, shard=SHARD)
    (tmp_path / "set.index").rename(tmp_path / "aside")
    with pytest.raises(OutputError, match=r"set-00000.tar exists already"):
        pack(folder, packed)
    (tmp_path / "aside").rename(tmp_path / "set.index")
    assert pack(folder, packed, shard=SHARD, force=True)["shards"] > 1
    pack(folder, packed, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "set.index", "set.tar"]
    with pytest.raises(OutputError, match=r"must end in .tar, such as .*set.tar"):
        pack(folder, tmp_path / "set.zip")


def test_an_interrupted_pack_leaves_nothing(folder, tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(folder, tmp_path / "set.tar", shard=SHARD, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(10, 10), ("10", 10), ("500MB", 5 * 10**8), ("1.5 gb", 15 * 10**8), ("2B", 2)],
)
def test_sizes_are_read(size, expected):
    assert bytes_of(size) == expected


@pytest.mark.parametrize("size", ["", "GB", "1 XB", "0", -1, "1e3", "0.1B"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(BuildError, match="expected a number of bytes > 0, such as 500MB"):
        bytes_of(size)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 255
    path.write_bytes(content)


def test_a_whole_pack_is_verified(packed, tmp_path):
    size = packed.stat().st_size
    expected = {
        "images": 5,
        "shards": 1,
        "bytes": size,
        "checked": "each image against its checksum",
    }
    assert verify_pack(packed) == verify_pack(tmp_path / "set.index") == expected
    (tmp_path / "set.index").unlink()
    assert verify_pack(packed) == {**expected, "checked": "each image decoded, there is no index"}


def test_damaged_images_are_named_and_left_out(packed):
    whole = read_data(packed)
    for k in (1, 3):
        flip(packed, int(Pack(packed).index.entries["offset"][k]) + 50)
    with pytest.raises(
        DataError, match=r"2 of 5 images, for 2 reasons:\n  - cat/2.png: its bytes in set.tar"
    ):
        verify_pack(packed)
    assert [name for name, _ in read_data(packed).skipped] == [whole.names[1], whole.names[3]]
    assert np.array_equal(read_data(packed).images, whole.images[[0, 2, 4]])
    with pytest.raises(
        DataError, match=r"are damaged, or set.tar is not the tar of the index \(image 1\)"
    ):
        Pack(packed)[1]


def test_a_missing_and_a_short_shard_are_reported_together(folder, tmp_path):
    index = pack(folder, tmp_path / "set.tar", shard=SHARD)["path"]
    (tmp_path / "set-00000.tar").unlink()
    short = tmp_path / "set-00001.tar"
    short.write_bytes(short.read_bytes()[:-512])
    for use in (read_data, verify_pack):
        with pytest.raises(DataError) as caught:
            use(index)
        assert "set-00000.tar is missing; put it next to the index" in str(caught.value)
        assert "but the index says" in str(caught.value)


def test_an_index_of_another_pack_is_noticed(folder, packed, tmp_path):
    pack(photos(tmp_path / "others", ("a.png", "b.png")), tmp_path / "other.tar")
    (tmp_path / "set.index").write_bytes((tmp_path / "other.index").read_bytes())
    assert len(Pack(packed)) == 5  # it names other.tar, so set.tar is read by its headers
    (tmp_path / "other.tar").unlink()
    with pytest.raises(DataError, match=r"other.tar is missing"):
        Pack(tmp_path / "set.index")


def test_a_broken_index_is_always_refused(packed, tmp_path):
    index = tmp_path / "set.index"
    whole, rng = index.read_bytes(), np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 50):
        index.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"the index .* cannot be used"):
            Pack(packed)
    told = Pack(index_again(index, whole)).index
    for at in rng.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        index.write_bytes(changed)
        try:
            found = Pack(packed).index
        except DataError:
            continue
        # a bit that says nothing, such as a file's time
        assert np.array_equal(found.entries, told.entries)
        assert (found.shards, found.classes, found.blob.tobytes()) == (
            told.shards,
            told.classes,
            told.blob.tobytes(),
        )


def index_again(index: Path, content: bytes) -> Path:
    index.write_bytes(content)
    return index


def change_arrays(index: Path, **arrays: np.ndarray) -> None:
    with np.load(index) as stored:
        found = {**stored, **arrays}
    with open(index, "wb") as file:
        np.savez(file, **found)


def changed(entries: np.ndarray, column: str, value: int) -> np.ndarray:
    entries = entries.copy()
    entries[column][-1] = value
    return entries


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (
            lambda e: {"entries": changed(e, "shard", 1)},
            "places images in tars that it does not name",
        ),
        (lambda e: {"entries": changed(e, "offset", 2**64 - 1)}, "beyond the end of their tar"),
        (lambda e: {"entries": changed(e, "size", 2**40)}, "beyond the end of their tar"),
        (lambda e: {"entries": changed(e, "label", 3)}, "labels without a class"),
        (lambda e: {"entries": e[:-1]}, "5 names for 4 images"),
        (lambda e: {"entries": e["size"]}, "not those of an index"),
        (
            lambda e: {"names": np.frombuffer(b"a\0b\0c\0d\0../e\0", np.uint8)},
            "lead out of their folder",
        ),
        (
            lambda e: {"names": np.frombuffer(b"a\0b\0c\0d\0/e\0", np.uint8)},
            "lead out of their folder",
        ),
        (
            lambda e: {"shards": np.frombuffer(b"../set.tar\0", np.uint8)},
            "not names of files next to it",
        ),
        (lambda e: {"about": np.frombuffer(b'{"format": 1}', np.uint8)}, "not that of a pack"),
        (lambda e: {"about": np.array([object()])}, "not that of a pack"),
        (
            lambda e: {
                "about": np.frombuffer(
                    b'{"format":2,"bytes":[],"splits":false,"labelled":true}', np.uint8
                )
            },
            "has format 2, and this version of Narrows knows format 1",
        ),
    ],
)
def test_an_index_that_says_what_cannot_be_is_refused(packed, tmp_path, arrays, reason):
    change_arrays(tmp_path / "set.index", **arrays(Pack(packed).index.entries))
    with pytest.raises(DataError, match=reason):
        Pack(packed)


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    """A tar as others write it."""
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, BytesIO(content))
    return path


@pytest.fixture
def png(tmp_path) -> bytes:
    return write_picture(tmp_path / "one.png").read_bytes()


def test_any_tar_of_images_is_read_as_the_folder_that_it_holds(folder, tmp_path):
    (folder / ".hidden.png").write_text("no")
    (folder / "notes.txt").write_text("no")
    with tarfile.open(tmp_path / "plain.tar", "w") as tar:
        for name in sorted(CLASSES, key=lambda name: name.split("/")):
            tar.add(folder / name, f"./{name}")
        tar.add(folder / ".hidden.png", "./.hidden.png")
        tar.add(folder / "notes.txt", "./notes.txt")
    same(read_data(tmp_path / "plain.tar"), read_data(folder))


@pytest.mark.parametrize(
    ("words", "labels", "classes"),
    [(("7", "0"), [7, 0], None), (("dog", "cat"), [1, 0], ("cat", "dog"))],
    ids=["numbers", "words"],
)
def test_labels_of_webdataset_are_read(tmp_path, png, words, labels, classes):
    files = [{f"s/{k}.png": png, f"s/{k}.cls": word.encode()} for k, word in enumerate(words)]
    found = read_data(tar_of(tmp_path / "a.tar", files[0] | files[1]))
    assert (found.labels.tolist(), found.classes, found.names) == (
        labels,
        classes,
        ("s/0.png", "s/1.png"),
    )


def test_what_is_next_to_an_image_does_no_harm(tmp_path, png):
    files = {}
    for k, text in enumerate([b"[" * 10**5, b'{"file": "../../x.png"}', b'{"file": 3}', b"\xff"]):
        files |= {f"{k}.png": png, f"{k}.json": text}
    found = read_data(tar_of(tmp_path / "a.tar", {**files, "../up.png": png, "/root.png": png}))
    assert found.names == ("0.png", "1.png", "2.png", "3.png")


def test_what_is_no_whole_tar_is_refused(packed, tmp_path):
    (tmp_path / "set.index").unlink()
    whole = packed.read_bytes()
    for cut in (0, 100, 3000, len(whole) - 1024, len(whole) - 2000):
        packed.write_bytes(whole[:cut])
        with pytest.raises(
            DataError, match=r"cannot be read as a tar|cut short or damaged|holds no images"
        ):
            read_data(packed)
    packed.write_bytes(whole)
    with tarfile.open(packed) as tar:
        flip(packed, tar.getmembers()[6].offset + 150)
    with pytest.raises(DataError, match="cut short or damaged at byte"):
        read_data(packed)
    for path in (tmp_path / "nothing.tar", tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            Pack(path)
    with pytest.raises(DataError, match="holds no images"):
        read_data(tar_of(tmp_path / "texts.tar", {"a.txt": b"text"}))
