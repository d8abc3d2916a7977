"""Ranks: so many processes compute what one does, each on its rows of every batch."""

import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

import narrows as nw
from narrows.distributed import collectives as ranks
from narrows.distributed import rendezvous as joining
from narrows.distributed.process_group import rank_and_size, rank_slice
from narrows.errors import BuildError, Interrupted, NarrowsError, TrainingError
from narrows.image_batches import ImageBatches
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.validate import validation_means
from narrows.parts.layers import SYNCHRONISED_NORMS
from narrows.parts.objective import Elbo
from narrows.randomness import KeyedRandom
from small_models import timeless, weights
from small_ranks import together

pytestmark = pytest.mark.filterwarnings(
    "ignore:Grad strides", "ignore:the model predicts a constant"
)
CONV = {"kind": "conv", "channels": [4, 8], "batch_norm": True, "dropout": 0.2}
NOISE = {"kind": "gaussian", "sigma": 0.3}
BETA = {"kind": "variational", "size": 3, "beta": 2.0, "warmup": 3}
CASES = {
    "noise, dropout, sampled codes": {
        "body": {"kind": "mlp", "widths": [16], "dropout": 0.3}, "bottleneck": BETA, "corruption": NOISE,
    },
    "batch norm": {"body": CONV, "bottleneck": {"kind": "sparse", "size": 6}, "up": "deconv"},
    "switches": {
        "body": {"kind": "conv", "channels": [4], "stages": "pooled"},
        "bottleneck": {"size": None}, "up": "unpool",
    },
    "slopes": {
        "body": {"kind": "mlp", "widths": [16]}, "bottleneck": {"size": 5}, "penalties": ["contractive"],
    },
    "a scale for each image": {
        "body": {"kind": "mlp", "widths": [16]}, "bottleneck": {"size": 5}, "corruption": NOISE,
        "scale": "each",
    },
    "noisy images alone": {
        "body": {"kind": "unet", "channels": [4, 6]}, "bottleneck": {"size": None},
        "objective": {"kind": "neighbours", "warmup": 3},
    },
}  # fmt: skip
SMALL = CASES["noise, dropout, sampled codes"]
TIED = {"body": {"kind": "mlp", "widths": [16]}, "bottleneck": {"size": 5}, "up": "tied"}
AVERAGED = {"ema": 0.9, "clip": 1.0}
# the last batch has 3 images, fewer than 4 ranks
WORLDS = pytest.mark.parametrize("world", [pytest.param(2, marks=pytest.mark.slow), 4])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def made(**options):
    """A model of 163 training images, 4 batches of 40 and one of 3: fewer than 4 ranks."""
    given = {"bottleneck": {"kind": "plain", **options.pop("bottleneck", {})}}
    return nw.Autoencoder(**{"epochs": 4, "batch_size": 40, "validation": 0.2, **given, **options})


def fitted(digits, cases):
    """Of each case: the loss of each step, the history, the weights."""
    found = []
    for case in cases:
        model = made(**case).fit(digits)
        found.append((model.steps_["loss"], timeless(model.history_), weights(model)))
    return found


