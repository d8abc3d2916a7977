"""The family of errors: what was asked, what was got, what is known, what to do.

Every error that a user can cause derives from `NarrowsError`, itself a `ValueError`. A message is
one or a few plain sentences, written with the user's own words in it. Where several things are
wrong at once, `Faults` collects them, so that nobody mends one only to meet the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any


class NarrowsError(ValueError):
    """Any error that a user can cause."""


class UnknownName(NarrowsError):
    """A name (of a recipe, a part, an option, a data set) that Narrows does not know."""


class ImageError(NarrowsError):
    """Images, or a table, that cannot be used as they are."""


class DataError(NarrowsError):
    """A file or a data set that is missing, truncated, or not what it should be."""


class BuildError(NarrowsError):
    """Parts or options that do not fit together."""


class OutputError(NarrowsError):
    """An output that may not be written: it exists, or its folder does not."""


class TrainingError(NarrowsError):
    """A training that had to stop: a loss that is not a number.

    images: places in X of the images in question, those first that are most to blame.
    """

    def __init__(self, words: str, images: Sequence[int] = ()):
        super().__init__(words)
        self.images = tuple(images)


class Shortage(NarrowsError):
    """A machine that has run out of memory, open files or disk space; no file is to blame."""


class Interrupted(KeyboardInterrupt):
    """A training that was asked to stop, and has kept its state; the message says how to go on."""


class MissingExtra(NarrowsError):
    """An optional package that is not installed."""


class NarrowsWarning(UserWarning):
    """Something a user should know of: a dead code, a constant output."""


def several(things: Sequence[object], most: int = 8) -> str:
    """Things in a row, `most` of them, and how many more there are."""
    more = f" and {len(things) - most:,} more" if len(things) > most else ""
    return ", ".join(map(str, things[:most])) + more


# How text is written that UTF-8 does not know: names of files in another encoding, as an old archive
# leaves them, whose bytes Python keeps as lone surrogates.
ESCAPED = "backslashreplace"


def escaped(text: str) -> str:
    """A text as a file of text can hold it.

    >>> escaped("caf\\udce9.png") == "caf" + "\\\\udce9" + ".png"
    True
    """
    return text.encode("utf-8", ESCAPED).decode()


def counted(what: str, names: Sequence[str]) -> str:
    """How many of something there are, and their names.

    >>> counted("files of other kinds, which are not read", ["a.raw", "b.xyz"])
    'files of other kinds, which are not read: 2 (a.raw, b.xyz)'
    """
    return f"{what}: {len(names):,} ({several(names)})"


# Options by the words that other libraries and papers use for them. An option of a part is
# `part.option`.
OTHER_WORDS = {
    "optimiser.lr": ("learning_rate", "rate", "step_size"),
    "optimiser.weight_decay": ("l2", "decay"),
    "optimiser.momentum": (),
    "epochs": ("epoch", "n_epochs", "num_epochs", "max_epochs"),
    "batch_size": ("batch", "batchsize", "bs", "minibatch_size"),
    "random_state": ("seed", "random_seed"),
    "validation": ("validation_split", "validation_fraction", "val_split"),
    "false_alarms": ("contamination", "alpha", "fpr", "false_positive_rate"),
    "schedule": ("scheduler", "lr_schedule", "lr_scheduler"),
    "bottleneck.size": (
        "code_size", "code_dim", "latent", "latent_dim", "latent_size", "n_latent", "z_dim", "hidden_size",
        "embedding_dim",
    ),
    "n_components": ("code_size", "latent_dim", "components"),
    "bottleneck.beta": ("kl_weight",),
    "bottleneck.warmup": ("kl_warmup", "annealing"),
    "body.widths": ("hidden", "hidden_dims", "hidden_layers", "hidden_layer_sizes", "layers", "units"),
    "body.channels": ("filters", "hidden_channels"),
    "body.dropout": ("dropout_rate",),
    "body.batch_norm": ("batchnorm",),
    "body.activation": ("nonlinearity",),
    "body": ("encoder", "architecture", "network"),
    "up": ("decoder",),
    "likelihood": ("loss", "criterion", "reconstruction_loss"),
    "corruption": ("noise",),
    "corruption.sigma": ("noise_std", "noise_level", "noise_factor"),
}  # fmt: skip


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: a close name if there is one, and all that are known."""
    known = sorted(known)
    close = _same_option(str(name), known) or _close_name(str(name), known)
    hint = f"did you mean '{close}'? " if close else ""
    return f"{hint}known: {', '.join(known) or 'none'}"


def _close_name(name: str, known: Sequence[str]) -> str:
    lowered = {known_name.lower(): known_name for known_name in known}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else ""


def _same_option(name: str, known: Sequence[str]) -> str:
    """The option that goes by that name elsewhere, if it, or the part that it belongs to, is known
    here.
    """
    word = name.lower().replace("-", "_")
    for option, words in OTHER_WORDS.items():
        part, _, own = option.rpartition(".")
        if word not in (own, *words):
            continue
        if part in known:
            return option
        if own in known:
            return own
    return ""


def unknown(kind: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not in a table."""
    return UnknownName(f"there is no {kind} called {name!r}; {did_you_mean(str(name), known)}")


def wrong(what: str, got: object, expected: str, cure: str = "") -> BuildError:
    """The error for a value that cannot be used: what was asked, what was got, what is expected,
    what to do.
    """
    advice = f"; {cure}" if cure else ""
    return BuildError(f"{what}: got {got!r}, expected {expected}{advice}")


class Faults:
    """Collects faults, to be raised as one error.

    >>> faults = Faults("the model cannot be built")
    >>> faults.add("there is no body called 'mpl'")
    >>> faults.stop()
    Traceback (most recent call last):
    narrows.errors.NarrowsError: the model cannot be built: there is no body called 'mpl'
    """

    def __init__(self, headline: str):
        self.headline = headline
        self.found: list[str] = []
        self.caught: list[NarrowsError] = []

    def add(self, fault: str) -> None:
        self.found.append(fault)

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Collect a `NarrowsError` raised inside, and go on after it."""
        try:
            yield
        except NarrowsError as error:
            self.found.append(str(error))
            self.caught.append(error)

    def stop(self, kind: type[NarrowsError] = NarrowsError) -> None:
        """Raise all that was found: an error caught alone as it was, else one error of `kind`."""
        if len(self.found) == 1:
            raise self.caught[0] if self.caught else kind(f"{self.headline}: {self.found[0]}")
        if self.found:
            faults = "\n".join(f"  - {indented(fault)}" for fault in self.found)
            raise kind(f"{self.headline}, for {len(self.found)} reasons:\n{faults}")


def indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def extra(module: str, name: str) -> Any:
    """Import an optional module, or say in one line which extra brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise MissingExtra(
            f"this needs {package}, which is not installed: pip install 'narrows[{name}]'"
        ) from error
