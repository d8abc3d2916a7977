"""The body of denoisers of photographs: homogeneous, of bounded reach, and guided by the noise."""

import pytest
import torch

import narrows as nw
from narrows.errors import BuildError
from narrows.model.build import build
from narrows.model.network import count_parameters
from narrows.parts.photo import Photo
from narrows.randomness import keyed_generator
from narrows.scale import FIXED_SCALES

SMALL = {"kind": "photo", "widths": [8, 12], "blocks": [1, 1]}


def network(body=SMALL, image=(3, 24, 24), scale="unit"):
    specs = nw.recipe("denoiser-photo", body=body).get_params(deep=False)
    parts = (
        "body",
        "bottleneck",
        "up",
        "likelihood",
        "prior",
        "corruption",
        "penalties",
        "objective",
    )
    made = build({name: specs[name] for name in parts}, image, FIXED_SCALES[scale], seed=0).eval()
    with torch.no_grad():
        made.up.last.weight.mul_(20)  # so that something is removed
    return made


def numbers(*shape):
    return torch.rand(shape, generator=keyed_generator("x", *shape))


def test_the_recipe_has_as_many_weights_as_are_asked_for():
    assert 500_000 < count_parameters(network("photo")) < 900_000


def test_twice_the_light_and_twice_the_noise_give_twice_the_result():
    x, noise = 0.1 + 0.3 * numbers(2, 3, 24, 24), torch.full((2, 3, 1, 1), 0.1)
    one, two = (network().reconstruct(a * x, noise=a * noise) for a in (1, 2))
    torch.testing.assert_close(two, 2 * one, rtol=1e-4, atol=1e-5)


def test_more_noise_changes_the_result_and_none_is_estimated():
    x, made = numbers(1, 3, 32, 32), network()
    results = [made.reconstruct(x, noise=torch.full((1, 3, 1, 1), s)) for s in (0.05, 0.3)]
    assert not torch.allclose(*results)
    assert made.reconstruct(x).isfinite().all()


@pytest.mark.parametrize("widths", [[6], [4, 6], [4, 4, 6]], ids=str)
@pytest.mark.parametrize("size", [(17, 40), (1, 1), (33, 31)], ids=str)
def test_any_size_comes_back_and_pixels_beyond_the_margin_do_not_matter(widths, size):
    made = network({"kind": "photo", "widths": widths, "blocks": [1] * len(widths)})
    noise = torch.full((1, 3, 1, 1), 0.1)
    assert made.reconstruct(numbers(2, 3, *size)).shape == (2, 3, *size)
    margin = made.body.margin
    wide = numbers(1, 3, 8, 64 + 2 * margin)
    near = wide[..., : 64 + margin]
    results = [made.reconstruct(x, noise=noise)[..., :64] for x in (wide, near)]
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)
    assert margin % made.body.multiple == 0


def test_white_that_was_cut_off_is_seen():
    made, noise = network(), torch.full((1, 3, 1, 1), 0.1)
    cells = [made.body._cells(x * torch.ones(1, 3, 8, 8), noise) for x in (0.0, 0.5, 1.0)]
    marks = [float(cell[:, 24:].mean()) for cell in cells]  # after 2 x 3 channels of four pixels
    assert marks == pytest.approx([-0.1, 0.0, 0.1])


@pytest.mark.parametrize(
    "options", [{"widths": []}, {"widths": [8], "blocks": [1, 1]}, {"blocks": [0, 1, 1]}], ids=str
)
def test_stages_that_do_not_match_are_refused(options):
    with pytest.raises(BuildError):
        Photo((3, 8, 8), **options)