def near(a, b, tolerance):
    """Whether all numbers are the same, relative to the largest."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return a.shape == b.shape and bool((abs(a - b) <= tolerance * abs(a).max()).all())


# -- training --------------------------------------------------------------------------------------


@WORLDS
def test_this_many_processes_have_the_losses_of_one(digits, world):
    cases = [{**case, "epochs": 2} for case in CASES.values()]
    one, every = fitted(digits, cases), together(world, joined(fitted), digits, cases)
    for k, name in enumerate(CASES):
        losses, history, final = every[0][k]
        np.testing.assert_allclose(losses, one[k][0], rtol=1e-5, err_msg=name)
        # of weights before one, whose gradient is 0, Adam makes steps of the rounding
        if name != "batch norm":
            assert all(near(history[term], one[k][1][term], 1e-5) for term in history), name
        for other in every[1:]:  # all ranks come to the same, to the bit
            assert other[k][1] == history
            assert all(torch.equal(value, final[at]) for at, value in other[k][2].items())


def test_a_small_set_has_the_same_plan_on_all_ranks(digits):
    cases = [{**SMALL, "epochs": 2, "training": {"least_steps": 24}}]
    one, every = fitted(digits[:30], cases), together(2, joined(fitted), digits[:30], cases)
    assert len(one[0][0]) == 24  # of 24 images in batches of 20
    for ((losses, history, _),) in every:
        np.testing.assert_allclose(losses, one[0][0], rtol=1e-4)
        assert len(history["loss"]) == 12


def test_weights_in_pieces_give_the_same(digits):
    cases = [
        {**case, "training": AVERAGED, "epochs": 2} for case in (SMALL, CASES["batch norm"], TIED)
    ]
    spread = [{**case, "training": {**AVERAGED, "shard": True}} for case in cases]
    one, every = fitted(digits, cases), together(2, joined(fitted), digits, spread)
    for (losses, _, final), (same, *_), (theirs, _, whole) in zip(one, every[1], every[0]):
        np.testing.assert_allclose(theirs, losses, rtol=1e-5)
        assert np.array_equal(theirs, same)
        assert {name: value.shape for name, value in whole.items()} == {
            k: v.shape for k, v in final.items()
        }


def joined(work):
    """The work as that of a rank."""

    def run(*arguments):
        with joining.process_group():
            return work(*arguments)

    return run


# -- what belongs to each image --------------------------------------------------------------------


def in_training(network, x, size):
    """Noisy images, codes and outputs of one batch, of all ranks."""
    rows = rank_slice(size)
    done = network(x[rows], KeyedRandom(7, rows=rows, total=size))
    return [
        ranks.all_gather_rows(t, size).detach().numpy()
        for t in (done.corrupted, done.code.z, done.out)
    ]


@pytest.mark.parametrize("size", [40, 3])
def test_each_image_has_its_own_noise_code_and_dropout(digits, size):
    network = made(**SMALL, epochs=1).fit(digits[:40]).network_.train()
    x = torch.from_numpy(digits[:size, None] / np.float32(255))
    (noisy, *rest), (found, *theirs) = (
        in_training(network, x, size),
        together(4, joined(in_training), network, x, size)[2],
    )
    assert np.array_equal(noisy, found)
    # another dropout or code would move them by a tenth
    assert all(near(a, b, 1e-6) for a, b in zip(rest, theirs))


# -- validation ------------------------------------------------------------------------------------


@WORLDS
def test_the_same_weights_have_the_same_measures(digits, world, vae, monkeypatch):
    # 6 batches, of which ranks get whole ones
    monkeypatch.setattr(ImageBatches, "step", lambda self, widest=0: 37)
    pixels, names = ImageBatches(digits, vae.layout_, vae.scale_), ("mse", "psnr", "ssim", "snr")

    def measured():
        return validation_means(vae.network_, Elbo(), pixels, 0, names, "unit")

    one = measured()
    for found in together(world, joined(measured)):
        assert list(found) == list(one)
        assert all(found[name] == pytest.approx(one[name], rel=1e-6) for name in one)


def test_all_stop_after_the_same_epoch(digits):
    options = {
        **SMALL,
        "epochs": 30,
        "training": {"patience": 1},
        "optimiser": {"kind": "adam", "rate": 3e-2},
    }

    def epochs():
        return made(**options).fit(digits).epochs_

    assert set(together(2, joined(epochs))) == {epochs()}
    assert epochs() < 30


def test_all_end_with_the_same_word_where_a_loss_is_nan(digits):
    def said():
        model = made(**SMALL, optimiser={"kind": "sgd", "rate": 1e30}, validation=None)
        with pytest.raises(TrainingError) as error:
            model.fit(digits)
        return str(error.value).partition(",")[0]

    told = together(2, joined(said))
    assert told[0] == told[1]
    assert "the loss became" in told[0]


# -- batch norm, and costs of the whole batch ------------------------------------------------------


@pytest.mark.parametrize("total", [11, 2])
@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_a_batch_norm_is_that_of_the_whole_batch(kind, total):
    torch.manual_seed(0)
    h = torch.randn(total, 3, *[4, 5][: 2 * (kind is nn.BatchNorm2d)], dtype=torch.float64) * 2 + 1
    slope = torch.randn_like(h)

    def over(norm, rows):
        norm = norm(3, momentum=0.3, dtype=torch.float64)
        nn.init.uniform_(norm.weight)
        x = h[rows].clone().requires_grad_()
        norm(x)  # so that running figures have run
        y = norm(x)
        (gradient,) = torch.autograd.grad((y * slope[rows]).sum(), x, create_graph=True)
        (again,) = torch.autograd.grad((gradient * y).sum(), x)  # the slope of a slope
        return [t.detach() for t in (y, gradient, again)], {
            k: v for k, v in norm.state_dict().items() if "run" in k
        }

    def ours():
        torch.manual_seed(1)
        found, running = over(SYNCHRONISED_NORMS[kind], rank_slice(total))
        return [ranks.all_gather_rows(t, total) for t in found], running

    torch.manual_seed(1)
    one, running = over(kind, slice(None))
    for theirs, ran in together(3, joined(ours)):
        assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(theirs, one))
        assert all(torch.allclose(ran[name], running[name], rtol=1e-9) for name in running)


def test_a_plain_module_gets_it_too_and_may_have_weights_without_use(digits):
    class Down(nn.Sequential):
        def __init__(self, image):
            super().__init__(nn.Conv2d(image[0], 3, 3), nn.BatchNorm2d(3), nn.ReLU())
            self.without_use = nn.Parameter(torch.zeros(3))

    case = [{"body": {"kind": Down}, "up": "linear", "epochs": 2}]
    np.testing.assert_allclose(
        together(2, joined(fitted), digits, case)[0][0][0], fitted(digits, case)[0][0], rtol=1e-5
    )


@pytest.mark.parametrize("total", [7, 2])
def test_a_cost_of_the_whole_batch_has_the_gradient_of_one_process(total):
    torch.manual_seed(0)
    z = torch.randn(total, 3)

    def slope(rows):
        mine = z[rows].clone().requires_grad_()
        whole = ranks.all_gather_rows(mine, total)
        cost = (
            torch.cdist(whole, whole).exp().sum().expand(len(mine))
        )  # the same for each image, as a penalty gives it
        (gradient,) = torch.autograd.grad(cost.sum() / total, mine)
        return whole.detach(), ranks.all_gather_rows(gradient, total)

    one = slope(slice(None))
    for whole, gradient in together(4, joined(lambda: slope(rank_slice(total)))):
        assert torch.equal(whole, one[0])
        assert torch.allclose(gradient, one[1], rtol=1e-5)


# -- states ----------------------------------------------------------------------------------------


def run(digits, path, options, resume=False, asked=None):
    """A training with a state; `asked`: a step after which the last rank gets a signal."""
    checkpoint, model = (
        Checkpoint(path, resume=resume),
        made(**SMALL, schedule="cosine", training=options),
    )
    steps, after_step = [0], checkpoint.after_step

    def counted(training):
        steps[0] += 1
        if steps[0] == asked and rank_and_size()[0] == rank_and_size()[1] - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        after_step(training)

    checkpoint.after_step = counted
    words = ""
    try:
        model.fit(digits, checkpoint=checkpoint)
    except Interrupted as error:
        words = str(error)
    return words, timeless(model.history_), weights(model)


@pytest.mark.parametrize(
    ("before", "after", "shard"),
    [
        pytest.param(4, 1, False, marks=pytest.mark.slow),
        (4, 2, False),
        pytest.param(1, 2, False, marks=pytest.mark.slow),
        (2, 1, True),
    ],
)
def test_a_checkpoint_of_this_many_ranks_resumes_with_any_number(
    digits, tmp_path, before, after, shard, monkeypatch
):
    # so that it ends within an epoch
    monkeypatch.setattr("narrows.model.training.checkpoint.OFTEN", 3)
    options = {**AVERAGED, "shard": shard}
    _, history, final = run(digits, tmp_path / "whole.safetensors", options)
    path = tmp_path / "last.safetensors"
    words = {told for told, *_ in together(before, joined(run), digits, path, options, False, 7)}
    assert len(words) == 1
    assert words.pop().startswith("stopped by SIGTERM in epoch 2 of 4, after batch")
    for _, theirs, found in together(after, joined(run), digits, path, options, True):
        assert all(near(theirs[name], column, 1e-5) for name, column in history.items())
        assert all(torch.allclose(value, final[name], atol=1e-6) for name, value in found.items())


# -- coming and going ------------------------------------------------------------------------------


def test_what_ranks_tell_each_other():
    def said():
        with pytest.raises(BuildError, match="rank 0 has it"):
            ranks.broadcast_from_first(fail)
        place = rank_and_size()[0]
        return (
            ranks.broadcast_from_first(lambda: place),
            ranks.all_gather_objects(place),
            ranks.all_reduce_max(place, -place),
            ranks.is_first_rank(),
        )

    def fail():
        raise BuildError(f"rank {rank_and_size()[0]} has it")

    assert together(3, joined(said)) == [
        (0, [0, 1, 2], [2.0, 0.0], place == 0) for place in range(3)
    ]


def test_alone_they_give_back_what_they_got():
    t = torch.tensor([1.0, 2.0])
    assert ranks.all_reduce_with_gradient(t) is t
    assert ranks.all_reduce(t) is t
    assert torch.equal(ranks.all_gather_rows(t, 2), t)
    assert (
        ranks.broadcast_from_first(lambda: 5),
        ranks.all_gather_objects(3),
        ranks.all_reduce_max(1, 2),
    ) == (
        5,
        [3],
        [1, 2],
    )


def test_a_lost_rank_ends_the_others_with_a_reason(digits):
    def train():
        for _ in made(**SMALL, epochs=50).fit_epochs(digits):
            if rank_and_size()[0] == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    def work():
        with pytest.raises(NarrowsError) as error:
            joined(train)()
        return str(error.value)

    first, lost, *others = together(4, work)
    assert lost == -signal.SIGKILL
    assert first.startswith("rank 1 of 4 was lost: its process has ended, or has not answered for")
    assert all(" of 4 was lost: " in other for other in others)
    assert "--resume goes on from there" in first


def test_a_rank_that_does_not_come_is_named(monkeypatch):
    monkeypatch.setattr(joining, "RENDEZVOUS_TIMEOUT", 0.5)

    def work():
        with pytest.raises(NarrowsError) as error:
            joined(rank_and_size)()
        return str(error.value)

    first, second = together(3, work, alive=2)
    assert first.startswith("rank 0 of 3 has waited at 127.0.0.1:")
    assert "rank 2 did not come" in first
    assert "another one, did not come; start as many processes as WORLD_SIZE says" in second


def test_what_ranks_cannot_do_is_refused(digits):
    def refused():
        with pytest.raises(
            BuildError,
            match="batch_size: got 1, expected 2 at least, an image for each of 2 processes",
        ):
            made(batch_size=1).fit(digits)
        return True

    assert all(together(2, joined(refused)))
    with pytest.raises(BuildError, match=r"shard: got True, expected False; .* second derivatives"):
        made(**CASES["slopes"], training={"shard": True}).fit(digits)
    with pytest.raises(
        BuildError, match="shard: got True, expected False with compile; leave one of them out"
    ):
        made(training={"shard": True, "compile": True}).fit(digits)
