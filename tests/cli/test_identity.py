"""A ramp of 16 bits goes in and comes out of every verb bit for bit, through a model that is the
identity: a law over formats.

What differs between input and output is then a fault of reading, of the working scale, or of
writing. The model is a PCA of 16 x 16 whose components are the unit vectors and whose mean is 0.
"""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

import narrows as nw
from narrows.data import read_data
from narrows.data.readers.image_files import open_pages
from narrows.data.readers.pixels import Page
from narrows.data.save_picture import save_pages
from narrows.levels import LEVELS, Levels, from_unit_values, unit_values
from narrows.model.files import store
from narrows.model.files.onnx import export
from small_files import write_idx

SIDE = 16  # of the model's images
LEVELS_16 = np.arange(2**16)
TWELVE = Levels(0, 4095)
KEPT = ("uint8", "int16", "float32")  # types, of which ONNX takes a second or two each


def of_type(dtype: str, bits: int = 16) -> np.ndarray:
    """All 65,536 levels as values of a type; of one with fewer levels each of them several times."""
    if dtype == "float32":
        return (LEVELS_16 / 65535).astype(np.float32)
    shift = 8 if dtype == "uint8" else 16 - bits
    return ((LEVELS_16 >> shift) + LEVELS[dtype].black).astype(dtype)


def images(dtype: str, bits: int = 16) -> np.ndarray:
    """256 images of the model's size."""
    return of_type(dtype, bits).reshape(-1, SIDE, SIDE)


def picture(dtype: str, channels: int, size: int, bits: int = 16) -> np.ndarray:
    """A picture with levels over all of the range, turned round in further channels."""
    levels = of_type(dtype, bits)
    grey = levels[np.linspace(0, 2**16 - 1, size * size).astype(int)].reshape(size, size)
    planes = [grey, grey[::-1], grey[:, ::-1], grey[::-1, ::-1]][:channels]
    return grey if channels == 1 else np.stack(planes, axis=2)


@pytest.fixture(scope="module")
def identity(tmp_path_factory) -> Path:
    """The model's file. Its threshold is that of an error of 0."""
    model = nw.PCA().fit(np.random.default_rng(0).permutation(images("uint16")))
    size = SIDE * SIDE
    model.components_, model.mean_ = np.eye(size, dtype=np.float32), np.zeros(size, np.float32)
    model.explained_variance_ = np.ones(size, np.float32)
    model.code_size_ = size
    model.thresholds_ = dict.fromkeys(model.thresholds_, 0.0)
    model.threshold_ = 0.0
    return nw.save(model, tmp_path_factory.mktemp("identity") / "identity.safetensors")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("levels", [None, Levels(0, 4095), Levels(-1024, 3071)])
def test_every_level_comes_back_from_units_of_white(dtype, levels):
    values = of_type(dtype)
    if levels and dtype != "float32":
        values = values[(values >= levels.black) & (values <= levels.white)]
        back = from_unit_values(unit_values(values, levels), values.dtype, levels)
        np.testing.assert_array_equal(back, values)
    back = from_unit_values(unit_values(values), values.dtype)
    np.testing.assert_array_equal(back, values)


# -- picture files --------------------------------------------------------------------------------

PICTURES = [  # ending, type, channels, levels
    *[("png", "uint16", channels, None) for channels in (1, 2, 3, 4)],
    *[("tif", "uint16", channels, None) for channels in (1, 2, 3, 4)],
    *[(ending, "uint16", 1, TWELVE) for ending in ("png", "tif", "pgm")],
    *[("tif", dtype, channels, None) for dtype in ("uint8", "int16", "float32") for channels in (1, 3)],
    *[("png", "uint8", channels, None) for channels in (1, 3)],
    *[("pgm", "uint16", 1, None), ("ppm", "uint16", 3, None)],
    *[("pfm", "float32", 1, None), ("pfm", "float32", 3, None)],
]  # fmt: skip


