"""A module that is put off is there when it is used, in each of the ways to use one."""

import subprocess
import sys

import pytest

USES = {
    "an attribute": "import scipy.stats; print(scipy.stats.norm.cdf(0))",
    "a name": "from scipy.stats import norm; print(norm.cdf(0))",
    "a part": "import scipy.stats.distributions; print(scipy.stats.distributions.norm.cdf(0))",
    "by its parent": "import scipy; print(scipy.stats.norm.cdf(0))",
    "after scikit-learn": "import sklearn.base, sklearn.utils.fixes as f; print(f.scipy.stats.norm.cdf(0))",
}
DEFAULT = ("after scikit-learn",)  # and by an attribute; a Python takes a second to begin


def python(*lines: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(use, id=name, marks=[] if name in DEFAULT else pytest.mark.slow)
        for name, use in USES.items()
    ],
)
def test_what_is_put_off_is_there_when_it_is_used(use):
    before = "from narrows.cli.lazy import put_off; put_off('scipy.stats')"
    loaded = "import sys; print('scipy.stats._stats_py' in sys.modules)"
    assert python(before, loaded, use, loaded).split() == ["False", "0.5", "True"]


def test_a_module_that_is_imported_already_stays():
    assert (
        python(
            "import scipy.stats, sys; from narrows.cli.lazy import put_off; put_off('scipy.stats')",
            "print(sys.modules['scipy.stats'] is scipy.stats, scipy.stats.norm.cdf(0))",
        )
        == "True 0.5"
    )


def test_a_model_is_loaded_without_what_is_put_off():
    found = python(
        "from narrows.cli.lazy import put_off; put_off('scipy.stats')",
        "import narrows.model.files.store, sys; print('scipy.stats._stats_py' in sys.modules)",
    )
    assert found == "False"
