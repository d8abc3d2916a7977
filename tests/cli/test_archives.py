"""compress and decompress: out of a folder comes the folder, out of an array the array, to the last bit."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.codec.archive import Writer
from narrows.codec.extras import Extras, PictureKind
from narrows.data.readers.picture_stream import stream_pictures
from small_pixel_models import categorical, sparse, strokes

GENERATOR = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def untrained(monkeypatch):
    """No model is trained on the images themselves, which takes seconds."""
    monkeypatch.setattr("narrows.codec.fitting.WORTH", 1 << 40)


def noise(*shape, dtype=np.uint8):
    return GENERATOR.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def put(path: Path, picture: Image.Image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder of pictures of all kinds, one of them broken."""
    root = tmp_path_factory.mktemp("archives") / "in"
    grey = Image.linear_gradient("L").resize((40, 30))
    pages = [Image.fromarray(noise(9, 8)) for _ in range(3)]
    put(root / "a" / "grey.png", grey)
    put(root / "a" / "grey.jpg", grey.rotate(20))
    put(root / "a" / "deep" / "colour.jpg", grey.rotate(10).convert("RGB"))
    put(root / "a" / "profile.png", grey.convert("RGB"), icc_profile=b"a profile of colours")
    put(root / "b" / "deep.png", Image.fromarray(noise(20, 21, dtype=np.uint16)))
    put(root / "b" / "float.tif", Image.fromarray(GENERATOR.random((5, 6)).astype(np.float32)))
    put(root / "b" / "alpha.png", Image.fromarray(noise(20, 21, 4)))
    put(root / "b" / "grey-alpha.png", Image.fromarray(noise(20, 21, 2)))
    put(root / "b" / "cmyk.tif", grey.convert("CMYK"))
    put(root / "b" / "palette.gif", grey.convert("P"))
    put(root / "b" / "stack.tif", pages[0], save_all=True, append_images=pages[1:])
    put(root / "b" / "bits.bmp", grey.convert("1"))
    (root / "b" / "12 bits.pgm").write_bytes(
        b"P5 5 4 4095\n" + noise(20, dtype=np.uint16).__rshift__(4).astype(">u2").tobytes()
    )
    (root / "b" / "broken.png").write_bytes(b"none")
    return root


def pictures_of(root: Path) -> dict:
    """The pixels and the levels of the pictures of a folder, by their names."""
    return {
        picture.name: (picture.pixels, picture.levels and tuple(picture.levels))
        for picture in stream_pictures(root)
    }


def decompressed(archive: Path) -> np.ndarray:
    images = nw.decompress(archive.read_bytes())
    assert isinstance(images, np.ndarray)
    return images


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_comes_back_with_its_names_and_pixels(narrows, folder, tmp_path):
    archive, out = tmp_path / "x.nrw", tmp_path / "out"
    found = narrows("compress", folder, "-o", archive)
    assert (found.code, found.out.strip()) == (0, str(archive))
    assert found.err.count("skipped b/broken.png: ") == 1
    assert "15 images, " in found.err
    found = narrows("decompress", archive, "-o", out)
    assert (found.code, found.out.strip()) == (0, str(out))
    changed = {"a/grey.jpg": "a/grey.jpg.png", "a/deep/colour.jpg": "a/deep/colour.png"}
    went = pictures_of(out)
    for name, (pixels, levels) in pictures_of(folder).items():
        same = went[changed.get(name, name)]
        assert (same[0].dtype, same[1]) == (pixels.dtype, levels), name
        np.testing.assert_array_equal(same[0], pixels, name)
    kept = files_in(folder) - {"b/broken.png", *changed}
    assert files_in(out) == kept | set(changed.values())
    for name, other in changed.items():
        assert f"note: {name}: written as {other}, which keeps its pixels as they are" in found.err
    assert Image.open(out / "a" / "profile.png").info["icc_profile"] == b"a profile of colours"
    assert Image.open(out / "b" / "cmyk.tif").mode == "CMYK"


def test_a_pack_comes_back_as_the_folder_that_it_was_made_from(narrows, folder, tmp_path):
    assert narrows("pack", folder, "-o", tmp_path / "x.tar").code == 0
    assert narrows("compress", tmp_path / "x.tar", "-o", tmp_path / "x.nrw").code == 0
    assert narrows("compress", folder, "-o", tmp_path / "y.nrw").code == 0
    assert (tmp_path / "x.nrw").read_bytes() == (tmp_path / "y.nrw").read_bytes()


