"""Bytes are counted: numbers times their width, and what stands beside them; and for images, real
files.
"""

import io
import lzma
from copy import copy

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.data import ImageSet
from narrows.study.byte_sizes import BYTES, ERROR, PSNR, RATIO, SSIM, byte_sizes, rounded
from narrows.study.data_split import DataSplit
from narrows.study.trained import Trained


@pytest.fixture
def table(models):
    """A function: the rows for models by their names, by their first cells."""

    def rows(*names: str) -> dict[str, dict]:
        found = byte_sizes({name: models[name] for name in names})
        assert len({row[""] for row in found}) == len(found)
        return {row[""]: row for row in found}

    return rows


def row_of(found: dict, begin: str) -> dict:
    (row,) = [row for name, row in found.items() if name.startswith(begin)]
    return row


# -- codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grey-3", "grey-whole", "colour-vae", "grey-side"])
def test_a_code_takes_its_numbers_times_their_width_and_the_side_bits(models, table, name):
    model = models[name].model
    for form, width in (("float32", 4), ("float16", 2), ("8 bits", 1)):
        row = row_of(table(name), f"{name}: {model.code_size_} numbers as {form}")
        beside = np.ceil(model.side_bits_ / 8)
        assert row[BYTES] == model.code_size_ * width + beside
        assert (f" + {beside:.0f} in a side channel" in row[""]) == (beside > 0)


@pytest.mark.parametrize("name", ["grey-3", "colour-vae"])
def test_the_error_of_a_form_is_that_of_the_images_decoded_from_it(models, sets, table, name):
    model, x = models[name].model, sets[name.split("-")[0]].test.images
    codes, peak = model.transform(x), 255 if x.dtype == np.uint8 else 1
    forms = {"float32": codes, "float16": codes.astype(np.float16), "8 bits": rounded(codes)}
    for form, z in forms.items():
        made = model.inverse_transform(z).astype(np.float64)
        row = row_of(table(name), f"{name}: {model.code_size_} numbers as {form}")
        assert row[ERROR] == pytest.approx(np.mean((made - x) ** 2) / peak**2, rel=1e-5)


@pytest.mark.parametrize("name", ["grey-3", "grey-pca", "colour-vae"])
def test_an_archive_takes_the_bytes_of_its_file_and_gives_back_what_it_says(models, table, name):
    run = models[name]
    images = run.part("test")[0]
    row = row_of(table(name), f"{name}: an archive of {len(images)} test images")
    blob = nw.compress(run.model, images)
    assert row[BYTES] == len(blob) / len(images)
    x, y = run.as_floats(images), run.as_floats(nw.decompress(blob, run.model))
    assert row[ERROR] == pytest.approx(np.mean((x - y) ** 2), rel=1e-5)
    assert row[PSNR] == pytest.approx(10 * np.log10(1 / row[ERROR]))
    assert row[SSIM] == pytest.approx(nw.measure.ssim(x, y, data_range=1.0).mean(), rel=1e-5)


def test_codes_that_no_archive_holds_have_no_row_of_one(table, monkeypatch):
    assert not [name for name in table("grey-side") if "archive" in name]
    assert [name for name in table("grey-3") if "archive" in name]
    monkeypatch.setattr("narrows.codec.codes.MOST_UNITS", 2)
    assert not [name for name in table("grey-3") if "archive" in name]


@pytest.mark.parametrize(("bits", "beside"), [(1, 1), (8, 1), (9, 2), (4992, 624)])
def test_side_bits_take_whole_bytes(models, bits, beside):
    run = Trained("net", copy(models["grey-side"].model), models["grey-side"].split)
    run.model.side_bits_ = bits
    codes = [row for row in byte_sizes({"net": run}) if "numbers as" in row[""]]
    assert [row[BYTES] for row in codes] == [32 * width + beside for width in (4, 2, 1)]


def test_finer_numbers_do_no_harm_to_speak_of(table):
    found = [row[ERROR] for name, row in table("grey-pca").items() if "numbers as" in name]
    assert found == pytest.approx([found[0]] * 3, rel=0.01)


def test_with_a_side_channel_no_error_is_known(table):
    for name, row in table("grey-side").items():
        assert (ERROR in row) == ("numbers as" not in name)


