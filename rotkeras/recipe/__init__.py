"""Recipes: one training as a strict YAML file and a frozen, typed object."""

from rotkeras.recipe.files import dump, find, load, shipped, validate
from rotkeras.recipe.models import Export, Recipe

__all__ = ["Export", "Recipe", "dump", "find", "load", "shipped", "validate"]
