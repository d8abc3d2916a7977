"""Verbs that list labs, recipes and parts."""

from narrows.cli.options import Json
from narrows.cli.output import give


def labs(*, json: Json = False) -> None:
    """List the labs.

    Example: narrows labs
    """
    from narrows.study.labs import labs as all_labs

    give(all_labs(), json)


def recipes(*, json: Json = False) -> None:
    """List the recipes: models with a name, and where each comes from.

    Example: narrows recipes
    """
    from narrows.model.recipes import recipes as all_recipes

    give(all_recipes(), json)


def parts(*, json: Json = False) -> None:
    """List the parts that a model is made of, with their options and defaults.

    Example: narrows parts
    """
    from narrows.model.build import parts_table

    give(parts_table(), json)
