"""The recipes of all products that the sample has trades of."""

from __future__ import annotations

from riskpipe.sample import (
    commodity_recipes,
    credit_recipes,
    debt_recipes,
    equity_swap_recipes,
    exotic_recipes,
    leg_recipes,
    linear_recipes,
    listed_recipes,
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
    **listed_recipes.RECIPES,
    **leg_recipes.RECIPES,
    **commodity_recipes.RECIPES,
    **credit_recipes.RECIPES,
    **equity_swap_recipes.RECIPES,
    **debt_recipes.RECIPES,
}
"""The mixed book of `riskpipe init`: every product of the catalogue."""
