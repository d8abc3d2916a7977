"""Codes as integers: as short as their entropy, and never others; images from them."""

from io import BytesIO

import numpy as np
import pytest

import narrows as nw
from narrows.codec.archive import Archive
from narrows.codec.codes import CodesHead, as_integers, code_tables, steps_of
from narrows.codec.rans import Decoder, Encoder
from narrows.codec.wavefront import Wavefront
from narrows.errors import BuildError, DataError, ImageError

GENERATOR = np.random.default_rng(0)
CODES = {
    "normal": GENERATOR.normal(0, [1, 3, 0.01], (4000, 3)).astype(np.float32),
    "integers": GENERATOR.integers(-3, 9, (50, 2)).astype(np.float32),
    "constant": np.full((20, 2), 1.5, np.float32),
    "one": np.array([[0.25, -7.5]], np.float32),
}


def head_of(codes, share=0.5):
    step, offset = steps_of(codes, share)
    integers = as_integers(codes, step, offset)
    tensors, options = code_tables(integers, step, offset)
    return CodesHead(tensors, options), (integers - tensors["low"]).astype(np.uint16)


def coded(head, symbols):
    wave = Wavefront([(1, symbols.shape[1])] * len(symbols), head.radius)
    encoder = Encoder()
    head.encode(wave, wave.lay_out(list(symbols[:, None, :, None])), encoder)
    return wave, encoder


@pytest.mark.parametrize("name", CODES)
def test_symbols_of_codes_round_trip(name):
    head, symbols = head_of(CODES[name])
    wave, encoder = coded(head, symbols)
    flat, decoder = np.zeros((wave.length, 1), np.uint16), Decoder(encoder.finish(4), 4)
    head.decode(wave, flat, decoder)
    decoder.finish()
    assert all((view[0, :, 0] == row).all() for view, row in zip(wave.views(flat), symbols))


@pytest.mark.parametrize("name", CODES)
def test_codes_come_back_within_half_a_step(name):
    head, symbols = head_of(CODES[name])
    error = np.abs(head.codes(symbols) - CODES[name])
    assert (error <= head.step / 2 * 1.001 + 1e-6).all()
    assert name != "integers" or not error.any()


def test_codes_take_their_entropy():
    head, symbols = head_of(CODES["normal"])
    bits = 0.0
    for unit in symbols.T:
        p = np.unique(unit, return_counts=True)[1] / len(unit)
        bits -= len(unit) * (p * np.log2(p)).sum()
    assert bits <= coded(head, symbols)[1].bits() <= bits * 1.005


def test_codes_with_too_many_values_or_that_are_not_finite_are_refused():
    with pytest.raises(ImageError, match="up to 9,001 values"):
        head_of(np.array([[0.0], [9000.0]], np.float32))
    for bad in (np.nan, np.inf, 1e30):
        with pytest.raises(ImageError, match="not finite"):
            as_integers(np.array([[bad]], np.float32), np.ones(1), np.zeros(1))


# -- images ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return nw.load_data("digits")[0][:300]


@pytest.fixture(scope="module", params=["plain", "rounded", "variational", "pca"])
def model(request, digits):
    if request.param == "pca":
        return nw.PCA(10).fit(digits)
    body = {"kind": "mlp", "widths": [32]}
    code = {"kind": request.param, "size": 10}
    return nw.Autoencoder(body=body, bottleneck=code, epochs=3, random_state=0).fit(digits)


def error(made, images):
    return np.square(made.astype(float) - images).mean()


def test_compressed_codes_give_what_the_decoder_makes(model, digits, tmp_path):
    blob = nw.compress(model, digits)
    made = nw.decompress(blob, model)
    assert (made.dtype, made.shape) == (digits.dtype, digits.shape)
    assert error(made, digits) <= 1.06 * error(model.reconstruct(digits), digits)
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    assert (nw.decompress(blob, again) == made).all()
    assert (nw.decompress(blob, tmp_path / "m.safetensors") == made).all()


@pytest.mark.parametrize("count", [1, 2, 9])
def test_codes_of_few_images_come_back_however_they_are_packed(digits, count):
    model = nw.PCA(2).fit(digits)
    made = np.asarray(nw.decompress(nw.compress(model, digits[:count]), model))
    assert made.shape == digits[:count].shape


def test_codes_of_integers_are_kept_as_they_are_without_a_search(digits):
    code = {"kind": "rounded", "size": 6}
    model = nw.Autoencoder(bottleneck=code, epochs=2, random_state=0).fit(digits)
    blob = nw.compress(model, digits, search=0)
    assert (nw.decompress(blob, model) == model.reconstruct(digits)).all()
    with pytest.raises(BuildError, match="of integers already"):
        nw.compress(model, digits, target=3)


def test_codes_take_the_target_bytes(digits):
    model = nw.PCA(12).fit(digits)
    sizes = []
    for target in (2, 5, 9):
        index = Archive(BytesIO(nw.compress(model, digits, target=target))).index
        sizes.append(sum(entry.length for entry in index.blocks) / len(digits))
        assert sizes[-1] < target + 0.2
    assert sizes == sorted(set(sizes))
    with pytest.raises(BuildError, match="at least"):
        nw.compress(model, digits, target=0.001)


def test_codes_need_their_own_autoencoder(digits):
    model, other = nw.PCA(3).fit(digits), nw.PCA(3).fit(digits[:200])
    blob = nw.compress(model, digits)
    for wrong in (None, other):
        with pytest.raises(DataError, match="codes of an autoencoder"):
            nw.decompress(blob, wrong)


def test_codes_refuse_images_of_several_sizes_and_models_with_a_side_channel(digits):
    with pytest.raises(ImageError, match="of one size and type"):
        nw.compress(nw.PCA(3).fit(digits), [digits[0], digits[1][:4]])
    body = {"kind": "conv", "channels": [2], "stages": "pooled"}
    unpool = nw.Autoencoder(
        body=body, up="unpool", bottleneck={"kind": "plain", "size": None}, epochs=1
    )
    with pytest.raises(BuildError, match="side channel"):
        nw.compress(unpool.fit(digits), digits)
