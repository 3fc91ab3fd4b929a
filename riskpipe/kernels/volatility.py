"""Total variance to an expiry, read from the points of a volatility surface or cube."""

from __future__ import annotations

from riskpipe.kernels.compiler import inline
from riskpipe.kernels.mathematics import fma


@inline
def total_variance(
    near_low: float,
    near_high: float,
    far_low: float,
    far_high: float,
    near_low_weight: float,
    near_high_weight: float,
    far_low_weight: float,
    far_high_weight: float,
    near_time: float,
    far_time: float,
) -> float:
    """Volatility linear in strike at two expiries, total variance linear in time between them.

    near_time (near_low_weight near_low + near_high_weight near_high)^2 + the same of the far expiry: one row
    of `VarianceNodes` (index, strike_weight, time_weight) in one scenario.

    :param near_low, near_high, far_low, far_high: volatilities, decimals a year (normal: of price a year).
    :param near_time, far_time: weights of the two squared volatilities, in years.
    :return: volatility squared times years; NaN where a volatility is.
    """
    near = fma(near_low_weight, near_low, near_high_weight * near_high)
    far = fma(far_low_weight, far_low, far_high_weight * far_high)
    return fma(near_time, near * near, far_time * (far * far))


@inline
def plane_volatility(
    short_low: float,
    short_high: float,
    long_low: float,
    long_high: float,
    short_low_weight: float,
    short_high_weight: float,
    long_low_weight: float,
    long_high_weight: float,
) -> float:
    """Volatility at one expiry of a cube: linear in strike at two tenors of the underlying, and between these.

    :param short_low_weight, ...: products of the weights in strike and in tenor: half a row of `CubeNodes`.
    """
    near = fma(short_low_weight, short_low, short_high_weight * short_high)
    return fma(long_high_weight, long_high, fma(long_low_weight, long_low, near))
