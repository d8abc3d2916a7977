"""Files that are a little wrong, put to every loader: each is read, or refused in our words.

500 mutants are put to each loader, or as many as NARROWS_FUZZ says: `NARROWS_FUZZ=20000 python -m
pytest tests/test_fuzz.py`. A failure says which mutant it was; the same number is the same file. To each
of the kinds of archives and pixel models a tenth as many are put, each of which decodes images.
"""

import os
import warnings

import pytest

from fuzzed_archives import ARCHIVE_LOADERS
from fuzzed_loaders import LOADERS, Loader
from narrows import files
from narrows.errors import NarrowsError
from small_models import CONSTANT

COUNT = int(os.environ.get("NARROWS_FUZZ", "500"))
SEED = 14
pytestmark = pytest.mark.filterwarnings(CONSTANT)


@pytest.fixture(autouse=True)
def unsynced(monkeypatch):
    """Nothing here has to survive a crash of the machine."""
    monkeypatch.setattr(files, "_sync", lambda path: None)


def failures(loader: Loader) -> list[str]:
    """What mutants led to that is no error of ours."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, mutant in enumerate(loader.mutants(COUNT, SEED)):
            loader.path.write_bytes(mutant)
            try:
                loader.load()
            except NarrowsError:
                pass
            except Exception as error:
                found.append(f"mutant {number}: {type(error).__name__}: {error}")
    return found


@pytest.mark.parametrize("make", [*LOADERS, *ARCHIVE_LOADERS], ids=lambda make: make.__name__)
def test_a_file_with_faults_is_read_or_refused(make, tmp_path):
    assert not failures(make(tmp_path))
