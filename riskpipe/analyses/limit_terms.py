"""Limits, for those who need no tables to know them."""

from __future__ import annotations

from typing import Any, Literal, get_args

from msgspec import Struct

Direction = Literal["upper", "lower", "absolute"]
DIRECTIONS: tuple[str, ...] = get_args(Direction)
AGGREGATED_TAILS = ("var_99", "es_97_5")
"""Measures of the aggregates that are made of the measure historical_var."""
FIGURES_OF_THE_TAIL = "var"
"""The measure of a limit on a figure of `risk.var`, which its name says."""


class Limit(Struct, frozen=True):
    """A limit of books.

    :param book: a path or a pattern (fnmatch) over the paths of the book tree; the root is the empty string.
    :param measure: one that books have a value of (aggregates), or `var`.
    :param name: of the figure, or of the stress; None: each of the measure.
    :param warning: from where on it is close; None: it is never.
    :param limit: in the base currency.
    :param direction: the value is to be at most the limit, at least the limit, or at most the limit in size.
    """

    book: str
    measure: str
    name: str | None
    warning: float | None
    limit: float
    direction: Direction

    def beyond(self, value: Any, bound: float) -> Any:
        """Whether a value, or each of an array, is beyond one of the bounds."""
        if self.direction == "lower":
            return value < bound
        return (abs(value) if self.direction == "absolute" else value) > bound
