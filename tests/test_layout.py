"""Laws of images: every form goes in and comes back; what no model can use is refused, all faults at once."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from narrows import layout as layout_module
from narrows.errors import ImageError, UnknownName
from narrows.image_batches import VALUES, ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import WHITE_LEVELS, Layout, contact_sheet, validate_images
from narrows.scale import FIXED_SCALES, SCALES, choose_scale, to_unit, to_user

FORMS = [(12,), (5, 9), (1, 1), (4, 3, 1), (4, 3, 2), (5, 7, 3), (2, 2, 4)]


def some(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Images of that type in its range; floats are multiples of 1/256, which float32 holds on any scale."""
    random = np.random.default_rng(seed)
    high = {"uint8": 256, "uint16": 65536, "bool": 2}.get(dtype, 257)
    values = random.integers(0, high, shape)
    return (values / 256 if dtype.startswith("f") else values).astype(dtype)


def there_and_back(X: np.ndarray, scale="unit", image_shape=None) -> np.ndarray:
    array, layout = as_images(X, image_shape)
    scale = choose_scale(scale, array, layout)
    pixels = ImageBatches(array, layout, scale)
    return to_user(scale.unit(pixels.batch(slice(None))), layout)


def refusal(X, ranged=True, **options) -> str:
    with pytest.raises(ImageError) as caught:
        validate_images(*as_images(X), ranged, **options)
    return str(caught.value)


