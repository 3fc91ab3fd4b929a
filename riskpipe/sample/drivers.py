"""What moves the sample's history: a few hundred drivers, six of them global, and who loads on them.

The global drivers (equity, volatility, rates, dollar, credit, commodity) are correlated as in a decade with
crises: equity down goes with volatility up, spreads wider, yields lower and the dollar up. Every curve, spot,
surface, issuer and commodity has drivers of its own that are partly global; every point loads on up to four.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.sample.market_table import Point
from riskpipe.sample.universe import (
    BY_CODE,
    COMMODITY_BY_NAME,
    EQUITY_BY_NAME,
    FX_SMILES,
    INDEX_BY_NAME,
    ISSUER_BY_NAME,
    commodity_of,
)

GLOBALS = ("equity", "volatility", "rates", "dollar", "credit", "commodity")
CORRELATION = np.array(
    [
        [1.00, -0.80, 0.25, -0.35, -0.72, 0.35],
        [-0.80, 1.00, -0.25, 0.30, 0.68, -0.30],
        [0.25, -0.25, 1.00, 0.20, -0.25, 0.20],
        [-0.35, 0.30, 0.20, 1.00, 0.30, -0.35],
        [-0.72, 0.68, -0.25, 0.30, 1.00, -0.30],
        [0.35, -0.30, 0.20, -0.35, -0.30, 1.00],
    ]
)
MAX_LOADINGS = 4
BUSINESS_YEAR = math.sqrt(252.0)


class Driver(Struct, frozen=True):
    """A unit-variance daily shock, summed up over time with some pull back to its mean.

    :param common: weights on the global drivers; what is missing to unit variance is the driver's own.
    :param reversion: share of the accumulated state that is lost a day.
    """

    name: str
    common: tuple[tuple[str, float], ...] = ()
    reversion: float = 0.0


class FactorModel(Struct, frozen=True):
    """:param index: int32[n_points, MAX_LOADINGS] into `drivers`; unused loadings have weight 0.
    :param weight: float64[n_points, MAX_LOADINGS], move of the point or its logarithm, by driver.
    :param noise: float64[n_points], standard deviation of the quote's own error.
    :param logarithmic: bool[n_points]: the point moves in logarithms.
    """

    drivers: tuple[Driver, ...]
    index: NDArray[np.int32]
    weight: FloatArray
    noise: FloatArray
    logarithmic: NDArray[np.bool_]


Loading = tuple[Driver, float]


def factor_model(points: Sequence[Point]) -> FactorModel:
    """Every point's loadings, by its kind; drivers numbered as they first appear."""
    position: dict[str, int] = {}
    drivers: list[Driver] = []
    index = np.zeros((len(points), MAX_LOADINGS), np.int32)
    weight = np.zeros((len(points), MAX_LOADINGS))
    noise = np.zeros(len(points))
    for k, point in enumerate(points):
        loadings, noise[k] = _LOADINGS[point.kind](point)
        for j, (driver, amount) in enumerate(loadings):
            if driver.name not in position:
                position[driver.name] = len(drivers)
                drivers.append(driver)
            index[k, j], weight[k, j] = position[driver.name], amount
    direct = ("zero_rate", "par_rate", "inflation_zero")
    logarithmic = np.array([point.kind not in direct and not point.legs for point in points])
    return FactorModel(tuple(drivers), index, weight, noise, logarithmic)


def _zero_rate(point: Point) -> tuple[list[Loading], float]:
    """Level, slope and curvature with Nelson-Siegel loadings, shared by a currency's curves, and a basis."""
    code = BY_CODE[point.currency or ""].code
    # Yields of low-rate currencies move less; slope against level makes the short end the quiet one.
    quiet = 0.55 if code in ("JPY", "CHF") else 1.0
    level = Driver(f"level:{code}", (("rates", 0.82),), 0.004)
    slope = Driver(f"slope:{code}", (("rates", -0.65), ("equity", 0.15)), 0.010)
    curvature = Driver(f"curvature:{code}", (), 0.025)
    x = max(point.years, 1e-3) / 2.5
    steep = -math.expm1(-x) / x
    loadings = [
        (level, 5.2e-4 * quiet),
        (slope, 4.0e-4 * quiet * steep),
        (curvature, 4.5e-4 * quiet * (steep - math.exp(-x))),
    ]
    if point.name.endswith(".GOVT"):
        spread = Driver(f"swap_spread:{code}", (("credit", -0.2),), 0.03)
        loadings.append((spread, 0.9e-4 * (0.4 + 0.6 * -math.expm1(-point.years / 5.0))))
    elif point.name in INDEX_BY_NAME and INDEX_BY_NAME[point.name].basis is not None:
        basis = Driver(f"basis:{point.name}", (("credit", 0.3),), 0.05)
        loadings.append((basis, 0.35e-4 * (0.5 + 0.5 * math.exp(-point.years / 10.0))))
    return loadings, 0.08e-4


def _inflation(point: Point) -> tuple[list[Loading], float]:
    driver = Driver(f"inflation:{point.name}", (("commodity", 0.45), ("rates", 0.30)), 0.006)
    return [(driver, 2.5e-4 * (0.6 + 0.8 * math.exp(-point.years / 6.0)))], 0.05e-4