def write(path: Path, dtype: str, channels: int, levels: Levels | None, *sizes: int) -> Path:
    bits = 12 if levels else 16
    pages = [Page(picture(dtype, channels, size, bits), levels) for size in sizes]
    path.parent.mkdir(parents=True, exist_ok=True)
    assert save_pages(pages, path) == ""
    return path


def assert_same_picture(got: Path, expected: Path) -> None:
    for a, b in zip(open_pages(got), open_pages(expected), strict=True):
        assert (a.pixels.dtype, a.levels) == (b.pixels.dtype, b.levels)
        if a.pixels.dtype != np.float32:
            np.testing.assert_array_equal(a.pixels, b.pixels)
        else:  # tiles are joined by their weights, in float32
            np.testing.assert_array_equal(np.rint(a.pixels * 65535), np.rint(b.pixels * 65535))
            np.testing.assert_allclose(a.pixels, b.pixels, atol=3e-7)


@pytest.mark.parametrize(("ending", "dtype", "channels", "levels"), PICTURES)
@pytest.mark.parametrize("verb", ["reconstruct", pytest.param("denoise", marks=pytest.mark.slow)])
def test_a_ramp_comes_back_from_a_picture(
    narrows, identity, tmp_path, verb, ending, dtype, channels, levels
):
    """In the model's own size, and in tiles."""
    for name, size in (("own", SIDE), ("tiles", 40)):
        write(tmp_path / "in" / f"{name}.{ending}", dtype, channels, levels, size)
    done = narrows(verb, identity, tmp_path / "in", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    for name in ("own", "tiles"):
        file = f"{name}.{ending}"
        assert_same_picture(tmp_path / "out" / file, tmp_path / "in" / file)


@pytest.mark.parametrize(("ending", "dtype", "channels", "levels"), PICTURES)
def test_scores_and_maps_of_a_ramp_are_0(
    narrows, identity, tmp_path, ending, dtype, channels, levels
):
    for name, size in (("own", SIDE), ("tiles", 40)):
        write(tmp_path / "in" / f"{name}.{ending}", dtype, channels, levels, size)
    out, maps = tmp_path / "scores.csv", tmp_path / "maps"
    done = narrows("score", identity, tmp_path / "in", "-o", out, "--maps", maps)
    assert done.code == 0, done.err
    rows = [line.split(",") for line in out.read_text().splitlines()[1:]]
    assert len(rows) == 2
    assert {(float(score), flagged) for _, score, flagged, _ in rows} == {(0.0, "0")}
    (drawn,) = open_pages(maps / "tiles.png")
    assert np.ptp(drawn.pixels, axis=2).max() <= 1  # grey, since there is no error


def test_all_levels_come_back_from_tiles(narrows, identity, tmp_path):
    write(tmp_path / "in.png", "uint16", 1, None, 256)
    assert narrows("denoise", identity, tmp_path / "in.png", "-o", tmp_path / "out.png").code == 0
    assert_same_picture(tmp_path / "out.png", tmp_path / "in.png")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_a_stack_comes_back_as_a_stack(narrows, identity, tmp_path, dtype):
    write(tmp_path / "in.tif", dtype, 1, None, SIDE, SIDE, SIDE)
    assert narrows("denoise", identity, tmp_path / "in.tif", "-o", tmp_path / "out.tif").code == 0
    assert_same_picture(tmp_path / "out.tif", tmp_path / "in.tif")


@pytest.mark.parametrize("output", ["out", "out.npy", "out.npz"])
def test_shares_of_a_ramp_are_merged_to_the_ramp(narrows, identity, tmp_path, output):
    for k, page in enumerate(images("uint16")[::32]):
        (tmp_path / "in").mkdir(exist_ok=True)
        save_pages([Page(page)], tmp_path / "in" / f"{k}.png")
    out = tmp_path / output
    for share in ("1/3", "2/3", "3/3"):
        done = narrows("reconstruct", identity, tmp_path / "in", "-o", out, "--shard", share)
        assert done.code == 0, done.err
    assert narrows("merge", out).code == 0
    np.testing.assert_array_equal(read_data(out, "all").images, images("uint16")[::32])


# -- sets -----------------------------------------------------------------------------------------


def tar_of(folder: Path, values: np.ndarray) -> Path:
    with tarfile.open(folder / "set.tar", "w") as tar:
        for k, pixels in enumerate(values[:32]):
            save_pages([Page(pixels)], folder / f"{k:03d}.tif")
            tar.add(folder / f"{k:03d}.tif", f"{k:03d}.tif")
    return folder / "set.tar"


def hdf5_of(folder: Path, values: np.ndarray) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "set.h5", "w") as file:
        file.create_dataset("images", data=values, chunks=(7, SIDE, SIDE), compression="gzip")
    return folder / "set.h5"


