"""Terms that trades of all products share: sizes, expiries, strikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import business_days
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.universe import BY_CODE

Days = NDArray[np.int32]
Values = Labels | FloatArray | Days | NDArray[np.bool_]
"""Strings as labels, numbers as float64 (NaN: null), dates as int32 days (`NO_DATE`: null), and booleans."""


class Lists(Struct, frozen=True):
    """A list for each of n trades; trade k has the elements `offsets[k]:offsets[k + 1]`.

    :param offsets: int64[n + 1]. :param elements: values, or of structs the columns of their fields.
    """

    offsets: NDArray[np.int64]
    elements: Values | Mapping[str, Values | Lists]


Columns = dict[str, Values | Lists]


class Draw(Struct, frozen=True):
    """Trades to be made: the desk has drawn what they trade and which way; the rest is up to the product.

    :param rng: this run's own stream.
    :param instruments: of each trade.
    :param long: bool[n].
    """

    rng: np.random.Generator
    as_of: int
    quotes: Quotes
    instruments: Labels
    long: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.instruments)

    @property
    def sign(self) -> FloatArray:
        return np.where(self.long, 1.0, -1.0)

    def years(self, days: Days) -> FloatArray:
        return np.asarray((days - self.as_of) / 365.0)

    def choice(self, values: tuple[int, ...], weights: tuple[float, ...]) -> NDArray[np.int64]:
        cumulative = np.cumsum(weights) / np.sum(weights)
        drawn = np.searchsorted(cumulative[:-1], self.rng.random(len(self)), side="right")
        return np.asarray(np.array(values)[drawn])

    def notional(self, currencies: Labels, millions: float) -> FloatArray:
        """Log-normal sizes about a median in millions of US dollars' worth, two significant digits."""
        median = 1e6 * millions * each(currencies, lambda code: BY_CODE[code].scale)
        return significant(median * np.exp(0.9 * self.rng.standard_normal(len(self))), 2)

    def horizon(self, median_years: float, longest: float) -> Days:
        """Business days ahead of today, log-normal: most of them broken dates, never today itself."""
        years = median_years * np.exp(1.0 * self.rng.standard_normal(len(self)))
        return business_days(self.as_of + 1 + (np.minimum(years, longest) * 365.0).astype(np.int32))

    def strikes(self, forwards: FloatArray, deviations: FloatArray) -> FloatArray:
        """About the forward, half a deviation wide: what was at the money when it was dealt."""
        moves = np.clip(self.rng.standard_normal(len(self)), -3.0, 3.0)
        return np.asarray(forwards * np.exp(0.6 * deviations * moves))

    def calls(self) -> Labels:
        return Labels((self.rng.random(len(self)) < 0.5).astype(np.int32), ("call", "put"))


def each(labels: Labels, function: Callable[[str], float]) -> FloatArray:
    """A number a trade, from its name."""
    return np.array([function(name) for name in labels.names], np.float64)[labels.codes]


def override(labels: Labels, mask: NDArray[np.bool_], name: str) -> Labels:
    """The same names, but `name` where the mask holds."""
    return Labels(np.where(mask, np.int32(len(labels.names)), labels.codes), (*labels.names, name))


def significant(values: FloatArray, digits: int) -> FloatArray:
    """Rounded to significant digits; values above zero."""
    decimals = digits - 1 - np.floor(np.log10(values)).astype(np.int64)
    unit = 10.0 ** np.abs(decimals)
    return np.where(decimals > 0, np.round(values * unit) / unit, np.round(values / unit) * unit)


def past_rates(currencies: Labels, age: FloatArray) -> FloatArray:
    """How far above today's level a currency's rates stood so many years ago: low until 2021, high after."""
    ages = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    cycle = np.interp(age, ages, (0.0, 0.003, 0.005, 0.006, -0.004, -0.020, -0.019, -0.013))
    japan = np.interp(age, ages, (0.0, -0.004, -0.008, -0.010, -0.011, -0.012, -0.012, -0.011))
    size = each(currencies, lambda code: {"CHF": 0.3, "JPY": 0.0}.get(code, 1.0))
    return np.asarray(size * cycle + each(currencies, lambda code: float(code == "JPY")) * japan)
