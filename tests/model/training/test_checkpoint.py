"""The state of a training in a file: going on from it, what is refused, and what is said."""

import errno
import os
import signal
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

import narrows as nw
from narrows.errors import BuildError, DataError, Interrupted, OutputError
from narrows.files import PREFIX
from narrows.model import file_format as contents
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.files.describe import describe_file
from narrows.model.training import checkpoint as checkpoint
from narrows.model.training.checkpoint import Checkpoint
from narrows.signals import ending_signals
from small_models import NOISY, SMALL, model, same, timeless, weights

HELD = {**NOISY, "validation": 0.2, "schedule": "cosine", "training": {"ema": 0.9, "clip": 1.0}}


class Killed(Exception):
    """What stands for a kill: nothing of the training is done after it."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / CHECKPOINT_NAME


@pytest.fixture
def said():
    return []


@pytest.fixture
def going(path, said):
    """A function: a `Saving` that goes on, and says what it does to `said`."""
    return lambda **options: Checkpoint(path, resume=True, say=said.append, **options)


@pytest.fixture(scope="module")
def whole(digits):
    """Options -> a model that was trained without a break, each once."""
    found = {}

    def get(**options):
        name = str(options)
        if name not in found:
            found[name] = model(**options).fit(digits)
        return found[name]

    return get


def killed_at(monkeypatch, write: int, act=None) -> None:
    """Have the state written so many times, and then the training killed."""
    write_, writes = checkpoint.write_file, iter(range(write))

    def once(*what):
        if next(writes, None) is None:
            (act or kill)()
        return write_(*what)

    monkeypatch.setattr(checkpoint, "write_file", once)


def kill():
    raise Killed


def broken(digits, monkeypatch, saving_, write, **options):
    with monkeypatch.context() as patch:
        killed_at(patch, write)
        with pytest.raises(Killed):
            model(**options).fit(digits, checkpoint=saving_)


def assert_equal(found, unbroken):
    assert same(weights(found), weights(unbroken))
    assert timeless(found.history_) == timeless(unbroken.history_)
    assert list(found.steps_) == list(unbroken.steps_)
    for term, values in unbroken.steps_.items():
        assert found.steps_[term].tolist() == values.tolist()
    assert found.threshold_ == unbroken.threshold_


# -- going on --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, HELD], ids=["plain", "all"])
@pytest.mark.parametrize("write", [1, 2, 5, 7, 14, 18])  # of 22 or, with validation, 19
def test_an_interrupted_training_resumed_ends_as_an_uninterrupted_one(
    digits, path, going, whole, monkeypatch, options, write
):
    broken(digits, monkeypatch, Checkpoint(path, minutes=1e-9), write, **options)
    assert_equal(model(**options).fit(digits, checkpoint=going()), whole(**options))


def test_writing_checkpoints_changes_no_result(digits, path, whole):
    assert_equal(
        model(**HELD).fit(digits, checkpoint=Checkpoint(path, minutes=1e-9)), whole(**HELD)
    )
    assert [p.name for p in path.parent.iterdir()] == [CHECKPOINT_NAME]


def test_more_epochs_resume_from_a_training_that_has_ended(digits, path, going, whole, said):
    for epochs in (1, 2, 3):
        found = model(epochs=epochs).fit(digits, checkpoint=going())
    assert_equal(found, whole())
    assert said[1:] == [
        "going on from epoch 2 of 2, batch 1",
        "going on from epoch 3 of 3, batch 1",
    ]
    assert_equal(model().fit(digits, checkpoint=going()), found)
    assert said[-1] == "its 3 epochs are done already"


def test_more_epochs_of_a_schedule_that_hangs_on_them_are_reported(digits, path, going, said):
    model(epochs=1, schedule="cosine").fit(digits, checkpoint=Checkpoint(path))
    model(epochs=2, schedule="cosine").fit(digits, checkpoint=going())
    assert said == [
        "going on from epoch 2 of 2, batch 1; the schedule was that of 1 epochs so far, and is "
        "that of 2 from here: "
        "with 2 from the start the rates had been others"
    ]


def test_patience_that_has_run_out_has_run_out(digits, path, going, said):
    impatient = {"training": {"patience": 1}, "optimiser": {"kind": "sgd", "rate": 1e-30}}
    model(**impatient, epochs=5).fit(digits, checkpoint=Checkpoint(path))
    found = model(**impatient, epochs=9).fit(digits, checkpoint=going())
    assert said == [f"its {found.epochs_} epochs are done already"]
    assert found.epochs_ < 5


def test_within_an_epoch_states_are_written_as_often_as_asked(digits, path, monkeypatch):
    def writes(minutes):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "write_file", lambda *what: count.append(what))
            model(epochs=2).fit(digits, checkpoint=Checkpoint(path, minutes))
        return len(count)

    count = []
    at_ends = writes(None)
    assert at_ends == 1 + 2  # at the start, and after each epoch
    count = []
    assert writes(1e-9) == at_ends + len(model(epochs=2).fit(digits).steps_["loss"])


def test_states_within_an_epoch_are_as_many_minutes_apart_as_asked(digits, path, monkeypatch):
    """On a clock that a step of 10 images takes 30 s, of a machine that has run for long."""
    start, steps, written_after = 1e6, [0], []
    clock = SimpleNamespace(monotonic=lambda: start + 30 * steps[0])
    monkeypatch.setattr(checkpoint, "time", clock)
    monkeypatch.setattr(checkpoint, "write_file", lambda *what: written_after.append(steps[0]))

    class Counted(Checkpoint):
        def after_step(self, training):
            steps[0] += 1
            super().after_step(training)

    model(epochs=1, batch_size=10).fit(digits, checkpoint=Counted(path, minutes=2.1))
    assert written_after == [0, 5, 10, 15, 20, 20]  # at the start, then 2.5 minutes apart; its end


def test_ranks_exchange_their_signals_now_and_then(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "rank_and_size", lambda: (0, 2))
    exchanged_after = []

    def all_reduce_max(*values):
        exchanged_after.append(training.progress.step)
        return values

    monkeypatch.setattr(checkpoint, "all_reduce_max", all_reduce_max)
    one = Checkpoint(path)
    one.save = lambda: None
    training = SimpleNamespace(progress=SimpleNamespace(step=0))
    for training.progress.step in range(1, 3 * checkpoint.OFTEN + 1):
        one.after_step(cast(Any, training))
    assert exchanged_after == [checkpoint.OFTEN * k for k in (1, 2, 3)]


def test_how_long_it_had_taken_is_known(digits, path, going):
    model(**HELD, epochs=2).fit(digits, checkpoint=Checkpoint(path))
    again = going()
    found = model(**HELD, epochs=2).fit(digits, checkpoint=again)
    assert again.seconds == pytest.approx(
        sum(found.history_["seconds"]) + sum(found.history_["val_seconds"])
    )


# -- no state, or another's ------------------------------------------------------------------------


SPOILT = {
    "cut short": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a byte changed": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "nonsense": lambda content: b"\xff" * 1000,
}


@pytest.mark.parametrize("how", SPOILT)
def test_an_incomplete_checkpoint_is_reported_and_the_training_starts_over(
    digits, path, going, said, whole, how
):
    model(epochs=1).fit(digits, checkpoint=Checkpoint(path))
    path.write_bytes(SPOILT[how](path.read_bytes()))
    assert_equal(model().fit(digits, checkpoint=going()), whole())
    (words,) = said
    assert words.startswith(f"{path} ")
    assert words.endswith(": the training starts over")


def test_a_model_in_the_place_of_a_checkpoint_is_none(digits, path, going, said, whole):
    nw.save(whole(), path)
    assert_equal(model().fit(digits, checkpoint=going()), whole())
    assert said == [
        f"{path} is not a complete model of Narrows: it lacks 'training': the training starts over"
    ]


def test_if_there_is_no_state_it_says_so(digits, path, going, said, whole):
    assert_equal(model().fit(digits, checkpoint=going()), whole())
    assert said == [f"there is no state {path} to go on from: the training starts at the start"]


def test_without_resume_the_training_starts_over_and_the_old_checkpoint_is_removed(
    digits, path, going, said, whole, monkeypatch
):
    model(bottleneck={"kind": "plain", "size": 2}).fit(digits, checkpoint=Checkpoint(path))
    broken(digits, monkeypatch, Checkpoint(path), 1)
    assert_equal(model().fit(digits, checkpoint=going()), whole())
    assert said == ["going on from epoch 1 of 3, batch 1"]


CHANGED = {
    "bottleneck.size was 32, now 3": {"bottleneck": {"kind": "plain", "size": 3}},
    "body.widths was '[16]', now '[8]'": {"body": {**SMALL, "widths": [8]}},
    "epochs was 3, now 2": {"epochs": 2},
    "random_state was 0, now 1": {"random_state": 1},
    "training.ema was None, now 0.9": {"training": {"ema": 0.9}},
    "batch_size was 32, now 16; epochs was 3, now 1": {"batch_size": 16, "epochs": 1},
}


@pytest.mark.parametrize("told", CHANGED)
def test_other_settings_are_refused_in_the_words_of_set(digits, path, going, told):
    options = {"bottleneck": {"kind": "plain", "size": 32}}
    model(**options).fit(digits, checkpoint=Checkpoint(path))
    before = path.read_bytes()
    with pytest.raises(BuildError) as caught:
        model(**{**options, **CHANGED[told]}).fit(digits, checkpoint=going())
    assert str(caught.value) == (
        f"{path} is the state of another training: {told}. Only more epochs may be asked for: "
        f"use the settings that "
        "it had, or start over with --force, not --resume (resume=False)"
    )
    assert path.read_bytes() == before


def test_other_images_and_what_else_it_belongs_to_are_refused(digits, path, going):
    model(epochs=1).fit(digits, checkpoint=Checkpoint(path, about={"file": "a"}))
    with pytest.raises(BuildError, match=r"images was '\w{16}', now '\w{16}'\."):
        model(epochs=1).fit(digits[::-1], checkpoint=going(about={"file": "a"}))
    with pytest.raises(BuildError, match="file was 'a', now 'b'"):
        model(epochs=1).fit(digits, checkpoint=going(about={"file": "b"}))


def test_another_version_is_another_training(digits, path, going, monkeypatch):
    model(epochs=1).fit(digits, checkpoint=Checkpoint(path))
    monkeypatch.setattr(nw, "__version__", "99")
    with pytest.raises(BuildError, match=r"narrows was .*, now '99'"):
        model(epochs=1).fit(digits, checkpoint=going())


def test_what_draws_anew_each_time_has_no_state(digits, path):
    with pytest.raises(BuildError, match="random_state: got None, expected an integer"):
        model(random_state=None).fit(digits, checkpoint=Checkpoint(path))


@pytest.mark.parametrize("minutes", [0, -1])
def test_minutes_are_above_0(path, minutes):
    with pytest.raises(BuildError, match=f"minutes: got {minutes}, expected a number > 0, or None"):
        Checkpoint(path, minutes)


# -- stopped ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_after_the_step(digits, path, going, whole, monkeypatch, number):
    handlers = [signal.getsignal(one) for one in ending_signals()]
    with monkeypatch.context() as patch:
        killed_at(patch, 10, lambda: os.kill(os.getpid(), number))
        stopped = model(**HELD)
        with pytest.raises(
            Interrupted, match=rf"^stopped by {number.name} in epoch 2 of 3, after batch \d of \d; "
        ):
            stopped.fit(digits, checkpoint=Checkpoint(path, minutes=1e-9))
    assert [signal.getsignal(one) for one in ending_signals()] == handlers
    assert stopped.epochs_ == 1
    assert_equal(model(**HELD).fit(digits, checkpoint=going()), whole(**HELD))


def test_a_second_signal_ends_it_at_once(digits, path, monkeypatch):
    def twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    killed_at(monkeypatch, 1, twice)
    with pytest.raises(KeyboardInterrupt) as caught:
        model().fit(digits, checkpoint=Checkpoint(path))
    assert caught.type is KeyboardInterrupt
    assert [p.name for p in path.parent.iterdir()] == [CHECKPOINT_NAME]


def test_in_another_thread_nobody_listens_and_all_else_is_the_same(digits, path, whole):
    found = SimpleNamespace()
    thread = threading.Thread(
        target=lambda: vars(found).update(m=model().fit(digits, checkpoint=Checkpoint(path)))
    )
    thread.start(), thread.join()
    assert_equal(found.m, whole())


def test_a_file_is_that_of_one_training_at_a_time(digits, path):
    for _ in model().fit_epochs(digits, checkpoint=Checkpoint(path)):
        with pytest.raises(OutputError, match="is being written by another process"):
            model().fit(digits, checkpoint=Checkpoint(path))
        break


# -- no room ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["ENOSPC", "EDQUOT", "EFBIG", "EROFS"])
@pytest.mark.parametrize("when", [0, 2])
def test_if_nothing_can_be_written_training_stops_and_the_previous_checkpoint_is_intact(
    digits, path, going, whole, monkeypatch, why, when
):
    code, syncs = getattr(errno, why), []

    def full(place):
        syncs.append(place)
        if len(syncs) > 2 * when:  # a file, and its folder
            raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr("narrows.files._sync", full)
        with pytest.raises(OutputError) as caught:
            model().fit(digits, checkpoint=Checkpoint(path))
    kept = (
        "its old content is intact; once there is room, the same command with --resume "
        "(resume=True) goes on"
    )
    ending = f"{kept} from there" if when else "nothing was left of it"
    assert str(caught.value) == f"{path} cannot be written: {os.strerror(code)}; {ending}"
    assert not path.parent.exists() or not list(path.parent.glob(f"{PREFIX}*"))
    assert_equal(model().fit(digits, checkpoint=going()), whole())


# -- what the file says ----------------------------------------------------------------------------


def test_a_checkpoint_says_what_it_is(digits, path):
    model(epochs=2).fit(digits, checkpoint=Checkpoint(path))
    told = describe_file(path)
    assert told["what"].startswith(
        "checkpoint of a training, from which `narrows train ... --resume` continues"
    )
    assert (told["epochs done"], told["body.widths"]) == (2, "[16]")
    with pytest.raises(
        DataError, match=r"it is the checkpoint of a training.* the model is model\.safetensors"
    ):
        nw.load(path)


def test_a_folder_whose_training_was_interrupted_says_so(digits, path):
    model(epochs=1).fit(digits, checkpoint=Checkpoint(path))
    with pytest.raises(DataError, match=r"no model file .*last\.safetensors is a checkpoint"):
        nw.load(path.parent)


def test_the_file_is_plain_tensors_and_json(digits, path):
    m = model(**HELD).fit(digits, checkpoint=Checkpoint(path))
    header, tensors = contents.read_file(path)
    kinds = {name.split(".")[0] for name in tensors}
    assert kinds - {"best"} == {"network", "average", "optimiser", "steps", "sums"}
    assert timeless(header["training"]["numbers"]["history"]) == timeless(m.history_)


@pytest.mark.parametrize(("write", "apart"), [(1, False), (3, True), (9, False), (11, True)])
def test_the_best_weights_are_written_next_to_the_last_if_they_differ(
    digits, path, monkeypatch, write, apart
):
    broken(
        digits, monkeypatch, Checkpoint(path, minutes=1e-9), write
    )  # the last of 1 and 9 are those of whole epochs
    assert any(name.startswith("best.") for name in contents.read_file(path)[1]) == apart
