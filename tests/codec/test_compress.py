"""nw.compress and nw.decompress: images come back as they came, whatever the model and the mode."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.codec import compress as compressing
from narrows.codec import fitting
from narrows.codec.archive import Archive
from narrows.codec.index import APART, INSIDE, NO_MODEL
from narrows.codec.packing import PIXEL_MODEL
from narrows.errors import BuildError, DataError, ImageError, NarrowsWarning, UnknownName
from small_pixel_models import categorical, sparse, strokes

GENERATOR = np.random.default_rng(0)
BATCHES = {
    "grey": strokes(20),
    "colour": GENERATOR.integers(0, 9, (4, 8, 9, 3)).astype(np.uint8),
    "table": GENERATOR.random((9, 7)),
    "deep": GENERATOR.integers(-300, 300, (3, 8, 7)).astype(np.int16),
    "other byte order": GENERATOR.integers(0, 999, (3, 8, 7)).astype(">u2"),
    "not contiguous": strokes(4)[:, ::2, ::-1],
    "bits": GENERATOR.random((5, 9, 9)) > 0.5,
    "list": [*strokes(3), GENERATOR.random((4, 4, 4)), GENERATOR.random((3, 2)) > 0.5],
    "list of one shape": list(strokes(3)),
    "tuple": tuple(strokes(2)),
}


def coder(values=256):
    """A model whose blocks have many images, which takes less time."""
    return categorical(values, area=18)


quietly = pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")


def assert_same(images, others):
    assert type(images) is (np.ndarray if isinstance(others, np.ndarray) else list)
    assert len(images) == len(others)
    for image, other in zip(images, others):
        assert (image.dtype, image.shape) == (other.dtype.newbyteorder("="), other.shape)
        assert (image == other).all()


def index_of(blob, model=None):
    import io

    return Archive(io.BytesIO(blob), model).index


@quietly
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", BATCHES)
def test_compress_round_trip(name, apart):
    model = categorical()
    blob = nw.compress(model, BATCHES[name], apart=apart)
    assert_same(nw.decompress(blob, model if apart else None), BATCHES[name])


@quietly
def test_compress_takes_pictures_and_tensors():
    import torch

    pictures = [Image.fromarray(image) for image in strokes(2)]
    assert_same(nw.decompress(nw.compress(None, pictures)), list(strokes(2)))
    tensor = torch.from_numpy(BATCHES["colour"]).movedim(-1, 1)
    assert_same(nw.decompress(nw.compress(None, tensor)), BATCHES["colour"])


def test_compress_takes_the_path_of_a_model(tmp_path):
    model, images = coder(), sparse(100)
    path = nw.save(model, tmp_path / "m.nrwm")
    assert nw.load(path).digest == model.digest
    blob = nw.compress(path, images, apart=True)
    assert blob == nw.compress(model, images, apart=True)
    assert index_of(blob, model).model == APART
    assert_same(nw.decompress(blob, str(path)), images)
    with pytest.raises(DataError, match=r"there is no pixel model .*n\.nrwm"):
        nw.decompress(blob, tmp_path / "n.nrwm")
    (tmp_path / "n.nrwm").write_bytes(b"none")
    with pytest.raises(DataError, match="not a pixel model"):
        nw.decompress(blob, tmp_path / "n.nrwm")


def test_a_model_goes_inside_only_if_the_archive_is_smaller_with_it():
    model = coder()
    few, many = sparse(6), sparse(600)
    inside = nw.compress(model, many)
    assert index_of(inside).model == INSIDE
    with pytest.warns(NarrowsWarning, match="has .* bytes and saves fewer"):
        without = nw.compress(model, few)
    assert index_of(without).model == NO_MODEL
    apart = nw.compress(model, few, apart=True)
    assert len(apart) < len(without) < len(apart) + len(model.to_bytes())


def test_a_model_that_fits_nothing_is_reported():
    with pytest.warns(NarrowsWarning, match="makes nothing smaller here, so the best general"):
        blob = nw.compress(categorical(), BATCHES["colour"])
    assert_same(nw.decompress(blob), BATCHES["colour"])


@pytest.fixture
def trainer(monkeypatch):
    """Takes the place of training: a model of whatever was asked for, and what that was."""
    asked = []

    def train(images, levels, training):
        first = next(iter(images))
        asked.append((len(list(images)), levels, training.random_state))
        return coder(levels or 256) if first.dtype == np.uint8 and first.ndim == 2 else None

    monkeypatch.setattr(compressing, "train_pixel_model", train)
    monkeypatch.setattr(fitting, "WORTH", 10_000)
    return asked


def test_without_a_model_one_is_trained_on_the_images(trainer):
    images = sparse(600)
    blob = nw.compress(None, images, random_state=3)
    assert trainer == [(600, None, 3)]
    assert index_of(blob).model == INSIDE
    assert {entry.method for entry in index_of(blob).blocks} == {PIXEL_MODEL}
    assert_same(nw.decompress(blob), images)


def test_without_a_model_few_images_are_not_trained_on(trainer):
    with pytest.warns(NarrowsWarning, match="too few pixels for a model of their own"):
        nw.compress(None, strokes(9))
    assert not trainer


def test_images_of_a_type_without_a_model_are_reported(trainer):
    with pytest.warns(NarrowsWarning, match="no pixel model for images of this type"):
        nw.compress(None, GENERATOR.random((20, 40, 40)))


@quietly
@pytest.mark.parametrize("levels", [2, 5, 16, 300])
@pytest.mark.parametrize("name", ["grey", "colour", "deep", "bits", "list of one shape"])
def test_levels_give_each_value_the_nearest_of_a_few(name, levels):
    images = BATCHES[name]
    back = nw.decompress(nw.compress(None, images, levels=levels))
    assert type(back) is type(images)
    given, got = np.array(images), np.array(back)
    assert (got.dtype, got.shape) == (given.dtype, given.shape)
    kept = np.unique(got)
    assert len(kept) <= levels
    off = np.abs(got.astype(float) - given)
    assert (off == np.abs(given[..., None].astype(float) - kept).min(-1)).all()
    if len(np.unique(given)) <= levels:
        assert (got == given).all()


def test_levels_are_coded_by_a_model_of_that_many(trainer):
    images = sparse(600)
    blob = nw.compress(None, images, levels=16)
    assert trainer[0][1] == 16
    assert index_of(blob).model == INSIDE
    with pytest.warns(NarrowsWarning, match=r"of 16 values, not of 4, .* train --levels 4"):
        assert index_of(nw.compress(coder(16), images[:90], levels=4)).model == NO_MODEL
    model = coder(4)
    assert index_of(nw.compress(model, images[:90], levels=4, apart=True), model).model == APART


@quietly
def test_what_does_not_go_together_is_refused():
    images = strokes(2)
    with pytest.raises(UnknownName, match="no mode called 'losless'; did you mean 'lossless'"):
        nw.compress(None, images, mode="losless")
    for options in ({"mode": "levels"}, {"mode": "lossless", "levels": 4}, {"levels": 1}):
        with pytest.raises(BuildError, match="levels: got"):
            nw.compress(None, images, **options)
    with pytest.raises(BuildError, match=r"levels: got 2\.5, expected an integer from 2"):
        nw.compress(None, images, levels=2.5)
    with pytest.raises(BuildError, match="apart: got True, expected a pixel model"):
        nw.compress(None, images, apart=True)
    for nothing in (np.zeros((0, 2, 2), np.uint8), []):
        with pytest.raises(ImageError, match="no images to compress"):
            nw.compress(None, nothing)
    with pytest.raises(ImageError, match="cannot be compressed"):
        nw.compress(None, np.zeros((2, 3, 4), np.int64))


DECODES = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "PIL", "sklearn", "scipy", "msgspec", "rich", "threadpoolctl"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import numpy as np
import narrows as nw

levels, apart = (open(name, "rb").read() for name in sys.argv[1:3])
images = [nw.decompress(levels), nw.decompress(apart, sys.argv[3])]
assert images[0].dtype == np.uint8 and len(np.unique(images[0])) == 4
np.save(sys.argv[4], images[1])
"""


@quietly
def test_decoding_needs_numpy_alone(tmp_path):
    """In a process in which neither torch nor Pillow can be imported."""
    model, images = coder(), sparse(100)
    files = [tmp_path / name for name in ("levels.nrw", "apart.nrw", "m.nrwm", "out.npy")]
    files[0].write_bytes(nw.compress(coder(4), images, levels=4))
    files[1].write_bytes(nw.compress(nw.load(nw.save(model, files[2])), images, apart=True))
    done = subprocess.run([sys.executable, "-c", DECODES, *map(str, files)], check=False)
    assert done.returncode == 0
    assert (np.load(files[3]) == images).all()
