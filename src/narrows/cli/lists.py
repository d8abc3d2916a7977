"""Verbs that list what there is: labs, recipes, parts."""

from narrows.cli.options import Json
from narrows.cli.output import give


def labs(*, json: Json = False) -> None:
    """List the labs.

    Example: narrows labs
    """
    from narrows.study.labs import labs as found

    give(found(), json)


def recipes(*, json: Json = False) -> None:
    """List the recipes: models with a name, and where each comes from.

    Example: narrows recipes
    """
    from narrows.model.recipes import recipes as found

    give(found(), json)


def parts(*, json: Json = False) -> None:
    """List the parts that a model is made of, with their options and defaults.

    Example: narrows parts
    """
    from narrows.model.build import parts_table as found

    give(found(), json)
