"""The recipes of all products that the sample has trades of."""

from __future__ import annotations

from riskpipe.sample import (
    exotic_recipes,
    linear_recipes,
    option_recipes,
    rate_option_recipes,
    rate_recipes,
)
from riskpipe.sample.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    **rate_recipes.RECIPES,
    **option_recipes.RECIPES,
    **linear_recipes.RECIPES,
    **rate_option_recipes.RECIPES,
    **exotic_recipes.RECIPES,
}
"""The mixed book of `riskpipe init`: every product of the catalogue."""