ARRAYS = {
    "uint8": strokes(9),
    "colour": noise(4, 5, 6, 3),
    "one channel": noise(4, 5, 6, 1),
    "uint16": noise(4, 5, 6, dtype=np.uint16),
    "int16": noise(4, 5, 6, dtype=np.uint16).astype(np.int16),
    "float32": GENERATOR.random((4, 5, 6)).astype(np.float32),
    "float64": GENERATOR.random((4, 5, 6)),
    "bool": GENERATOR.random((4, 5, 6)) > 0.5,
    "table": GENERATOR.random((7, 11)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_in_its_shape_and_type(narrows, tmp_path, name):
    np.save(tmp_path / "in.npy", ARRAYS[name])
    assert narrows("compress", tmp_path / "in.npy", "-o", tmp_path / "x.nrw").code == 0
    for out in ("out.npy", "out.npz"):
        assert narrows("decompress", tmp_path / "x.nrw", "-o", tmp_path / out).code == 0
    once, again = np.load(tmp_path / "out.npy"), np.load(tmp_path / "out.npz")["images"]
    for images in (once, again, decompressed(tmp_path / "x.nrw")):
        assert (images.dtype, images.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        np.testing.assert_array_equal(images, ARRAYS[name])


@pytest.mark.parametrize(
    "name", ["uint8", "colour", "one channel", "uint16", "int16", "float32", "bool"]
)
def test_an_array_becomes_a_folder_of_pictures(narrows, tmp_path, name):
    images = ARRAYS[name]
    np.save(tmp_path / "in.npy", images)
    assert narrows("compress", tmp_path / "in.npy", "-o", tmp_path / "x.nrw").code == 0
    assert narrows("decompress", tmp_path / "x.nrw", "-o", tmp_path / "out").code == 0
    pictures = pictures_of(tmp_path / "out")
    ending = ".tif" if name in ("int16", "float32") else ".png"
    assert sorted(pictures) == [f"{k:05d}{ending}" for k in range(len(images))]
    factor = 255 if name == "bool" else 1
    for (pixels, _), image in zip(pictures.values(), images):
        np.testing.assert_array_equal(pixels, np.squeeze(image) * factor)


@pytest.mark.parametrize("name", ["float64", "table"])
def test_what_no_picture_holds_is_refused(narrows, refused, tmp_path, name):
    np.save(tmp_path / "in.npy", ARRAYS[name])
    assert narrows("compress", tmp_path / "in.npy", "-o", tmp_path / "x.nrw").code == 0
    said = refused(1, "decompress", tmp_path / "x.nrw", "-o", tmp_path / "out")
    assert "is in no format of pictures; write .npy or .npz" in said
    assert not (tmp_path / "out").exists()


def test_mixed_pictures_become_arrays_under_their_names(narrows, refused, folder, tmp_path):
    assert narrows("compress", folder, "-o", tmp_path / "x.nrw").code == 0
    assert narrows("decompress", tmp_path / "x.nrw", "-o", tmp_path / "out.npz").code == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert {"a/grey.jpg", "b/stack.tif#1", "b/stack.tif#3"} <= set(arrays)
        np.testing.assert_array_equal(
            arrays["a/grey.jpg"], np.asarray(Image.open(folder / "a" / "grey.jpg"))
        )
    said = refused(1, "decompress", tmp_path / "x.nrw", "-o", tmp_path / "out.npy")
    assert "several shapes or types; write them as .npz, or as a folder" in said
    said = refused(1, "decompress", tmp_path / "x.nrw", "-o", tmp_path / "out.png")
    assert "holds several pictures; write a folder" in said


def test_one_picture_comes_back_as_one(narrows, refused, folder, tmp_path):
    for name in ("a/grey.png", "b/stack.tif"):
        source, out = folder / name, tmp_path / Path(name).name
        assert narrows("compress", source, "-o", tmp_path / "x.nrw", "--force").code == 0
        assert narrows("decompress", tmp_path / "x.nrw", "-o", out).code == 0
        np.testing.assert_array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(source)))
    said = refused(1, "decompress", tmp_path / "x.nrw", "-o", tmp_path / "y.jpg")
    assert ".jpg would not keep the pixels as they are; use .png, .tif" in said


def test_all_parts_of_a_folder_are_compressed(narrows, tmp_path):
    for name in ("train/a/0.png", "train/b/1.png", "test/a/2.png"):
        put(tmp_path / "in" / name, Image.fromarray(strokes(1)[0]))
    assert narrows("compress", tmp_path / "in", "-o", tmp_path / "x.nrw").code == 0
    assert narrows("decompress", tmp_path / "x.nrw", "-o", tmp_path / "out").code == 0
    assert files_in(tmp_path / "out") == files_in(tmp_path / "in")
    to = ["-o", tmp_path / "y.nrw", "--split", "test"]
    assert narrows("compress", tmp_path / "in", *to).code == 0
    assert narrows("info", tmp_path / "y.nrw", "--json").json()["names"] == "test/a/2.png"


def test_named_sets_and_splits_are_compressed(narrows, tmp_path):
    assert narrows("compress", "digits", "-o", tmp_path / "x.nrw", "--split", "test").code == 0
    images = decompressed(tmp_path / "x.nrw")
    np.testing.assert_array_equal(images, nw.load_data("digits", split="test")[0])


def test_a_pixel_model_is_kept_apart_or_inside_if_that_pays(narrows, refused, tmp_path):
    model, images = categorical(area=18), sparse(60)
    nw.save(model, tmp_path / "m.nrwm")
    np.save(tmp_path / "in.npy", images)
    asked = ["compress", tmp_path / "m.nrwm", tmp_path / "in.npy"]
    found = narrows(*asked, "-o", tmp_path / "x.nrw", "--json")
    assert found.json()["pixel model"] == "none"
    assert "and saves fewer, so the best general compressor is used" in found.err
    apart = narrows(*asked, "-o", tmp_path / "y.nrw", "--apart", "--json").json()
    assert apart["pixel model"] == f"apart, SHA-256 {model.digest.hex()[:32]}..."
    assert narrows("decompress", tmp_path / "x.nrw", "-o", tmp_path / "x.npy").code == 0
    to = ["-o", tmp_path / "y.npy"]
    said = refused(1, "decompress", tmp_path / "y.nrw", *to)
    assert "needs the pixel model of SHA-256" in said
    assert narrows("decompress", tmp_path / "y.nrw", *to, "--model", tmp_path / "m.nrwm").code == 0
    for name in ("x.npy", "y.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / name), images)


def test_a_model_is_trained_on_the_images_if_none_is_given(narrows, tmp_path, monkeypatch):
    asked = []

    def train(images, levels, training):
        asked.append((len(list(images)), levels, training.random_state))
        return categorical(levels or 256, area=18)

    monkeypatch.setattr("narrows.codec.fitting.WORTH", 1000)
    monkeypatch.setattr("narrows.codec.compress.train_pixel_model", train)
    asking = ["compress", "digits", "--seed", "7", "-o", tmp_path / "x.nrw"]
    assert narrows(*asking).code == 0
    assert narrows(*asking, "--levels", "4", "--force").code == 0
    assert asked == [(360, None, 7), (360, 4, 7)]


def test_levels_are_kept_and_reported(narrows, folder, tmp_path):
    source = folder / "a" / "grey.png"
    found = narrows("compress", source, "-o", tmp_path / "x.nrw", "--levels", "4", "--json").json()
    assert (found["mode"], found["grey levels"].partition(" ")[0]) == ("levels", "4")
    assert narrows("decompress", tmp_path / "x.nrw", "-o", tmp_path / "out").code == 0
    pixels = np.asarray(Image.open(tmp_path / "out" / "grey.png"))
    assert len(np.unique(pixels)) == 4
    error = ((pixels - np.asarray(Image.open(source), float)) ** 2).mean()
    assert found["PSNR"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)


@pytest.mark.parametrize("options", [[], ["--levels", "4"], ["--apart"]])
@pytest.mark.parametrize("form", ["folder", "npy", "pack"])
def test_shares_make_the_whole(narrows, folder, tmp_path, form, options):
    nw.save(categorical(4 if "4" in options else 256), tmp_path / "m.nrwm")
    source = tmp_path / "in"
    if form == "npy":
        np.save(tmp_path / "in.npy", sparse(30))
        source = tmp_path / "in.npy"
    for k, image in enumerate(sparse(7)):
        put(tmp_path / "in" / "ab"[k % 2] / f"{k}.png", Image.fromarray(image))
    if form == "pack":
        assert narrows("pack", source, "-o", tmp_path / "in.tar").code == 0
        source = tmp_path / "in.tar"
    asked = ["compress", tmp_path / "m.nrwm", source, *options, "-o"]
    assert narrows(*asked, tmp_path / "whole.nrw").code == 0
    for i in (3, 1, 2):
        assert narrows(*asked, tmp_path / "x.nrw", "--shard", f"{i}/3").code == 0
    found = narrows("merge", tmp_path / "x.nrw", "--remove")
    assert (found.code, found.out.strip()) == (0, str(tmp_path / "x.nrw")), found.err
    assert not list(tmp_path.glob("x-*"))
    model = ["--model", tmp_path / "m.nrwm"] if options == ["--apart"] else []
    for name in ("whole", "x"):
        to = ["-o", tmp_path / f"{name}.npz", *model]
        assert narrows("decompress", tmp_path / f"{name}.nrw", *to).code == 0
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "x.npz").read_bytes()
    facts = [narrows("info", tmp_path / f"{name}.nrw", "--json").json() for name in ("whole", "x")]
    for key in ("images", "names", "mode", "grey levels", "shapes"):
        assert facts[0].get(key) == facts[1].get(key)


def test_codes_of_an_autoencoder_are_kept_and_said_not_to_be_the_pixels(
    narrows, refused, trained, tmp_path
):
    asked = ["compress", trained["pca"], "digits", "-o"]
    found = narrows(*asked, tmp_path / "x.nrw")
    assert found.code == 0
    assert "codes of the autoencoder are kept, not the pixels; --lossless" in found.err
    facts = narrows("info", tmp_path / "x.nrw", "--json").json()
    assert (facts["mode"], facts["shapes"]) == ("code", "360 of 8 x 8 uint8")
    to = ["-o", tmp_path / "x.npy"]
    assert "has codes of an autoencoder" in refused(1, "decompress", tmp_path / "x.nrw", *to)
    assert narrows("decompress", tmp_path / "x.nrw", *to, "--model", trained["pca"]).code == 0
    made, images = np.load(tmp_path / "x.npy"), nw.load_data("digits", split="test")[0]
    again = nw.load(trained["pca"]).reconstruct(images)
    error = [((x.astype(float) - images) ** 2).mean() for x in (made, again)]
    assert error[0] < 1.1 * error[1]
    few = narrows(*asked, tmp_path / "few.nrw", "--target", "2", "--json").json()
    assert few["bytes"] < facts["bytes"]
    exact = [*asked, tmp_path / "exact.nrw", "--lossless"]
    assert "not the pixels" not in narrows(*exact).err
    np.testing.assert_array_equal(decompressed(tmp_path / "exact.nrw"), images)


def test_shares_need_one_pixel_model(refused, trained, tmp_path):
    for model in ([], [trained["pca"]]):
        asked = ["compress", *model, "digits", "-o", tmp_path / "x.nrw", "--shard", "1/2"]
        said = refused(2, *asked)
        assert "expected a pixel model, which all shares use; narrows codec train makes one" in said


def test_an_archive_without_images_is_refused(refused, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"none")
    said = refused(1, "compress", tmp_path / "in", "-o", tmp_path / "x.nrw")
    assert "none of the images in" in said
    assert not (tmp_path / "x.nrw").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["compress", "digits", "-o", "{x}.zip"], 1, "archives are written as .nrw, not as .zip"),
        (["compress", "digits", "-o", "{x}/"], 1, "archives need the name of a file, such as x.nrw"),
        (["compress", "none", "digits", "-o", "{x}.nrw"], 1, "no model file none"),
        (["compress", "digts", "-o", "{x}.nrw"], 2, "did you mean 'digits'?"),
        (["compress", "digits", "-o", "{x}.nrw", "--levels", "1"], 2, "an integer from 2 to"),
        (["compress", "digits", "-o", "{x}.nrw", "--levels", "4", "--lossless"], 2, "expected one of them"),
        (["compress", "digits", "-o", "{x}.nrw", "--apart"], 2, "apart: got True"),
        (["decompress", "none.nrw", "-o", "{x}"], 1, "there is no file none.nrw; expected an archive"),
        (["decompress", __file__, "-o", "{x}"], 1, "this is not an archive of images"),
        (["decompress", "none.nrw", "-o", "{x}.doc"], 1, "not written as .doc"),
        (["decompress", "none.nrw", "-o", "{x}", "--model", "m.nrwm"], 1, "no pixel model m.nrwm"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_reported_and_leaves_nothing(
    refused, tmp_path, arguments, code, said
):
    filled = [word.format(x=tmp_path / "x") for word in arguments]
    assert said in refused(code, *filled)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone_unless_forced(narrows, refused, tmp_path):
    archive, out = tmp_path / "x.nrw", tmp_path / "out"
    archive.write_bytes(b"mine")
    assert "exists already" in refused(1, "compress", "digits", "-o", archive)
    assert archive.read_bytes() == b"mine"
    assert narrows("compress", "digits", "-o", archive, "--force").code == 0
    out.mkdir()
    (out / "00000.png").write_bytes(b"mine")
    assert "exists already" in refused(1, "decompress", archive, "-o", out)
    assert (out / "00000.png").read_bytes() == b"mine"
    assert narrows("decompress", archive, "-o", out, "--force").code == 0
    assert Image.open(out / "00000.png").size == (8, 8)


def archive_of(path: Path, *names: str) -> Path:
    """An archive of that many pictures, under names that nobody checked."""
    extras = Extras()
    for name in names:
        extras.add(name, PictureKind())
    with open(path, "w+b") as file:
        Writer(file).write(strokes(len(names)), extras.to_bytes)
    return path


@pytest.mark.parametrize("name", ["../x.png", "/tmp/x.png", "a/../../x.png", "a//x.png", "."])
def test_names_that_lead_out_are_refused(refused, tmp_path, name):
    archive = archive_of(tmp_path / "x.nrw", "a.png", name)
    said = refused(1, "decompress", archive, "-o", tmp_path / "in" / "out")
    assert "its names are not what they should be" in said
    assert [path.name for path in tmp_path.iterdir()] == ["x.nrw"]


def test_links_that_lead_out_are_not_followed(refused, tmp_path):
    archive = archive_of(tmp_path / "x.nrw", "a/x.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    assert "leads out" in refused(1, "decompress", archive, "-o", tmp_path / "out", "--force")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_another_ending_takes_the_name_of_no_other_picture(narrows, tmp_path):
    names = ["x.jpg", "x.jp2", "x.PNG", "x.jpg.png", "x.bmp"]
    archive = archive_of(tmp_path / "x.nrw", *names)
    assert narrows("decompress", archive, "-o", tmp_path / "out").code == 0
    files = files_in(tmp_path / "out")
    assert len(files) == len(names)
    assert {"x.PNG", "x.jpg.png", "x.jpg.png.png", "x.bmp"} <= files


def test_a_full_disk_leaves_no_archive(refused, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("narrows.codec.archive.write_end", full)
    said = refused(1, "compress", "digits", "-o", tmp_path / "x.nrw")
    assert "nothing was left of it" in said
    assert not (tmp_path / "x.nrw").exists()


HANGS = """
import sys, time
from narrows import files
from narrows.cli import main

publish, left = files.publish, int(sys.argv[1])

def hang(*paths):
    global left
    time.sleep(0 if left else 600)
    left -= 1
    publish(*paths)

files.publish = hang
main(sys.argv[2:])
"""


def killed(count: int, begun: Callable[[], object], *arguments: object) -> None:
    """Run the command line until it would give a file its name after `count` others; kill it when it has
    begun.
    """
    words = [sys.executable, "-c", HANGS, str(count), *map(str, arguments)]
    with subprocess.Popen(words) as process:
        while process.poll() is None and not begun():
            time.sleep(0.01)
        process.kill()


def test_a_killed_compress_leaves_no_archive(tmp_path):
    np.save(tmp_path / "in.npy", strokes(9))
    out = tmp_path / "out" / "x.nrw"
    killed(
        0, lambda: list(out.parent.glob(".narrows-*")), "compress", tmp_path / "in.npy", "-o", out
    )
    assert not out.exists()
    assert all(path.name.startswith(".narrows-") for path in out.parent.iterdir())


def test_a_killed_decompress_leaves_complete_files_only(tmp_path):
    images = noise(9, 20, 20)
    with open(tmp_path / "x.nrw", "w+b") as file:
        Writer(file).write(images)
    out = tmp_path / "out"
    killed(
        4, lambda: len(list(out.glob("0*.png"))) == 4, "decompress", tmp_path / "x.nrw", "-o", out
    )
    files = sorted(path for path in out.iterdir() if not path.name.startswith("."))
    for path, image in zip(files, images[:4], strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
