"""Averages of commodity prices, and what is paid on them."""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import (
    AveragedContracts,
    AveragedLegs,
    AverageOptions,
    AveragePayments,
    Indices,
    NodeValues,
    Variances,
    WeightedSums,
)
from riskpipe.kernels.black import bachelier, black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, fma, log, select
from riskpipe.kernels.volatility import smile_of, total_variance

# Rows of the scratch array, by scenario; after them the volatilities of an average's contracts.
_MEAN, _EXCESS, _LOWEST = range(3)
_ROWS = 3


@kernel
def weighted_sums(averages: Indices, forward: NodeValues, sums: WeightedSums, out: FloatArray) -> None:
    """out[k] = known + the sum over the terms j of weight[j] F[j], of average averages[k].

    :param averages: int32[m].
    :param forward: of the terms.
    :param out: float64[m, S], written.
    """
    values, position = forward
    known, offsets, weight = sums
    for k in range(averages.size):
        row, total = averages[k], out[k]
        for s in range(total.size):
            total[s] = known[row]
        for j in range(offsets[row], offsets[row + 1]):
            w, price = weight[j], values[position[j]]
            for s in range(total.size):
                total[s] = fma(w, price[s], total[s])


@kernel
def average_payments(
    rows: Indices, average: NodeValues, discount: NodeValues, terms: AveragePayments, out: FloatArray
) -> None:
    """Adds to out[k] the sum over the terms j of trade rows[k] of D[j] (amount[j] A[j] + constant[j]).

    :param average, discount: of the terms.
    :param out: float64[m, S], added to.
    """
    averages, average_position = average
    factors, payment = discount
    offsets, amount, constant = terms
    for k in range(rows.size):
        total = out[k]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            a, c, price, factor = amount[j], constant[j], averages[average_position[j]], factors[payment[j]]
            for s in range(total.size):
                total[s] = fma(factor[s], fma(a, price[s], c), total[s])


@inline
def _add_days(
    legs: tuple[int, int], forward: NodeValues, variances: Variances, row: int, normal: bool, work: FloatArray
) -> None:
    """Sums over days that have a forward and a variance each: of F, and of the covariances of all pairs.

    The covariance of two days is that of their logarithms (of normal prices theirs), the variance of the earlier one.

    :param legs: the first and the end of the average's days; `row`: of the variances, of its first day.
    :param work: float64[.., S]; `_MEAN` and `_EXCESS` are written.
    """
    values, position = forward
    mean, excess, lowest = work[_MEAN], work[_EXCESS], work[_LOWEST]
    later = 0.0
    for j in range(legs[1] - 1, legs[0] - 1, -1):
        price, smile = values[position[j]], smile_of(variances, row + j - legs[0])
        for s in range(mean.size):
            variance = total_variance(smile, s)
            if normal:
                excess[s] = fma(variance, 1.0 + 2.0 * later, excess[s])
            else:
                product = price[s] * fma(2.0, mean[s], price[s])
                excess[s] = fma(exp(variance) - 1.0, product, excess[s])
            mean[s] += price[s]
            lowest[s] = select(price[s] < lowest[s], price[s], lowest[s])
        later += 1.0


