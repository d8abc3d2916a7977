"""Archives that were written once are decoded exactly, and written again as they are, on any machine.

The numbers do not depend on threads, on the vector units of the processor, nor on how many images are
compressed together. Each process of the table below must report the same.
"""

import json
import os
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import golden_archives
from golden_archives import FOLDER, GENERAL, NAMES, blocks_of, content, digest, images_in, some
from narrows.codec import parallel
from narrows.codec.archive import Archive, Writer
from narrows.codec.general import METHODS
from narrows.codec.index import PIXEL_MODEL
from second_decoder import decode

EXPECTED = json.loads((FOLDER / "expected.json").read_text())
NO_UNITS = " ".join(np._core._multiarray_umath.__cpu_dispatch__)
NEHALEM = {"OPENBLAS_CORETYPE": "Nehalem", "ONEDNN_MAX_CPU_ISA": "SSE41"}
PROCESSES = [
    {"OPENBLAS_NUM_THREADS": "2"},
    {"OPENBLAS_NUM_THREADS": "1", **NEHALEM, "NPY_DISABLE_CPU_FEATURES": NO_UNITS},
]
MORE = [
    {"OPENBLAS_NUM_THREADS": threads, "OPENBLAS_CORETYPE": core, **more}
    for threads in ("1", "2")
    for core in ("Prescott", "Sandybridge", "Haswell", "SkylakeX", "Zen")
    for more in (
        {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        {"NPY_DISABLE_CPU_FEATURES": NO_UNITS, "ONEDNN_MAX_CPU_ISA": "SSE41"},
    )
]


def reported(variables):
    """What a process with these variables makes of all archives."""
    path = os.pathsep.join([*(str(Path(place)) for place in sys.path if place)])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", golden_archives.__file__],
        env=environment,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here():
    return golden_archives.report()


@pytest.mark.parametrize("name", [*NAMES, GENERAL])
def test_golden_archive_is_decoded_exactly(name):
    assert digest(images_in(content(name))) == EXPECTED[name]
    assert digest(decode(content(name))) == EXPECTED[name]
    methods = {entry.method for entry in Archive(BytesIO(content(name))).index.blocks}
    assert methods == (set(range(len(METHODS))) if name == GENERAL else {PIXEL_MODEL})


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="DEFLATE leaves other bytes")
@pytest.mark.parametrize("name", NAMES)
def test_golden_archive_is_written_again_to_the_same_bytes(name):
    assert golden_archives.written_again(content(name)) == content(name)


def assert_all_the_same(report, here):
    assert report["images"] == EXPECTED
    assert report["written again"] == list(NAMES)
    assert report["together"] == here["together"]


@pytest.mark.parametrize("variables", PROCESSES, ids=str)
def test_golden_archives_do_not_depend_on_threads_and_vector_units(variables, here):
    report = reported(variables)
    assert_all_the_same(report, here)
    if "NPY_DISABLE_CPU_FEATURES" in variables:
        assert report["vector units"] != here["vector units"]


@pytest.mark.slow
@pytest.mark.parametrize("variables", MORE, ids=str)
def test_golden_archives_do_not_depend_on_any_vector_units(variables, here):
    assert_all_the_same(reported(variables), here)


def test_archive_does_not_depend_on_how_images_are_fed(monkeypatch):
    """As an array, one by one, in another order of bytes in memory; by one thread or several."""
    images = some(64)
    feeds = [
        lambda: images,
        lambda: iter(images),
        lambda: (image.copy() for image in images),
        lambda: list(np.asfortranarray(images)),
        lambda: images[::-1, ::-1].copy()[::-1, ::-1],
    ]
    model = Archive(BytesIO(content("grey"))).model
    for coder in (model, None):
        archives = set()
        for cores, feed in enumerate(feeds, start=1):
            monkeypatch.setattr(parallel, "count_cores", lambda cores=cores: cores)
            file = BytesIO()
            Writer(file, coder).write(feed())
            archives.add(file.getvalue())
        assert len(archives) == 1


def test_block_of_an_archive_does_not_depend_on_those_before_it():
    """Nothing is carried from block to block: each is as it would be alone."""
    images = list(some(30))
    model = Archive(BytesIO(content("grey"))).model
    file, alone = BytesIO(), []
    Writer(file, model).write([*images, *(image > 9 for image in images), *images[:9]])
    for part in (images, [image > 9 for image in images], images[:9]):
        one = BytesIO()
        Writer(one, model).write(part)
        alone += blocks_of(one.getvalue())
    assert blocks_of(file.getvalue()) == alone