@pytest.mark.parametrize("scale", FIXED_SCALES)
@pytest.mark.parametrize("dtype", WHITE_LEVELS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_and_type_comes_back_as_it_came(form, dtype, scale):
    X = some(dtype, 6, *form)
    back = there_and_back(X, scale)
    assert back.dtype == X.dtype
    np.testing.assert_array_equal(back, X)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("scale", FIXED_SCALES)
def test_every_whole_value_survives(dtype, scale):
    X = np.arange(WHITE_LEVELS[dtype] + 1, dtype=dtype).reshape(1, 16, -1)
    np.testing.assert_array_equal(there_and_back(X, scale), X)


@pytest.mark.parametrize("dtype", WHITE_LEVELS)
def test_a_batch_is_channels_first_float32_on_the_working_scale(dtype):
    X = some(dtype, 6, 5, 7, 3)
    for name, (low, high) in {"unit": (0, 1), "symmetric": (-1, 1)}.items():
        batch = ImageBatches(*as_images(X), FIXED_SCALES[name]).batch(torch.tensor([4, 1]))
        assert batch.dtype == torch.float32
        expected = X[[4, 1]].transpose(0, 3, 1, 2) / WHITE_LEVELS[dtype] * (high - low) + low
        np.testing.assert_allclose(batch, expected, atol=1e-6)
        assert FIXED_SCALES[name].range == (low, high)


def test_a_table_with_an_image_shape_is_read_as_images():
    X = some("uint8", 6, 60)
    array, layout = as_images(X, (5, 4, 3))
    batch = ImageBatches(array, layout, FIXED_SCALES["unit"]).batch(slice(None))
    np.testing.assert_array_equal((batch * 255).round(), X.reshape(6, 5, 4, 3).transpose(0, 3, 1, 2))
    assert (layout.chw, layout.is_table) == ((3, 5, 4), False)
    np.testing.assert_array_equal(there_and_back(X, image_shape=(5, 4, 3)), X)


def test_a_table_is_one_row_of_values():
    array, layout = as_images(some("float64", 6, 60))
    assert layout.is_table
    assert ImageBatches(array, layout, FIXED_SCALES["unit"]).batch(slice(2)).shape == (2, 1, 1, 60)


def test_whole_numbers_in_a_table_are_read_as_floats():
    array, layout = as_images(np.array([[1, -2], [300, 4]]))
    assert (array.dtype, layout.dtype) == (np.float64, "float64")


@pytest.mark.parametrize("dtype", WHITE_LEVELS)
@pytest.mark.parametrize("how", ["read-only", "negative strides", "transposed", "big-endian", "list", "nested list"])
def test_arrays_of_any_make(dtype, how):
    X = some(dtype, 6, 5, 7)
    if how == "read-only":
        X.setflags(write=False)
    made = {
        "negative strides": X[::-1, :, ::-1],
        "transposed": X.transpose(0, 2, 1),
        "big-endian": X.astype(X.dtype.newbyteorder(">")),
        "list": list(X),
        "nested list": X.tolist() if dtype in ("float64", "bool") else list(X),
    }.get(how, X)
    before = np.array(made)
    back = there_and_back(made)
    np.testing.assert_array_equal(back, before)
    np.testing.assert_array_equal(made, before)
    assert back.dtype == np.dtype(dtype)


def test_a_tensor_is_taken_whether_or_not_it_carries_a_gradient():
    x = torch.rand(3, 4, 4, requires_grad=True, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(there_and_back(x), x.detach().numpy())


class Items(Dataset):
    """A data set of torch: what `make` gives for a number."""

    def __init__(self, count, make):
        self.count, self.make = count, make

    def __len__(self):
        return self.count

    def __getitem__(self, k):
        return self.make(k)


@pytest.mark.parametrize("form", [(5, 9), (5, 9, 2), (5, 9, 3), (5, 9, 4)], ids=str)
def test_pictures_are_their_pixels(form):
    X = some("uint8", 6, *form)
    np.testing.assert_array_equal(as_images([Image.fromarray(x) for x in X])[0], X)


def test_pictures_of_other_kinds_become_grey_or_colour_and_stand_upright():
    colour = Image.fromarray(some("uint8", 8, 6, 3))
    turned = colour.copy()
    turned.getexif()[0x0112] = 3  # upside down
    for picture, expected in (
        (colour.convert("P"), colour.convert("P").convert("RGB")),
        (colour.convert("CMYK"), colour.convert("CMYK").convert("RGB")),
        (colour.convert("1"), colour.convert("1").convert("L")),
        (turned, colour.rotate(180)),
        (Image.fromarray(some("uint16", 8, 6)), Image.fromarray(some("uint16", 8, 6))),
    ):
        np.testing.assert_array_equal(as_images([picture])[0], np.asarray(expected)[None])
    see_through = colour.convert("P")
    see_through.info["transparency"] = 0
    assert as_images([see_through])[0].shape == (1, 8, 6, 4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tensors_with_their_channels_first_are_turned(channels):
    X = some("float32", 6, 5, 7, channels)
    first = torch.from_numpy(X).permute(0, 3, 1, 2)
    for given in (first, list(first), Items(6, lambda k: first[k]), Items(6, lambda k: (first[k], 3))):
        np.testing.assert_array_equal(as_images(given)[0], X)
    np.testing.assert_array_equal(as_images(torch.from_numpy(X))[0], X)  # and others stay as they are


def test_a_tensor_that_can_be_read_both_ways_is_refused():
    with pytest.raises(ImageError, match=r"shape \(6, 3, 4, 4\) may have its channels first or last; pass an array"):
        as_images(torch.zeros(6, 3, 4, 4))
    assert as_images(np.zeros((6, 3, 4, 4)))[1].image == (3, 4, 4)


def test_a_data_set_of_any_items_is_an_array():
    X = some("uint8", 6, 5, 9)
    for make in (lambda k: X[k], lambda k: [Image.fromarray(X[k]), "a"], lambda k: torch.from_numpy(X[k])):
        np.testing.assert_array_equal(as_images(Items(6, make))[0], X)
    np.testing.assert_array_equal(as_images(TensorDataset(torch.from_numpy(X), torch.arange(6)))[0], X)


class Endless(IterableDataset):
    """A data set without a length."""

    def __iter__(self):
        yield np.zeros((2, 2))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Image.new("L", (5, 5)), r"got one object of type Image, .*; pass the images \[x\] of one image x"),
        (DataLoader(Items(3, np.zeros)), "got one object of type DataLoader, .*; pass its .dataset"),
        (Endless(), r"this data set \(Endless\) has no length, or no images; expected 1"),
        (Items(0, np.zeros), r"this data set \(Items\) has no length, or no images"),
        (Items(3, lambda k: np.zeros((k + 1, 2))), r"the first is .*\(1, 2\)\), number 1 is .*\(2, 2\)\)"),
        (Items(3, lambda k: {"image": 1}), "of type object"),
        ([Image.new("L", (5, 5)), Image.new("RGB", (5, 5))], r"2 different shapes: 5x5 \(1\), 5x5x3 \(1\)"),
    ],
)  # fmt: skip
def test_pictures_and_data_sets_that_make_no_batch_are_refused(given, told):
    with pytest.raises(ImageError, match=told):
        as_images(given)