@inline
def _add_contracts(
    legs: tuple[int, int],
    forward: NodeValues,
    variances: Variances,
    row: int,
    normal: bool,
    contracts: AveragedContracts,
    decay: float,
    work: FloatArray,
) -> None:
    """Likewise over contracts, which have several days each and a constant volatility sigma.

    Of contracts c and d, the one of the earlier day t first, the covariance is rho_cd sigma_c sigma_d t.
    """
    values, position = forward
    days, time, years, expiry = contracts
    mean, excess, lowest = work[_MEAN], work[_EXCESS], work[_LOWEST]
    first, end = legs
    for c in range(first, end):
        smile, sigma = smile_of(variances, row + c - first), work[_ROWS + c - first]
        span = years[c] if years[c] > 0.0 else 1.0
        for s in range(mean.size):
            sigma[s] = math.sqrt(total_variance(smile, s) / span)
    for c in range(first, end):
        price, sigma, count = values[position[c]], work[_ROWS + c - first], days[c + 1] - days[c]
        for s in range(mean.size):
            mean[s] = fma(count, price[s], mean[s])
            lowest[s] = select(price[s] < lowest[s], price[s], lowest[s])
        for d in range(c, end):
            other, sigma_other = values[position[d]], work[_ROWS + d - first]
            correlation = math.exp(-decay * (expiry[d] - expiry[c]))
            for k in range(days[c], days[c + 1]):
                # How many pairs of days there are whose earlier one is this.
                pairs = 2.0 * (days[d + 1] - days[d]) if d > c else 2.0 * (days[c + 1] - k) - 1.0
                t = correlation * time[k]
                for s in range(mean.size):
                    covariance = sigma[s] * sigma_other[s] * t
                    if normal:
                        excess[s] = fma(pairs, covariance, excess[s])
                    else:
                        excess[s] = fma(pairs * price[s] * other[s], exp(covariance) - 1.0, excess[s])


@kernel
def average_options(
    rows: Indices,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: AverageOptions,
    averages: AveragedLegs,
    contracts: AveragedContracts,
    out: FloatArray,
) -> None:
    """Present values of options on arithmetic averages of prices, the average with its exact first two moments.

    Lognormal prices: the average, less what is fixed of it, is lognormal (Levy 1992; Turnbull and Wakeman 1991). With
    weights w and forwards F its mean is M = w sum F, its second moment w^2 sum F_i F_j exp(C_ij), of which
    w^2 sum F_i F_j (exp(C_ij) - 1) is summed, as the variance of its logarithm is log(1 + that / M^2). Normal prices:
    the average is normal with the variance w^2 sum C_ij, which is exact (Bachelier 1900).

    :param forward: of the legs (days, or contracts with several days) of the averages.
    :param discount: of the options.
    :param variances: of each option's legs.
    :param out: float64[m, S], written; NaN where a lognormal price is negative.
    """
    factors, payment = discount
    offsets, average, first_variance, strike, amount, sign, is_normal = options
    legs, weight, by_day, decay = averages
    widest = 0
    for row in rows:
        for o in range(offsets[row], offsets[row + 1]):
            widest = max(widest, 0 if by_day[average[o]] else legs[average[o] + 1] - legs[average[o]])
    work = np.empty((_ROWS + widest, out.shape[1]))
    mean, excess, lowest = work[_MEAN], work[_EXCESS], work[_LOWEST]
    for i in range(rows.size):
        total = out[i]
        total[:] = 0.0
        for o in range(offsets[rows[i]], offsets[rows[i] + 1]):
            a, factor = average[o], factors[payment[o]]
            part, w, k, side, normal = (legs[a], legs[a + 1]), weight[a], strike[o], sign[o], is_normal[o]
            mean[:] = 0.0
            excess[:] = 0.0
            lowest[:] = 0.0
            if by_day[a]:
                _add_days(part, forward, variances, first_variance[o], normal, work)
            else:
                _add_contracts(part, forward, variances, first_variance[o], normal, contracts, decay[a], work)
            for s in range(total.size):
                left = w * mean[s]
                if normal:
                    value = bachelier(left, k, w * w * excess[s], side)
                else:
                    certain = (k <= 0.0) | (mean[s] == 0.0)
                    square = select(certain, 1.0, mean[s] * mean[s])
                    value = black(
                        select(certain, 1.0, left), select(certain, 1.0, k), log(1.0 + excess[s] / square), side
                    )
                    intrinsic = side * (left - k)
                    value = select(certain, select(intrinsic < 0.0, 0.0, intrinsic), value)
                    value = select(lowest[s] < 0.0, math.nan, value)
                total[s] = fma(amount[o] * factor[s], value, total[s])
