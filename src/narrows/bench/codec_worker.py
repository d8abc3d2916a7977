"""One task of one way of storing a set, in a process of its own (`processes`).

    train     writes the model                            seconds, bytes of the model
    encode    reads the test images, encodes them         seconds, bytes
    decode    reads the files that `encode` wrote         seconds; whether the pixels are the same
    rates     a way with loss, at each of its qualities   points of rate and distortion

Between the two are `files.bin`, all files one after another, and `files.json`, with their lengths, the shapes
of the images and a hash of the pixels. Reading and writing them is not timed.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from narrows.bench.codec_sets import images_of
from narrows.bench.codec_ways import LOSSY_WAYS, WAYS, Coder
from narrows.bench.processes import Order, Round, peak_memory, serve
from narrows.codec.arrangements import Images

Prepared = tuple[dict[str, Any], Round]


def prepare(order: Order) -> Prepared:
    """The task that the order names, ready for its rounds."""
    _use_cores(order["threads"])
    return TASKS[order["task"]](order)


def _use_cores(count: int) -> None:
    """Run on the first `count` of the cores that this process may use, where a system can say so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _train(order: Order) -> Prepared:
    images, model = images_of(order["set"], "train", order["images"]), Path(order["model"])
    train = WAYS[order["way"]].train or (lambda images, model: None)
    return {}, lambda: {"seconds": _timed(lambda: train(images, model))[0]}


def _encode(order: Order) -> Prepared:
    images = images_of(order["set"], "test", order["images"])
    coder, folder = _coder(order), Path(order["folder"])

    def run_round() -> dict[str, Any]:
        seconds, files = _timed(lambda: coder.encode(images))
        content = {
            "lengths": [len(file) for file in files],
            "shapes": [image.shape for image in images],
            "pixels": digest(images),
        }
        (folder / "files.bin").write_bytes(b"".join(files))
        (folder / "files.json").write_text(json.dumps(content))
        return {"seconds": seconds, "bytes": sum(content["lengths"])}

    values = sum(image.size for image in images)
    return {"images": len(images), "values": values, "before": peak_memory()}, run_round


def _decode(order: Order) -> Prepared:
    coder, folder = _coder(order), Path(order["folder"])
    content = json.loads((folder / "files.json").read_text())
    shapes = [tuple(shape) for shape in content["shapes"]]
    files = _split((folder / "files.bin").read_bytes(), content["lengths"])

    def run_round() -> dict[str, Any]:
        seconds, images = _timed(lambda: coder.decode(files, shapes))
        return {"seconds": seconds, "exact": digest(images) == content["pixels"]}

    return {"before": peak_memory()}, run_round


def _rates(order: Order) -> Prepared:
    images = images_of(order["set"], "test", order["images"])
    training = partial(images_of, order["set"], "train", order["images"])
    points = LOSSY_WAYS[order["way"]].points
    return {}, lambda: {
        "points": points(images, order["arrangement"], training, Path(order["model"]))
    }


def _coder(order: Order) -> Coder:
    return WAYS[order["way"]].open(Path(order["model"]))


TASKS: dict[str, Callable[[Order], Prepared]] = {
    "train": _train,
    "encode": _encode,
    "decode": _decode,
    "rates": _rates,
}


def digest(images: Images) -> str:
    """A hash of the pixels and the shapes of images."""
    hashed = hashlib.sha256()
    for image in images:
        hashed.update(f"{image.dtype} {image.shape}".encode())
        hashed.update(image.tobytes())
    return hashed.hexdigest()


def _split(data: bytes, lengths: list[int]) -> list[bytes]:
    ends = list(accumulate(lengths))
    return [data[end - length : end] for length, end in zip(lengths, ends)]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    serve(prepare)