def test_memory_is_shared_where_it_can_be():
    X = some("uint8", 6, 5, 7)
    assert ImageBatches(*as_images(X), FIXED_SCALES["unit"]).raw.data_ptr() == X.ctypes.data


def test_a_part_has_some_of_the_images_in_the_same_memory():
    X = some("uint8", 9, 5, 7)
    whole = ImageBatches(*as_images(X), FIXED_SCALES["symmetric"])
    part = whole.part(torch.tensor([7, 2, 5, 0]))
    assert (len(whole), len(part)) == (9, 4)
    assert part.raw.data_ptr() == X.ctypes.data
    assert torch.equal(part.batch(slice(1, 3)), whole.batch(torch.tensor([2, 5])))
    assert torch.equal(part.batch(torch.tensor([3, 0])), whole.batch(torch.tensor([0, 7])))
    assert [len(part.batch(rows)) for rows in part.batches()] == [4]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_level_lies_in_the_range_and_comes_back(dtype):
    levels = np.arange(WHITE_LEVELS[dtype] + 1, dtype=dtype)[:, None, None]
    array, layout = as_images(levels)
    unit = ImageBatches(array, layout, FIXED_SCALES["unit"]).batch(slice(None))
    assert (unit.min().item(), unit.max().item()) == (0.0, 1.0)
    np.testing.assert_allclose(unit.numpy().ravel(), levels.ravel() / WHITE_LEVELS[dtype], rtol=2e-7)
    np.testing.assert_array_equal(to_user(unit, layout), levels)


def test_a_memory_map_stays_on_the_disk(tmp_path):
    np.save(tmp_path / "x.npy", some("uint16", 50, 4, 4))
    stored = np.load(tmp_path / "x.npy", mmap_mode="r")
    pixels = ImageBatches(*as_images(stored), FIXED_SCALES["unit"])
    assert pixels.raw.data_ptr() == stored.ctypes.data
    assert torch.equal(pixels.batch(torch.tensor([3, 1])), pixels.batch(slice(None))[[3, 1]])


@pytest.mark.parametrize(
    ("values", "widest", "step"), [(12, 0, 3), (15, 3, 3), (3, 0, 1), (10**6, 0, 1000), (12, 6, 2), (12, 99, 1)]
)
def test_batches_cover_the_set_in_order_and_are_smaller_for_large_images_and_wide_layers(
    monkeypatch, values, widest, step
):
    monkeypatch.setitem(VALUES, "cpu", values)
    pixels = ImageBatches(*as_images(some("uint8", 2, 2, 2)), FIXED_SCALES["unit"])
    pixels.raw = torch.zeros(7, 2, 2)
    assert pixels.step(widest) == step
    rows = pixels.batches(widest)
    assert [i for r in rows for i in range(7)[r]] == list(range(7))
    assert all(r.stop - r.start == step for r in rows[:-1])


