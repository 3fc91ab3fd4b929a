"""Vol surfaces without static arbitrage: SSVI with the square-root power law."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.sample.universe import Smile

RELAXATION = 2.0
"""Speed a year with which the variance rate goes from its short to its long level."""


def atm_variance(smile: Smile, years: FloatArray) -> FloatArray:
    """At-the-money total variance, the integral of a variance rate that relaxes exponentially."""
    extra = (1.0 - np.exp(-RELAXATION * years)) / RELAXATION
    return np.asarray(smile.long**2 * years + (smile.short**2 - smile.long**2) * extra)


def vol_surface(smile: Smile, years: FloatArray, moneyness: FloatArray) -> FloatArray:
    """Black vols on a grid of expiries and strikes over forward.

    w(k) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)), phi = eta / sqrt(theta (1 + theta)).
    There is neither butterfly nor calendar arbitrage while eta (1 + |rho|) <= 2 (Gatheral and Jacquier 2014,
    Arbitrage-free SVI volatility surfaces, equation 4.5 and remark 4.4).

    :param years: [n_expiries], ascending, above zero.
    :param moneyness: [n_strikes].
    :return: [n_expiries, n_strikes].
    """
    theta = atm_variance(smile, years)[:, None]
    k = np.log(moneyness)[None, :]
    rho, eta = smile.skew, smile.width
    phi = eta / np.sqrt(theta * (1.0 + theta))
    w = 0.5 * theta * (1.0 + rho * phi * k + np.sqrt((phi * k + rho) ** 2 + 1.0 - rho**2))
    return np.asarray(np.sqrt(w / years[:, None]))
