"""The table of verbs. Each loads what it needs when it is called, so that `narrows --help` is quick."""

from typing import Any

from attrs import evolve  # of what cyclopts is made
from cyclopts import App
from cyclopts.help import DefaultFormatter, HelpPanel

from narrows import __version__
from narrows.cli import archives, bench, codec, lists, packs, studies
from narrows.cli import denoise as clean
from narrows.cli import evaluate as measuring
from narrows.cli import images as use
from narrows.cli import merge as merging
from narrows.cli import model_files as model
from narrows.cli import patches as cutting
from narrows.cli import score as numbers
from narrows.cli import train as learn


class Help(DefaultFormatter):
    """Help without defaults that say nothing: a switch that is off, a text that is not given."""

    def __call__(self, console: Any, options: Any, panel: HelpPanel) -> None:
        panel.entries = [
            evolve(entry, default=None) if entry.default in ("False", '""') else entry
            for entry in panel.entries
        ]
        super().__call__(console, options, panel)


app = App(
    "narrows",
    help="Train, compare and use autoencoders on images. Start with: narrows demo",
    version=__version__,
    help_epilogue=(
        "Every verb has --help with an example. --debug, with any verb, shows where "
        "an error comes from."
    ),
    help_format="plaintext",
    help_formatter=Help(),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
VERBS = (
    studies.demo, studies.lab, studies.study, learn.train, learn.compare, measuring.evaluate, studies.report,
    use.reconstruct, clean.denoise, use.sample, use.interpolate, numbers.encode,
    use.decode, numbers.score, archives.compress, archives.decompress, merging.merge,
    cutting.patches, packs.pack, packs.verify, model.info, model.export,
    lists.labs, lists.recipes, lists.parts,
)  # fmt: skip
for place, verb in enumerate(VERBS):  # help lists them in this order
    app.command(verb, sort_key=place)
codec.app.sort_key = VERBS.index(archives.compress) - 0.5  # before it
app.command(codec.app)
app.command(bench.app)
