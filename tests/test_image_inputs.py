"""What users pass as images: arrays, lists, pictures, tensors and data sets of torch."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from narrows import PCA, Autoencoder
from narrows.errors import ImageError
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.levels import LEVELS
from narrows.scale import FIXED_SCALES
from small_images import random_images, round_trip


def test_a_table_with_an_image_shape_is_read_as_images():
    X = random_images("uint8", 6, 60)
    array, layout = as_images(X, (5, 4, 3))
    batch = ImageBatches(array, layout, FIXED_SCALES["unit"]).batch(slice(None))
    np.testing.assert_array_equal(
        (batch * 255).round(), X.reshape(6, 5, 4, 3).transpose(0, 3, 1, 2)
    )
    assert (layout.chw, layout.is_table) == ((3, 5, 4), False)
    np.testing.assert_array_equal(round_trip(X, image_shape=(5, 4, 3)), X)


def test_a_table_is_one_row_of_values():
    array, layout = as_images(random_images("float64", 6, 60))
    assert layout.is_table
    assert ImageBatches(array, layout, FIXED_SCALES["unit"]).batch(slice(2)).shape == (2, 1, 1, 60)


def test_integers_in_a_table_are_read_as_floats():
    array, layout = as_images(np.array([[1, -2], [300, 4]]))
    assert (array.dtype, layout.dtype) == (np.float64, "float64")


@pytest.mark.parametrize("dtype", LEVELS)
@pytest.mark.parametrize(
    "how", ["read-only", "negative strides", "transposed", "big-endian", "list", "nested list"]
)
def test_arrays_of_any_memory_order_and_lists(dtype, how):
    X = random_images(dtype, 6, 5, 7)
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
    back = round_trip(made)
    np.testing.assert_array_equal(back, before)
    np.testing.assert_array_equal(made, before)
    assert back.dtype == np.dtype(dtype)


def test_a_tensor_that_requires_a_gradient_is_taken():
    x = torch.rand(3, 4, 4, requires_grad=True, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(round_trip(x), x.detach().numpy())


class Elsewhere(torch.Tensor):
    """A tensor that NumPy cannot read as it is, as one on a GPU."""

    def __array__(self, *arguments, **options):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")


TENSORS = {
    "of a gradient": lambda x: x.requires_grad_(),
    "a parameter": torch.nn.Parameter,
    "bfloat16": lambda x: x.bfloat16(),
    "float8": lambda x: x.to(torch.float8_e5m2),
    "negated": lambda x: torch._neg_view(-x),
    "elsewhere": lambda x: x.as_subclass(Elsewhere),
}
HOLDERS = {
    "tensor": lambda x: x,
    "list": list,
    "tuple": tuple,
    "data set": lambda x: Items(len(x), lambda k: x[k]),
    "labelled": lambda x: Items(len(x), lambda k: (x[k], 3)),
}


@pytest.mark.parametrize("held", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("kind", TENSORS.values(), ids=TENSORS)
@pytest.mark.parametrize("shape", [(20, 12), (20, 3, 4), (20, 1, 3, 5)], ids=str)
def test_tensors_of_any_kind_go_into_a_fit_and_out_of_it(shape, kind, held):
    levels = np.random.default_rng(0).integers(0, 4, shape) / 4  # which float8 has, too
    array = np.moveaxis(levels, 1, -1) if len(shape) == 4 else levels
    tensor = kind(torch.tensor(levels, dtype=torch.float32))
    model, known = PCA(3).fit(held(tensor)), PCA(3).fit(array.astype(np.float32))
    np.testing.assert_array_equal(model.components_, known.components_)
    codes = model.transform(held(tensor))
    np.testing.assert_array_equal(codes, known.transform(array.astype(np.float32)))
    again = torch.from_numpy(codes).requires_grad_()
    np.testing.assert_array_equal(model.inverse_transform(again), model.inverse_transform(codes))


@pytest.mark.parametrize("shape", [(20, 12), (20, 3, 4)], ids=str)
@pytest.mark.parametrize(
    "kind", [torch.Tensor.to_sparse, lambda x: x.to("meta")], ids=["sparse", "without memory"]
)
def test_tensors_without_values_in_memory_are_refused(shape, kind):
    with pytest.raises(ImageError, match=r"tensor that makes no array .*pass a dense one"):
        PCA(3).fit(kind(torch.rand(shape)))
    with pytest.raises(ImageError, match=r"tensor that makes no array .*pass a dense one"):
        PCA(3).fit(list(kind(torch.rand(shape))))


def test_weights_may_be_a_tensor_that_requires_a_gradient():
    X = random_images("float32", 20, 12)
    weights = torch.rand(20, requires_grad=True)
    model = PCA(3).fit(X, sample_weight=weights)
    known = PCA(3).fit(X, sample_weight=weights.detach().numpy())
    np.testing.assert_array_equal(model.components_, known.components_)


@pytest.mark.parametrize(
    "X",
    [
        pytest.param(lambda item: Items(5, lambda k: item), id="data set"),
        pytest.param(lambda item: [item] * 5, id="list"),
        pytest.param(lambda item: np.array([item] * 5), id="array"),
        pytest.param(lambda item: item, id="one"),
    ],
)
@pytest.mark.parametrize("model", [Autoencoder(), PCA()], ids=["Autoencoder", "PCA"])
def test_dicts_are_refused_with_their_keys_and_how_to_take_out_the_images(model, X):
    item = {"label": 3, "image": torch.rand(1, 4, 9, requires_grad=True)}
    words = r"a dict with label, image, expected images.*\[item\['image'\] for item in X\]"
    with pytest.raises(ImageError, match=words):
        model.fit(X(item))


class Items(Dataset):
    """A data set of torch: what `make` gives for a number."""

    def __init__(self, count, make):
        self.count, self.make = count, make

    def __len__(self):
        return self.count

    def __getitem__(self, k):
        return self.make(k)


@pytest.mark.parametrize("shape", [(5, 9), (5, 9, 2), (5, 9, 3), (5, 9, 4)], ids=str)
def test_a_list_of_pictures_is_their_pixels(shape):
    X = random_images("uint8", 6, *shape)
    np.testing.assert_array_equal(as_images([Image.fromarray(x) for x in X])[0], X)


def test_pictures_of_other_modes_become_grey_or_colour_and_upright():
    colour = Image.fromarray(random_images("uint8", 8, 6, 3))
    turned = colour.copy()
    turned.getexif()[0x0112] = 3  # upside down
    for picture, expected in (
        (colour.convert("P"), colour.convert("P").convert("RGB")),
        (colour.convert("CMYK"), colour.convert("CMYK").convert("RGB")),
        (colour.convert("1"), colour.convert("1").convert("L")),
        (turned, colour.rotate(180)),
        (
            Image.fromarray(random_images("uint16", 8, 6)),
            Image.fromarray(random_images("uint16", 8, 6)),
        ),
    ):
        np.testing.assert_array_equal(as_images([picture])[0], np.asarray(expected)[None])
    see_through = colour.convert("P")
    see_through.info["transparency"] = 0
    assert as_images([see_through])[0].shape == (1, 8, 6, 4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tensors_with_channels_first_become_channels_last(channels):
    X = random_images("float32", 6, 5, 7, channels)
    first = torch.from_numpy(X).permute(0, 3, 1, 2)
    for given in (
        first,
        list(first),
        Items(6, lambda k: first[k]),
        Items(6, lambda k: (first[k], 3)),
    ):
        np.testing.assert_array_equal(as_images(given)[0], X)
    # and others stay as they are
    np.testing.assert_array_equal(as_images(torch.from_numpy(X))[0], X)


def test_a_tensor_whose_channels_are_ambiguous_is_refused():
    with pytest.raises(
        ImageError, match=r"shape \(6, 3, 4, 4\) may have its channels first or last; pass an array"
    ):
        as_images(torch.zeros(6, 3, 4, 4))
    assert as_images(np.zeros((6, 3, 4, 4)))[1].image == (3, 4, 4)


def test_a_torch_data_set_becomes_an_array():
    X = random_images("uint8", 6, 5, 9)
    for make in (
        lambda k: X[k],
        lambda k: [Image.fromarray(X[k]), "a"],
        lambda k: torch.from_numpy(X[k]),
    ):
        np.testing.assert_array_equal(as_images(Items(6, make))[0], X)
    np.testing.assert_array_equal(
        as_images(TensorDataset(torch.from_numpy(X), torch.arange(6)))[0], X
    )


class Endless(IterableDataset):
    """A data set without a length."""

    def __iter__(self):
        yield np.zeros((2, 2))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Image.new("L", (5, 5)), r"got one object of type Image, .*; pass the images \[x\] of one image x"),
        (DataLoader(Items(3, np.zeros)), "got one object of type DataLoader, .*; pass its .dataset"),
        (Endless(), r"this data set \(Endless\) has no length, or no images; expected 1"),
        (Items(0, np.zeros), r"this data set \(Items\) has no length, or no images"),
        (Items(3, lambda k: np.zeros((k + 1, 2))), r"the first is .*\(1, 2\)\), number 1 is .*\(2, 2\)\)"),
        (Items(3, lambda k: {"image": 1}), r"a dict with image, .*\[item\['image'\] for item in X\]"),
        (Items(3, lambda k: {}), "a dict with no keys"),
        ([Image.new("L", (5, 5)), Image.new("RGB", (5, 5))], r"2 different shapes: 5x5 \(1\), 5x5x3 \(1\)"),
    ],
)  # fmt: skip
def test_pictures_and_data_sets_that_make_no_batch_are_refused(given, words):
    with pytest.raises(ImageError, match=words):
        as_images(given)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((4, 4), complex), "of type complex128; known: uint8"),
        (np.zeros((2, 4, 4), int), "of type int64.*X.astype\\('uint8'\\)"),
        (np.array([["a"]]), r"no array of numbers: got 'a' \(str\)"),
        (np.array([[1, None]]), r"no array of numbers: got 'None' \(NoneType\)"),
        (np.array([1, 2], object), "no array of numbers"),
        (np.zeros(5), "shape \\(5,\\); expected \\(N, D\\).*x\\[None\\]"),
        (np.float32(3), "shape \\(\\); expected"),
        (np.zeros((2, 3, 4, 1, 1)), "shape \\(2, 3, 4, 1, 1\\); expected"),
        (np.zeros((0, 28, 28)), "the set is empty: its shape is \\(0, 28, 28\\)"),
        (np.zeros((3, 0)), "the set is empty"),
        (np.zeros((2, 4, 4, 0)), "the set is empty"),
        (np.zeros((2, 8, 8, 5)), "got 5 channels.*expected 1 to 4 in the last place"),
        (np.zeros((2, 3, 8, 8)), "got 8 channels.*in the last place"),
        (
            [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3))],
            "2 different shapes: 2x3 \\(2\\), 3x2 \\(1\\)",
        ),
        ([[1, 2], [3]], "their shapes differ"),
    ],
)
def test_arrays_that_are_not_images_are_refused(X, words):
    with pytest.raises(ImageError, match=words):
        as_images(X)


@pytest.mark.parametrize("X", ["abc", None, ["a", "b"], [{"a": 1}] * 3, np.array(["a"] * 3)])
@pytest.mark.parametrize("model", [Autoencoder(), PCA()], ids=["Autoencoder", "PCA"])
def test_a_model_refuses_text_and_other_objects_and_says_what_to_pass(model, X):
    with pytest.raises(ImageError, match=r"no array of numbers: got .*load_data") as refusal:
        model.fit(X)
    assert "Reshape" not in str(refusal.value)  # of scikit-learn, which has no images in mind


@pytest.mark.parametrize(
    "shape", [(5, 4), (60,), (60, 1, 1, 1), (-5, -12), (0, 60), 60, "ab", (5.5, 12), ()]
)
def test_an_image_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(
        ImageError, match=r"does not fit images of shape \(60,\); expected .* 60 values"
    ):
        as_images(np.zeros((3, 60)), shape)


def test_an_image_shape_with_too_many_channels_is_refused():
    with pytest.raises(ImageError, match="got 6 channels"):
        as_images(np.zeros((3, 60)), (5, 2, 6))
