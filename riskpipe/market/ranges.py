"""What numbers usually lie within: one outside is possible, and odd enough to be told (4.25 for a rate of 4.25 %)."""

from __future__ import annotations

from collections.abc import Mapping

Range = tuple[float, float]
Ranges = Mapping[str, Range]

_RATE, _SPREAD, _VOLATILITY = (-0.1, 1.0), (-0.1, 0.5), (0.005, 3.0)

FACTOR_RANGES: Ranges = {
    "zero_rate": _RATE,
    "par_rate": _RATE,
    "dividend_yield": (-0.2, 0.5),
    "borrow": (-0.05, 1.0),
    "dividend_ratio": (0.0, 0.25),
    "dividend_over_spot": (0.0, 0.25),
    "hazard_rate": (-0.1, 10.0),
    "cds_spread": (0.0, 2.0),
    "black_vol": _VOLATILITY,
    "normal_vol": (0.00001, 0.1),
    "fx_vol": (0.005, 2.0),
    "risk_reversal": (-0.5, 0.5),
    "butterfly": (-0.2, 0.5),
    "fixing": _RATE,
    "inflation_zero": (-0.1, 0.5),
    "fixing_less_curve": (-0.02, 0.02),
    "index_growth": (-0.05, 0.1),
    "forward_less_carry": (-0.1, 0.1),
    "convenience_yield": (-1.0, 1.0),
}
"""Kind of factor (strike type of spreads of volatilities) -> usual levels. `dividend_over_spot`: of a dividend in cash.
`fixing_less_curve`: the last fixing of an index less the beginning of its curve. `index_growth`: of a price index from
one month to the next. `forward_less_carry`: of forward prices over what spot, rates, dividends and borrow costs make of
them, a year. `convenience_yield`: of forward prices without dividends, all of the carry but the rate."""

COLUMN_RANGES: Ranges = {
    "rate": (-0.1, 0.5),
    "fixed_rate": (-0.1, 0.5),
    "coupon": (-0.1, 0.5),
    "spread": _SPREAD,
    "float_spread": _SPREAD,
    "upfront": (-1.0, 1.0),
    "recovery": (0.0, 0.95),
    "shift": (-0.1, 0.2),
    "strike_vol": _VOLATILITY,
    "convexity_volatility": (0.0, 0.1),
    "realised_variance": (0.0, 9.0),
}
"""Column of a product -> usual values. Of a column that is not listed the one whose name its own ends with counts:
pay_spread is a spread."""

RANGES: Ranges = {**FACTOR_RANGES, **COLUMN_RANGES}

_HINT = "rates, spreads and volatilities are decimals a year (0.05 is 5 %)"


def outside(key: str, ranges: Ranges) -> str:
    """What is said of values outside."""
    low, high = ranges[key]
    return f"outside [{low:g}, {high:g}], the range of {key}: {_HINT}; check.ranges.{key} sets another"
