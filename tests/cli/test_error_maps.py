"""score --maps: the error of each picture, in colours that mean the same in all of them."""

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.draw.overlay import overlay
from narrows.model.files import store
from narrows.model.use.error_maps import sample_of

DIGITS = nw.load_data("digits", split="test")[0]


def write(folder, **images):
    for name, image in images.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.fixture
def mapped(narrows, trained, tmp_path):
    """Score pictures, and what was printed; their maps are in maps/."""

    def call(images, *options):
        asked = ("score", trained["pca"], images, "-o", tmp_path / "s.csv", "--force")
        found = narrows(*asked, "--maps", tmp_path / "maps", *options)
        assert found.code == 0, found.err
        return found

    return call


def read(path):
    return np.asarray(Image.open(path))


def test_error_maps_are_overlays_of_one_scale(mapped, trained, tmp_path):
    odd = DIGITS[0].copy()
    odd[0, 0] = 255
    images = write(tmp_path / "in", a_png=odd, b_png=DIGITS[1], c_png=np.tile(odd, (3, 2)))
    found = mapped(images)
    model = store.load(trained["pca"])
    errors = np.sqrt(model.error_map(np.stack([odd, DIGITS[1]])))
    large = nw.model.use.tiles.error_map(model, np.tile(odd, (3, 2))[None])[0] ** 0.5
    pixels = np.sort(np.concatenate([errors.ravel(), large.ravel()]))
    scale = pixels[int(np.ceil(0.999 * len(pixels))) - 1]
    assert f"full colour is an error of {scale:.3g} or more" in found.err
    for name, image, error in zip("ab", (odd, DIGITS[1]), errors):
        expected = overlay(image / 255, error, scale)
        np.testing.assert_allclose(read(tmp_path / f"maps/{name}.png"), expected, atol=1)
    assert read(tmp_path / "maps/c.png").shape == (24, 16, 3)
    assert files_in(tmp_path / "maps") == ["a.png", "b.png", "c.png", "scale.png"]


def test_error_maps_have_the_names_of_their_pictures(mapped, tmp_path):
    images = write(tmp_path / "in", a__x_png=DIGITS[0], a__x_bmp=DIGITS[1], b__y_bmp=DIGITS[2])
    mapped(images)
    assert files_in(tmp_path / "maps") == ["a/x.bmp.png", "a/x.png.png", "b/y.png", "scale.png"]
    assert (read(tmp_path / "maps/a/x.bmp.png") != read(tmp_path / "maps/a/x.png.png")).any()


def test_error_maps_of_a_stack_in_a_folder_of_a_class(mapped, tmp_path):
    pages = [Image.fromarray(image) for image in DIGITS[:3]]
    images = write(tmp_path / "in", a__x_png=DIGITS[0], b__y_png=DIGITS[1])
    pages[0].save(images / "b/z.tif", save_all=True, append_images=pages[1:])
    found = mapped(images, "--normal", "a", "--json")
    assert [row["images"] for row in found.json()[0]["classes"]] == [1, 4]
    maps = ["a/x.png", "b/y.png", "b/z#1.png", "b/z#2.png", "b/z#3.png", "scale.png"]
    assert files_in(tmp_path / "maps") == maps


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_error_maps_show_pictures_through_their_levels(mapped, tmp_path, kind):
    """The same picture in 8 bits, in 16 and in floats has the same map."""
    deep = {
        "uint16": DIGITS[0].astype(np.uint16) * 257,
        "float32": DIGITS[0].astype(np.float32) / 255,
    }
    ending = {"uint16": "png", "float32": "tif"}[kind]
    mapped(write(tmp_path / "in", a_png=DIGITS[0], **{f"b_{ending}": deep[kind]}))
    a, b = (read(tmp_path / f"maps/{name}.png").astype(int) for name in "ab")
    assert abs(a - b).max() <= 1
    assert np.ptp(b) > 100


def test_error_maps_of_colours_and_alpha_are_maps_of_their_grey(mapped, tmp_path):
    grey = DIGITS[0]
    opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    mapped(write(tmp_path / "in", a_png=grey, b_png=opaque))
    a, b = (read(tmp_path / f"maps/{name}.png").astype(int) for name in "ab")
    assert abs(a - b).max() <= 1


def test_error_maps_never_replace_pictures(refused, trained, tmp_path):
    images = write(tmp_path / "in", a_png=DIGITS[0])
    before = (images / "a.png").read_bytes()
    for asked in (images, images / "a.png"):
        options = ("-o", tmp_path / "s.csv", "--maps", images, "--force")
        said = refused(2, "score", trained["pca"], asked, *options)
        assert "a.png is a picture" in said
    assert (images / "a.png").read_bytes() == before
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(("count", "step"), [(0, 1), (1, 1), (256, 1), (257, 2), (1000, 4)])
def test_the_sample_that_sets_the_scale_is_spread_evenly(count, step):
    sample = sample_of(range(count))
    assert sample == range(0, count, step)
    assert len(sample) <= 256