@pytest.mark.parametrize(
    ("dtype", "values", "given"),
    [
        ("uint8", [-0.5, 0.4999 / 255, 0.5001 / 255, 2.0], [0, 0, 1, 255]),
        ("uint16", [-0.5, 0.25, 1.0, 2.0], [0, 16384, 65535, 65535]),
        ("bool", [-1, 0.49, 0.51, 9], [False, False, True, True]),
        ("float32", [-0.5, 0.25, 1.0, 2.0], [0, 0.25, 1, 1]),
    ],
)
def test_images_are_clipped_and_rounded_only_when_handed_back(dtype, values, given):
    layout = Layout((2, 2), (2, 2, 1), dtype)
    unit = torch.tensor(values, dtype=torch.float32).view(1, 1, 2, 2)
    np.testing.assert_array_equal(to_user(unit, layout).ravel(), np.array(given, dtype))
    exact = to_user(unit, layout, exact=True)
    assert exact.dtype == np.float32
    np.testing.assert_array_equal(exact, unit[0])


def test_a_table_of_floats_is_never_clipped_one_of_bytes_is():
    unit = torch.tensor([[-3.0, 7.0]]).view(1, 1, 1, 2)
    assert to_user(unit, Layout((2,), (1, 2, 1), "float64")).tolist() == [[-3, 7]]
    assert to_user(unit, Layout((2,), (1, 2, 1), "uint8")).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("X", "shape", "name"),
    [
        (some("float32", 9, 4, 4), None, "unit"),
        (some("uint8", 9, 16), None, "unit"),
        (some("float32", 9, 16), (4, 4), "unit"),
        (some("float32", 9, 16), None, "standard"),
        (some("bool", 9, 4, 4, 3), None, "unit"),
    ],
)
def test_the_automatic_scale(X, shape, name):
    assert choose_scale("auto", *as_images(X, shape)).name == name