def _spot(point: Point) -> tuple[list[Loading], float]:
    if point.name in EQUITY_BY_NAME:
        equity = EQUITY_BY_NAME[point.name]
        driver = Driver(f"equity:{point.name}", (("equity", equity.market),))
        return [(driver, equity.smile.long / BUSINESS_YEAR)], 0.0
    smile = FX_SMILES[point.name]
    # A stronger dollar lowers EURUSD and lifts USDJPY; the yen and the franc gain when equities fall.
    sign = 1.0 if point.name.startswith("USD") else -1.0
    haven = 0.55 if point.name in ("USDJPY", "USDCHF") else 0.0
    driver = Driver(f"fx:{point.name}", (("dollar", 0.72 * sign), ("equity", haven)))
    return [(driver, smile.long / BUSINESS_YEAR)], 0.0


def _vol(point: Point) -> tuple[list[Loading], float]:
    """Log moves that die out with expiry, and a skew that steepens on its own; spreads follow their vols."""
    common = 0.5
    if point.name in EQUITY_BY_NAME:
        common = 0.90 if EQUITY_BY_NAME[point.name].is_index else 0.60
    elif point.name in COMMODITY_BY_NAME:
        common = 0.35
    level = Driver(f"vol:{point.name}", (("volatility", common),), 0.025)
    skew = Driver(f"skew:{point.name}", (("volatility", 0.2),), 0.050)
    size = 0.046 * (max(point.years, 0.02) * 12.0) ** -0.36
    slope = -0.035 * (max(point.years, 0.02) * 12.0) ** -0.25
    if point.legs:
        tilt = slope * sum(leg.weight * leg.vol * math.log(leg.moneyness) for leg in point.legs)
        return [(level, size * point.value), (skew, tilt)], 0.0006 * abs(point.value)
    return [(level, size), (skew, slope * math.log(point.moneyness))], 0.0006


def _hazard(point: Point) -> tuple[list[Loading], float]:
    issuer = ISSUER_BY_NAME[point.name]
    level = Driver(f"credit:{point.name}", (("credit", 0.70),), 0.006)
    term = Driver(f"credit_slope:{point.name}", (), 0.04)
    size = 0.026 if issuer.grade == "ig" else 0.022
    tenor = max(point.years, 0.25) / 5.0
    return [(level, size * tenor**-0.12), (term, -0.006 * math.log(tenor))], 0.001


def _forward(point: Point) -> tuple[list[Loading], float]:
    """Short end against long end: vol falls along the curve (Samuelson 1965). Crude oils move together."""
    commodity = commodity_of(point.name)
    family = "CRUDE" if commodity.name in ("WTI", "BRENT") else commodity.name
    common = 0.30 if commodity.name == "GOLD" else 0.62
    front = Driver(f"front:{family}", (("commodity", 0.30),), 0.010)
    parallel = Driver(f"parallel:{family}", (("commodity", common),))
    extra = math.sqrt(max(commodity.smile.short**2 - commodity.smile.long**2, 1e-6))
    decay = math.exp(-commodity.samuelson * point.years)
    grade = Driver(f"grade:{commodity.name}", (), 0.020)
    loadings = [
        (parallel, commodity.smile.long / BUSINESS_YEAR),
        (front, extra * decay / BUSINESS_YEAR),
        (grade, 0.12 * commodity.smile.long / BUSINESS_YEAR),
    ]
    return loadings, 0.0002


def _dividend(point: Point) -> tuple[list[Loading], float]:
    driver = Driver(f"dividend:{point.name}", (("equity", -0.4),), 0.03)
    return [(driver, 0.004)], 0.0005


def _discrete_dividend(point: Point) -> tuple[list[Loading], float]:
    """Analysts' forecasts follow the market, the distant ones more."""
    driver = Driver(f"payout:{point.name}", (("equity", 0.5),), 0.01)
    return [(driver, 0.001 + 0.004 * min(point.years, 2.0))], 0.0


def _borrow(point: Point) -> tuple[list[Loading], float]:
    driver = Driver(f"borrow:{point.name}", (("volatility", 0.3),), 0.03)
    return [(driver, 0.02)], 0.001


_LOADINGS = {
    "zero_rate": _zero_rate,
    "par_rate": _zero_rate,
    "spot": _spot,
    "fx_vol": _vol,
    "black_vol": _vol,
    "normal_vol": _vol,
    "hazard_rate": _hazard,
    "cds_spread": _hazard,
    "forward_price": _forward,
    "dividend_yield": _dividend,
    "dividend": _discrete_dividend,
    "dividend_ratio": _discrete_dividend,
    "borrow": _borrow,
    "inflation_zero": _inflation,
}


def common_weights(drivers: Sequence[Driver]) -> tuple[FloatArray, FloatArray]:
    """Weights on the global drivers, [n_drivers, 6], and on the driver's own shock, [n_drivers]."""
    common = np.zeros((len(drivers), len(GLOBALS)))
    for k, driver in enumerate(drivers):
        for name, amount in driver.common:
            common[k, GLOBALS.index(name)] = amount
    explained = np.array([row @ CORRELATION @ row for row in common])
    return common, np.sqrt(np.maximum(1.0 - explained, 0.0))