def zarr_of(folder: Path, values: np.ndarray) -> Path:
    zarr = pytest.importorskip("zarr")
    zarr.save_group(str(folder / "set.zarr"), images=values)
    return folder / "set.zarr"


def csv_of(folder: Path, values: np.ndarray) -> Path:
    rows = values.reshape(len(values), -1)
    np.savetxt(folder / "set.csv", rows, "%.9g" if rows.dtype.kind == "f" else "%d", ",")
    return folder / "set.csv"


def parquet_of(folder: Path, values: np.ndarray) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"bytes": tiff_of(pixels, folder), "path": None} for pixels in values[:32]]
    parquet.write_table(pyarrow.table({"image": rows}), folder / "set.parquet")
    return folder / "set.parquet"


def tiff_of(pixels: np.ndarray, folder: Path) -> bytes:
    save_pages([Page(pixels)], folder / "a.tif")
    return (folder / "a.tif").read_bytes()


def saved(name: str, save):
    """A writer of a set: `save(file, values)`."""

    def write_set(folder: Path, values: np.ndarray) -> Path:
        content = io.BytesIO()
        save(content, values)
        (folder / name).write_bytes(content.getvalue())
        return folder / name

    return write_set


DEEP = ("uint16", "int16", "float32")
SETS = {
    "npy": (saved("set.npy", np.save), ("uint8", *DEEP)),
    "npz": (saved("set.npz", lambda file, x: np.savez_compressed(file, images=x)), DEEP),
    "idx": (lambda folder, x: write_idx(folder / "set-images-idx3", x), ("int16", "float32")),
    "mat": (saved("set.mat", lambda file, x: savemat(file, {"images": x})), DEEP),
    "pickle": (saved("set.pkl", lambda file, x: pickle.dump({"images": x}, file)), DEEP),
    "torch": (saved("set.pt", lambda file, x: torch.save(torch.tensor(x), file)), DEEP),
    "csv": (csv_of, ("uint16", "float32")),
    "hdf5": (hdf5_of, DEEP),
    "zarr": (zarr_of, DEEP),
    "parquet": (parquet_of, DEEP),
    "tar": (tar_of, DEEP),
}


@pytest.mark.parametrize(
    ("kind", "dtype"), [(kind, dtype) for kind, (_, dtypes) in SETS.items() for dtype in dtypes]
)
def test_a_ramp_comes_back_from_a_set(narrows, identity, tmp_path, kind, dtype):
    """As an array, and, in its own type, as codes that are decoded again."""
    values = images(dtype)[:: 4 if kind in ("tar", "parquet") else 1]
    path = SETS[kind][0](tmp_path, values)
    done = narrows("reconstruct", identity, path, "-o", tmp_path / "out.npy")
    assert done.code == 0, done.err
    back = np.load(tmp_path / "out.npy")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, values[: len(back)])
    done = narrows("encode", identity, path, "-o", tmp_path / "codes.npz")
    assert done.code == 0, done.err
    assert narrows("decode", identity, tmp_path / "codes.npz", "-o", tmp_path / "a.npy").code == 0
    decoded = np.load(tmp_path / "a.npy").astype(np.float64)  # in the type of the model
    of_model, of_set = LEVELS["uint16"], LEVELS[dtype]
    unit = (back - np.float64(of_set.black)) / of_set.span
    np.testing.assert_array_equal(decoded, np.rint(unit * of_model.span + of_model.black))
    done = narrows("score", identity, path, "-o", tmp_path / "s.csv")
    assert done.code == 0, done.err
    assert f"0 of {len(back)} images score above 0\n" in done.err


