"""The table of verbs. Each loads what it needs when it is called, so that `narrows --help` is quick."""

from cyclopts import App

from narrows import __version__
from narrows.cli import bench, lists, packs, studies
from narrows.cli import images as use
from narrows.cli import merge as merging
from narrows.cli import model_files as model
from narrows.cli import score as numbers
from narrows.cli import train as learn

app = App(
    "narrows",
    help="Train, compare and use autoencoders on images. Start with: narrows demo",
    version=__version__,
    help_epilogue=(
        "Every verb has --help with an example. --debug, with any verb, shows where "
        "an error comes from."
    ),
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
VERBS = (
    studies.demo, studies.lab, studies.study, learn.train, learn.compare, learn.evaluate, studies.report,
    use.reconstruct, use.denoise, use.sample, use.interpolate, numbers.encode,
    use.decode, numbers.score, merging.merge, packs.pack, packs.verify,
    model.info, model.export, lists.labs, lists.recipes, lists.parts,
)  # fmt: skip
for place, verb in enumerate(VERBS):  # help lists them in this order
    app.command(verb, sort_key=place)
app.command(bench.app)
