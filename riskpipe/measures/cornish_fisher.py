"""Value at risk and expected shortfall to second order, by the expansion of Cornish and Fisher."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.measures.tail_definition import Kind

_NORMAL = NormalDist()


class Cumulants(Struct, frozen=True):
    """Of k P&Ls.

    :param delta: float64[k], the deviation of the first-order part alone.
    :param mean, deviation, skewness, kurtosis: float64[k], the latter in excess of the normal distribution's.
    """

    delta: FloatArray
    mean: FloatArray
    deviation: FloatArray
    skewness: FloatArray
    kurtosis: FloatArray


def cumulants(up: FloatArray, down: FloatArray, step: float) -> Cumulants:
    """Of L + Q, L the first and Q the second-order P&L of a normal move.

    L is normal, and its sign is independent of Q: with q = Q - E Q, k2 = E L^2 + E q^2, k3 = 3 E L^2 q + E q^3 and
    k4 = 6 (E L^2 q^2 - E L^2 E q^2) + E q^4 - 3 (E q^2)^2.

    :param up, down: float64[k, n], P&L along n moves of the distribution times `step`, and along their opposites.
    """
    first = (up - down) / (2.0 * step)
    second = (up + down) / (2.0 * step * step)
    mean = second.mean(axis=1)
    q, squares = second - mean[:, None], first * first
    variance, of_gamma = squares.mean(axis=1), (q * q).mean(axis=1)
    k2 = variance + of_gamma
    k3 = 3.0 * (squares * q).mean(axis=1) + (q**3).mean(axis=1)
    k4 = 6.0 * ((squares * q * q).mean(axis=1) - variance * of_gamma) + (q**4).mean(axis=1) - 3.0 * of_gamma**2
    scale = np.where(k2 > 0.0, np.sqrt(k2), 1.0)
    return Cumulants(np.sqrt(variance), mean, np.sqrt(k2), k3 / scale**3, k4 / scale**4)


def cornish_fisher(kind: Kind, confidence: float, of: Cumulants) -> FloatArray:
    """Minus the quantile (var), or minus the mean of those beyond it (es), float64[k].

    Cornish and Fisher (1938), to the fourth cumulant (Jaschke 2002, equation 2.21); the mean in closed form.
    """
    tail = 1.0 - confidence
    z = _NORMAL.inv_cdf(tail)
    powers = (1.0, z, z**2, z**3)
    if kind == "es":  # means of powers of a normal number below z
        density = _NORMAL.pdf(z)
        powers = (1.0, -density / tail, 1.0 - z * density / tail, -density * (z * z + 2.0) / tail)
    found: FloatArray = -(of.mean + of.deviation * _quantile(powers, of))
    return found


def _quantile(powers: tuple[float, float, float, float], of: Cumulants) -> FloatArray:
    """Of the standardised P&L, given powers 0 to 3 of the normal quantile."""
    one, z, square, cube = powers
    skewness, kurtosis = of.skewness, of.kurtosis
    found: FloatArray = (
        z
        + (square - one) * skewness / 6.0
        + (cube - 3.0 * z) * kurtosis / 24.0
        - (2.0 * cube - 5.0 * z) * skewness**2 / 36.0
    )
    return found


def normal_figure(kind: Kind, confidence: float) -> float:
    """Value at risk or expected shortfall of a normal P&L with mean zero and deviation one."""
    z = _NORMAL.inv_cdf(confidence)
    return z if kind == "var" else _NORMAL.pdf(z) / (1.0 - confidence)
