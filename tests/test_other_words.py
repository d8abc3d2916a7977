"""Options asked for by the words of other libraries: the error names the option that exists."""

import inspect

import pytest

import narrows as nw
from narrows.errors import OTHER_WORDS, UnknownName, did_you_mean, unknown
from narrows.parts.kinds import KINDS

OPTIONS = set(inspect.signature(nw.Autoencoder).parameters) | set(
    inspect.signature(nw.PCA).parameters
)


@pytest.mark.parametrize(
    ("word", "option"),
    [
        ("learning_rate", "optimiser.lr"),
        ("lr", "optimiser.lr"),
        ("learning-rate", "optimiser.lr"),
        ("weight_decay", "optimiser.weight_decay"),
        ("batch", "batch_size"),
        ("epoch", "epochs"),
        ("seed", "random_state"),
        ("latent_dim", "bottleneck.size"),
        ("code_size", "bottleneck.size"),
        ("dropout", "body.dropout"),
        ("loss", "likelihood"),
    ],
)
def test_an_unknown_option_points_at_the_one_that_exists(word, option):
    with pytest.raises(UnknownName, match=f"did you mean '{option}'"):
        raise unknown("option", word, OPTIONS - {"n_components"})


def test_an_unknown_option_of_a_part_points_at_the_one_that_exists():
    assert did_you_mean("learning_rate", ["lr", "betas"]).startswith("did you mean 'lr'?")
    assert did_you_mean("latent_dim", ["size"]).startswith("did you mean 'size'?")
    assert did_you_mean("latent_dim", ["n_components", "scale"]).startswith(
        "did you mean 'n_components'?"
    )


def test_other_words_lead_to_nothing_where_the_option_does_not_exist():
    assert did_you_mean("learning_rate", ["mlp", "conv"]) == "known: conv, mlp"


@pytest.mark.parametrize(
    "option", [option for option in OTHER_WORDS if not option.startswith("optimiser.")]
)
def test_every_option_that_is_pointed_at_exists(option):
    part, _, own = option.rpartition(".")
    if not part:
        assert own in OPTIONS
        return
    table = KINDS[part].table.values()
    assert any(own in inspect.signature(make).parameters for make in table)


@pytest.mark.parametrize("setting", ["learning_rate=0.1", "lr=0.1", "optimiser.learning_rate=0.1"])
def test_a_learning_rate_by_another_name_is_refused_with_the_option(setting, tmp_path, capsys):
    from narrows.cli import run

    arguments = [
        "train",
        "ae-mlp",
        "--data",
        "digits",
        "-o",
        str(tmp_path / "run"),
        "--set",
        setting,
    ]
    assert run(arguments) == 2
    message = capsys.readouterr().err
    assert "optimiser" in message
    assert "did you mean" in message
    assert "lr'?" in message