@pytest.mark.parametrize("output", ["out", "out.npz", "out.npy"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_ramp_of_an_array_is_written_in_every_form(narrows, identity, tmp_path, output, dtype):
    np.save(tmp_path / "in.npy", images(dtype)[::8])
    out = tmp_path / output
    assert narrows("reconstruct", identity, tmp_path / "in.npy", "-o", out).code == 0
    np.testing.assert_array_equal(read_data(out, "all").images, images(dtype)[::8])


# -- the model elsewhere --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint16", *KEPT])
def test_an_exported_identity_gives_the_ramp(identity, tmp_path, dtype):
    """In units of white, with the levels that its metadata says."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = export(store.load(identity), tmp_path / "m.onnx", dtype=dtype)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    values = images(dtype)
    unit, _, score, flagged = session.run(None, {"images": values})
    black, white = float(about["black"]), float(about["white"])
    assert (black, white) == LEVELS[dtype]
    back = unit * np.float32(white - black) + np.float32(black)
    if dtype != "float32":
        back = np.rint(back)
    np.testing.assert_array_equal(back, values)
    assert not score.any()
    assert not flagged.any()


def test_an_identity_measures_no_error(identity):
    measures = nw.evaluate(store.load(identity), images("uint16"))
    assert measures["mse"] == 0
    assert np.isinf(measures["psnr"])


def in_units(file: Path) -> np.ndarray:
    pages = list(open_pages(file))
    return np.stack([unit_values(page.pixels, page.levels) for page in pages])


@pytest.mark.parametrize("levels", [(0, 4095), (100, 3000)])
def test_white_is_white_in_every_picture_that_a_model_with_its_own_levels_makes(
    narrows, tmp_path, levels
):
    """White is 4095 of 65535: the same picture as of 8 bits, not one that is 16 times too dark."""
    black, white = levels
    values = np.linspace(black, white, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
    stack = np.stack([np.roll(values, k, 0) for k in range(SIDE)])
    run = nw.save(nw.PCA(levels=levels).fit(stack), tmp_path / "m.safetensors")
    np.save(tmp_path / "in.npy", stack)
    assert narrows("encode", run, tmp_path / "in.npy", "-o", tmp_path / "codes.npy").code == 0
    write(tmp_path / "a.png", "uint16", 1, TWELVE, SIDE)
    for words, output in (
        (("sample", run, "-n", 9), "grid.png"),
        (("decode", run, tmp_path / "codes.npy"), "sheet.png"),
        (("decode", run, tmp_path / "codes.npy"), "folder"),
        (("interpolate", run, tmp_path / "a.png", tmp_path / "a.png"), "path.png"),
        (("reconstruct", run, tmp_path / "in.npy"), "again.png"),
        (("reconstruct", run, tmp_path / "in.npy"), "each"),
    ):
        done = narrows(*words, "-o", tmp_path / output)
        assert done.code == 0, done.err
    for made in ("grid.png", "sheet.png", "path.png", "again.png"):
        assert in_units(tmp_path / made).max() == 1
    for folder in ("folder", "each"):
        (unit,) = in_units(tmp_path / folder / "00000.png")
        np.testing.assert_allclose(unit, unit_values(stack[0], Levels(*levels)), atol=1e-3)