def test_codes_too_large_for_a_float16_are_cut_not_refused(sets):
    grey = sets["grey"]
    table = DataSplit(
        *(ImageSet(part.images.reshape(len(part), -1) / 255.0) for part in (grey.train, grey.test))
    )
    model = nw.PCA(2, image_shape=(8, 8)).fit(table.train.images)
    model.components_ = model.components_ * 1e5
    rows = byte_sizes({"large": Trained("large", model, table)})
    assert all(np.isfinite(row[ERROR]) for row in rows)


# -- rounding --------------------------------------------------------------------------------------


@pytest.fixture
def codes() -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(500, 4)) * [1e-3, 1, 1e3, 0] + [0, -7, 100, 2.5]).astype(np.float32)


def test_rounding_moves_nan_by_more_than_half_a_step(codes):
    step = np.ptp(codes, axis=0) / 255
    assert np.all(np.abs(rounded(codes) - codes) <= step / 2 + 1e-6 * np.abs(codes).max(0))


def test_rounded_units_have_256_values_at_most_and_keep_their_ends(codes):
    found = rounded(codes)
    assert len(np.unique(rounded(np.linspace(-1, 2, 10_000)[:, None]))) == 256
    assert all(len(np.unique(unit)) <= 256 for unit in found.T)
    np.testing.assert_allclose(found.min(0), codes.min(0), rtol=1e-5)
    np.testing.assert_allclose(found.max(0), codes.max(0), rtol=1e-5)
    np.testing.assert_array_equal(found[:, 3], codes[:, 3])  # constant


def test_rounding_twice_changes_nothing_more(codes):
    once = rounded(codes)
    np.testing.assert_allclose(rounded(once), once, rtol=1e-5)


# -- images without loss ---------------------------------------------------------------------------


def test_images_take_their_pixels_or_what_real_files_take(sets, table, tmp_path):
    found, images = table("grey-3"), sets["grey"].test.images
    assert found["raw pixels"][BYTES] == 64
    files = []
    for k, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{k}.png", optimize=True)
        files.append((tmp_path / f"{k}.png").stat().st_size)
    assert found["PNG, each a file"][BYTES] == pytest.approx(np.mean(files))
    xz = lzma.compress(images.tobytes())
    assert found["xz, 40 test images together"][BYTES] == pytest.approx(len(xz) / 40)
    assert [row[ERROR] for name, row in found.items() if "grey-3" not in name] == [0, 0, 0]


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_pngs_hold_all_channels(channels):
    images = ImageSet(np.random.default_rng(0).integers(0, 256, (5, 7, 6, *channels), np.uint8))
    run = Trained("p", nw.PCA(2).fit(images.images), DataSplit(images, images))
    row = row_of({row[""]: row for row in byte_sizes({"p": run})}, "PNG")
    assert row[BYTES] == pytest.approx(np.mean([png(image.squeeze()) for image in images.images]))


def png(image: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", optimize=True)
    np.testing.assert_array_equal(np.asarray(Image.open(file)), image)
    return len(file.getvalue())


def test_floats_are_no_png(table):
    assert not [name for name in table("colour-vae") if name.startswith("PNG")]
    assert table("colour-vae")["raw pixels"][BYTES] == 8 * 8 * 3 * 4


def test_ratios_are_to_the_raw_pixels_of_a_runs_own_images(models):
    for runs in (
        {"grey-3": 64},
        {"grey-3": 64, "colour-vae": 768},
        {"colour-vae": 768, "grey-3": 64},
    ):
        found = byte_sizes({name: models[name] for name in runs})
        for row in found:
            name = row[""].split(":")[0]
            raw = runs.get(name, row[BYTES] * row[RATIO])
            assert row[RATIO] == pytest.approx(raw / row[BYTES])
        assert [row[RATIO] for row in found if row[""].startswith("raw pixels")] == [1] * len(runs)


def test_sets_that_several_runs_share_are_counted_once_and_tables_not_at_all(table):
    assert (
        sum(name.startswith("raw") for name in table("grey-3", "grey-1", "table-ae", "points")) == 1
    )
    assert table("table-ae", "points") == {}
