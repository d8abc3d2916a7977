"""How long an epoch takes, and an evaluation of the test images: `make bench`.

For each recipe, `ROUNDS` rounds in turn (A B C, A B C, ...), so that a machine that slows down slows all of them; the
median and the spread are printed, never a single figure. MNIST where $NARROWS_DATA has it, else digits.

    python benchmarks/speed.py [RECIPE ...]
"""

import statistics
import sys
import time

import narrows as nw
from narrows.measure import Table

ROUNDS = 3
RECIPES = ("lab-a", "lab-c", "lab-d", "lab-e1", "lab-e2-64", "lab-e6-deconv", "pca")


def images() -> tuple:
    """Training and test images."""
    try:
        return nw.load_data("mnist")[0], nw.load_data("mnist", split="test")[0]
    except nw.NarrowsError:
        return nw.load_data("digits")[0], nw.load_data("digits", split="test")[0]


def once(name: str, train, test) -> tuple[float, float]:
    """Seconds of one epoch (for PCA: of its fit), and of an evaluation."""
    model = nw.recipe(name) if name == "pca" else nw.recipe(name, epochs=1)
    start = time.perf_counter()
    model.fit(train)
    seconds = getattr(model, "history_", {}).get("seconds", [time.perf_counter() - start])[0]
    start = time.perf_counter()
    nw.evaluate(model, test)
    return seconds, time.perf_counter() - start


def spread(values: list[float]) -> str:
    """The median, and the least and largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    names = sys.argv[1:] or RECIPES
    train, test = images()
    found = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            found[name].append(once(name, train, test))
    print(f"{len(train):,} images to train, {len(test):,} to evaluate; seconds: median (least-largest) of {ROUNDS}")
    print(
        Table(
            {"recipe": name, "epoch": spread([r[0] for r in rounds]), "evaluation": spread([r[1] for r in rounds])}
            for name, rounds in found.items()
        )
    )


if __name__ == "__main__":
    main()