@pytest.mark.parametrize("X", [some("uint8", 50, 4, 3, 3), some("float64", 50, 6) * 40 - 7, some("uint16", 50, 6)])
def test_standard_gives_each_feature_mean_0_and_deviation_1_and_comes_back(X):
    array, layout = as_images(X)
    scale = choose_scale("standard", array, layout)
    working = ImageBatches(array, layout, scale).batch(slice(None))
    np.testing.assert_allclose(working.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(working.std(0, correction=0), 1, atol=1e-5)
    np.testing.assert_allclose(there_and_back(X, "standard"), X, atol=1e-5 * X.max())
    assert scale.range is None


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 1e-12])
def test_standard_leaves_a_constant_feature_constant(value):
    X = some("float64", 50, 3)
    X[:, 1] = value
    scale = choose_scale("standard", *as_images(X))
    assert scale.gain.flatten()[1] == 1
    working = ImageBatches(*as_images(X), scale).batch(slice(None))[:, 0, 0]
    np.testing.assert_allclose(working[:, 1], 0, atol=1e-6 * (1 + abs(value)))
    np.testing.assert_allclose(working[:, [0, 2]].std(0, correction=0), 1, atol=1e-5)
    np.testing.assert_allclose(there_and_back(X, "standard"), X, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", SCALES[1:])
def test_unit_undoes_work_and_a_scale_moves_to_a_device(name):
    array, layout = as_images(some("float32", 30, 5, 4))
    scale = choose_scale(name, array, layout).to(torch.device("cpu"))
    unit = to_unit(torch.from_numpy(array), layout)
    torch.testing.assert_close(scale.unit(scale.work(unit)), unit)


def test_an_unknown_scale_is_refused():
    with pytest.raises(UnknownName, match="no scale called 'units'; did you mean 'unit'"):
        choose_scale("units", *as_images(some("uint8", 2, 2, 2)))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((4, 4), complex), "of type complex128; known: uint8"),
        (np.zeros((2, 4, 4), int), "of type int64.*X.astype\\('uint8'\\)"),
        (np.array([["a"]]), "of type <U1"),
        (np.array([[1, None]]), "no array of numbers"),
        (None, "no array of numbers"),
        (np.zeros(5), "shape \\(5,\\); expected \\(N, D\\).*x\\[None\\]"),
        (np.float32(3), "shape \\(\\); expected"),
        (np.zeros((2, 3, 4, 1, 1)), "shape \\(2, 3, 4, 1, 1\\); expected"),
        (np.zeros((0, 28, 28)), "the set is empty: its shape is \\(0, 28, 28\\)"),
        (np.zeros((3, 0)), "the set is empty"),
        (np.zeros((2, 4, 4, 0)), "the set is empty"),
        (np.zeros((2, 8, 8, 5)), "got 5 channels.*expected 1 to 4 in the last place"),
        (np.zeros((2, 3, 8, 8)), "got 8 channels.*in the last place"),
        ([np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3))], "2 different shapes: 2x3 \\(2\\), 3x2 \\(1\\)"),
        ([[1, 2], [3]], "their shapes differ"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(X, words):
    with pytest.raises(ImageError, match=words):
        as_images(X)


@pytest.mark.parametrize("shape", [(5, 4), (60,), (60, 1, 1, 1), (-5, -12), (0, 60), 60, "ab", (5.5, 12), ()])
def test_an_image_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(ImageError, match=r"does not fit images of shape \(60,\); expected .* 60 values"):
        as_images(np.zeros((3, 60)), shape)


def test_an_image_shape_with_too_many_channels_is_refused():
    with pytest.raises(ImageError, match="got 6 channels"):
        as_images(np.zeros((3, 60)), (5, 2, 6))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ranged", [True, False])
@pytest.mark.parametrize("form", [(12,), (4, 3)])
def test_what_is_not_finite_is_refused_wherever_it_stands(monkeypatch, bad, ranged, form):
    monkeypatch.setattr(layout_module, "CHECK", 4)
    X = some("float32", 10, *form)
    X[6].flat[3] = X[9].flat[0] = bad
    assert "2 values are NaN or infinity (the first in image 6)" in refusal(X, ranged)


@pytest.mark.parametrize(
    ("low", "high", "cure"),
    [(0, 255, "divide by 255"), (0, 1.01, "divide by 255"), (-1, 1, "scale them"), (0, 256, "scale them")],
)
def test_images_out_of_range_are_refused_with_a_cure(low, high, cure):
    X = some("float64", 5, 4, 4) * (high - low) + low
    X[3, 0, 0], X[4, 0, 0] = low, high
    told = refusal(X)
    assert f"must lie in [0, 1], these run from {low:.4g} to {high:.4g}" in told
    assert cure in told
    validate_images(*as_images(X), ranged=False)


def test_a_table_of_floats_may_hold_any_finite_number():
    validate_images(*as_images(np.array([[-1e30, 7.0]])), ranged=True)


def test_two_faults_are_both_named():
    X = some("float64", 5, 4, 4) * 200
    X[2, 1, 1] = np.nan
    told = refusal(X)
    assert "for 2 reasons" in told
    assert "1 values are NaN or infinity (the first in image 2)" in told
    assert "divide by 255" in told


def test_images_of_another_make_than_the_model_s_are_refused_with_every_difference():
    expected = as_images(some("uint8", 2, 28, 28))[1]
    validate_images(*as_images(some("float32", 2, 28, 28, 1)), ranged=True, expected=expected)
    told = refusal(some("uint8", 2, 20, 24, 3), expected=expected)
    assert "they have 3 channels, the model was fitted on 1" in told
    assert "they are 20 x 24 pixels, the model was fitted on 28 x 28" in told
    assert "2 reasons" in told


@pytest.mark.parametrize("form", [(3, 2), (3, 2, 3)], ids=str)
@pytest.mark.parametrize(("columns", "gap"), [(None, 1), (4, 0), (2, 3), (7, 1)])
def test_a_tile_holds_every_image_at_its_place_and_the_fill_elsewhere(form, columns, gap):
    X = some("float32", 7, *form) / 2
    sheet = contact_sheet(X, columns, gap, fill=1.0)
    columns = columns or 3
    rows = -(-7 // columns)
    assert sheet.shape == (rows * (3 + gap) - gap, columns * (2 + gap) - gap, *form[2:])
    for k, image in enumerate(X):
        top, left = k // columns * (3 + gap), k % columns * (2 + gap)
        np.testing.assert_array_equal(sheet[top : top + 3, left : left + 2], image)
        sheet[top : top + 3, left : left + 2] = 1
    assert (sheet == 1).all()
