"""Statistics of a backtest: losses against value at risk day by day, and the P&L of one model against another's."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray

Zone = Literal["green", "yellow", "red"]

# From these cumulative probabilities on, a number of exceptions is yellow, and red (Basel Committee 1996, table 2).
YELLOW_FROM, RED_FROM = 0.95, 0.9999
# P&L attribution (MAR32.42): a desk is green above the first correlation and below the first distance, and red below
# the second correlation or above the second distance.
SPEARMAN_ZONES = (0.80, 0.70)
KOLMOGOROV_SMIRNOV_ZONES = (0.09, 0.12)


def kupiec_p(exceptions: int, days: int, probability: float) -> float:
    """p-value of the proportion of failures (Kupiec 1995): exceptions have the probability that they should have.

    :param days: at least one. :param probability: of an exception, 0.01 of a value at risk at 99 %.
    """
    return _chi_squared_tail(_coverage(exceptions, days, probability), 1)


def christoffersen_p(is_exception: NDArray[np.bool_], probability: float) -> float:
    """p-value of conditional coverage (Christoffersen 1998): they have it whatever the day before was, too.

    The likelihood ratio is that of `kupiec_p` and that of independence against a Markov chain of first order, added up.

    :param is_exception: bool[days], one day after the other, two at least.
    """
    ratio = _coverage(int(is_exception.sum()), len(is_exception), probability) + _independence(is_exception)
    return _chi_squared_tail(ratio, 2)


def traffic_light(exceptions: int, days: int, probability: float) -> Zone:
    """Basel's zone: by the probability that a right value at risk has no more exceptions.

    Of 250 days at 99 %: yellow from 5 exceptions, red from 10. No exception is green however few the days are.
    """
    reached = _binomial_cumulative(days, probability)[exceptions]
    if not exceptions or reached < YELLOW_FROM:
        return "green"
    return "yellow" if reached < RED_FROM else "red"


def spearman(first: FloatArray, second: FloatArray) -> float:
    """Correlation of ranks, those of equals averaged; NaN where one of the samples is of equals alone."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(math.fsum(a * a) * math.fsum(b * b))
    return math.fsum(a * b) / scale if scale else math.nan


def kolmogorov_smirnov(first: FloatArray, second: FloatArray) -> float:
    """The largest distance between the empirical distributions of two samples."""
    a, b = np.sort(first), np.sort(second)
    at = np.concatenate([a, b])
    below = np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)
    return float(np.abs(below).max())


def pla_zone(correlation: float, distance: float) -> Zone:
    """Zone of P&L attribution (MAR32.42), by `spearman` and `kolmogorov_smirnov`."""
    if correlation < SPEARMAN_ZONES[1] or distance > KOLMOGOROV_SMIRNOV_ZONES[1]:
        return "red"
    is_green = correlation > SPEARMAN_ZONES[0] and distance < KOLMOGOROV_SMIRNOV_ZONES[0]
    return "green" if is_green else "yellow"


def _coverage(exceptions: int, days: int, probability: float) -> float:
    kept, rate = days - exceptions, exceptions / days
    expected = _log_power(1.0 - probability, kept) + _log_power(probability, exceptions)
    return 2.0 * (_log_power(1.0 - rate, kept) + _log_power(rate, exceptions) - expected)


def _independence(is_exception: NDArray[np.bool_]) -> float:
    before, after = is_exception[:-1], is_exception[1:]
    quiet, turned = int((~before & ~after).sum()), int((~before & after).sum())
    ended, repeated = int((before & ~after).sum()), int((before & after).sum())
    rate = (turned + repeated) / len(before)
    alike = _log_power(1.0 - rate, quiet + ended) + _log_power(rate, turned + repeated)
    return 2.0 * (_of_chain(quiet, turned) + _of_chain(ended, repeated) - alike)


def _of_chain(without: int, having: int) -> float:
    """Log likelihood of days of one state of the day before."""
    rate = having / max(without + having, 1)
    return _log_power(1.0 - rate, without) + _log_power(rate, having)


def _log_power(base: float, exponent: int) -> float:
    """log(base ** exponent), with 0 ** 0 = 1."""
    return exponent * math.log(base) if exponent else 0.0


def _chi_squared_tail(value: float, degrees: Literal[1, 2]) -> float:
    half = max(value, 0.0) / 2.0
    return math.erfc(math.sqrt(half)) if degrees == 1 else math.exp(-half)


@cache
def _binomial_cumulative(days: int, probability: float) -> FloatArray:
    """float64[days + 1]: P(X <= k)."""
    k = np.arange(days + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, days + 1)))])
    log_mass = log_factorial[days] - log_factorial[k] - log_factorial[days - k]
    log_mass += k * math.log(probability) + (days - k) * math.log1p(-probability)
    return np.asarray(np.cumsum(np.exp(log_mass)))


def _ranks(sample: FloatArray) -> FloatArray:
    _, which, counts = np.unique(sample, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - 0.5 * (counts - 1))[which])
