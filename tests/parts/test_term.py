"""Terms of a loss by name: as declared, under the names of earlier versions, and never twice."""

import pytest

from narrows.errors import BuildError
from narrows.parts.term import Term, described_terms, present_names, refuse_same_names

NLL = Term("nll", "NLL", "nats an image")
ROOT = Term("root", "length of the error", former="nll")


def test_a_term_is_described_as_declared_and_else_by_its_name():
    found = described_terms(["nll", "my_cost"], [NLL])
    assert found == {"nll": NLL, "my_cost": Term("my_cost", "my cost")}


def test_a_former_name_is_the_present_one_also_of_the_validation():
    names = ["loss", "nll", "val_nll", "val_loss"]
    expected = {"loss": "loss", "nll": "root", "val_nll": "val_root", "val_loss": "val_loss"}
    assert present_names(names, [ROOT]) == expected


def test_a_former_name_that_another_term_has_now_is_that_term_s():
    assert present_names(["nll", "val_nll"], [ROOT, NLL]) == {"nll": "nll", "val_nll": "val_nll"}
    assert present_names(["", "nll"], [NLL]) == {"": "", "nll": "nll"}


def test_two_terms_of_one_name_are_refused():
    refuse_same_names([NLL, ROOT])
    with pytest.raises(BuildError, match="2 terms of the loss are called 'nll'"):
        refuse_same_names([NLL, ROOT, NLL])
