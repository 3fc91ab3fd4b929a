"""American puts that are exercised between two boundaries: rates below zero and dividends below those.

Strike and time to expiry are one; `rate` is r T and `dividend` q T, with q < r < 0, `sigma` is the deviation to expiry.
At a time t before expiry exercise pays between L(t) and U(t), which begin at r / q and 1 and move towards each other
until they meet (Battauz, De Donno and Sbuelz 2015). Up to there each follows from smooth contact on its own side alone,
as if exercise paid all the way beyond it: with the premium J of exercise below a boundary B (Kim 1990),

    J_B(t, S) = int_0^t r e^(-r s) N(-d2(S / B(t - s), s)) - q S e^(-q s) N(-d1(S / B(t - s), s)) ds,

dJ_U/dS + dp/dS = -1 at S = U(t), p the European put, and dJ_L/dS = 0 at S = L(t); the price is p + J_U - J_L over the
times before they meet. Squared distances from where the boundaries begin are interpolated in the root of time, as in
`riskpipe.kernels.collocation`, but by cubics, so that they can be solved for from node to node.
"""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import cdf, exp, log, pdf

NODES, POINTS, LAST_POINTS = 24, 12, 32
# Bands that meet before so short a time (its root) are worth nothing that a price would show.
_SHORTEST = 1e-3
_STEPS, _SETTLED = 20, 1e-10


def _angles(points: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sines and cosines of angles in (0, pi / 2), and the weights of d(sin^2)."""
    abscissa, weight = np.polynomial.legendre.leggauss(points)
    angle = 0.25 * np.pi * (1.0 + abscissa)
    return np.sin(angle), np.cos(angle), 0.5 * np.pi * weight * np.sin(angle) * np.cos(angle)


_SINE, _COSINE, _WEIGHT = _angles(POINTS)
_LAST_SINE, _LAST_COSINE, _LAST_WEIGHT = _angles(LAST_POINTS)


@inline
def _square(squares: FloatArray, last: int, place: float) -> float:
    """A boundary's squared distance from where it begins, by the cubic through the four nodes about a place.

    :param squares: float64[>= last + 1], at the places 0, 1, ..., last.
    """
    if last < 3:
        straight = squares[1] * place
        bend = 0.5 * (squares[2] - 2.0 * squares[1]) * place * (place - 1.0) if last == 2 else 0.0
        return float(max(straight + bend, 0.0))
    first = min(max(int(place) - 1, 0), last - 3)
    x = place - first
    a, b, c, d = squares[first], squares[first + 1], squares[first + 2], squares[first + 3]
    low = b * x * (x - 2.0) * (x - 3.0) * 0.5 - a * (x - 1.0) * (x - 2.0) * (x - 3.0) / 6.0
    high = d * x * (x - 1.0) * (x - 2.0) / 6.0 - c * x * (x - 1.0) * (x - 3.0) * 0.5
    return float(max(low + high, 0.0))


@kernel
def _contact(
    upper: bool,
    node: int,
    unit: float,
    squares: FloatArray,
    distance: float,
    rate: float,
    dividend: float,
    sigma: float,
) -> float:
    """What smooth contact lacks at a node, where the boundary is a distance from its beginning.

    :param unit: of the places, in roots of time.
    """
    squares[node] = distance * distance
    begin = 0.0 if upper else log(rate / dividend)
    side = -1.0 if upper else 1.0
    x = begin + side * distance
    spot = exp(x)
    time = (node * unit) ** 2
    drift = rate - dividend + 0.5 * sigma * sigma
    total = 0.0
    for j in range(_SINE.size):
        past = time * _SINE[j] * _SINE[j]
        width = sigma * math.sqrt(past)
        boundary = begin + side * math.sqrt(_square(squares, node, node * _COSINE[j]))
        d1 = (x - boundary + drift * past) / width
        cash = rate * exp(-rate * past) * pdf(d1 - width) / (width * spot)
        asset = dividend * exp(-dividend * past) * (pdf(d1) / width - cdf(-d1))
        total += _WEIGHT[j] * time * (asset - cash)
    if upper:
        width = sigma * math.sqrt(time)
        total += 1.0 - exp(-dividend * time) * cdf(-(x + drift * time) / width)
    return total


@kernel
def _next(upper: bool, node: int, unit: float, squares: FloatArray, rate: float, dividend: float, sigma: float) -> bool:
    """Solve for a boundary at a node, by secants; whether they settled."""
    if node == 1:
        old = sigma * unit * (1.5 if upper else 0.6)
    elif node == 2:
        old = 2.0 * math.sqrt(squares[1])
    else:
        old = 2.0 * math.sqrt(squares[node - 1]) - math.sqrt(squares[node - 2])
    old = max(old, 1e-12)
    new = 1.01 * old
    off = _contact(upper, node, unit, squares, old, rate, dividend, sigma)
    for _ in range(_STEPS):
        found = _contact(upper, node, unit, squares, new, rate, dividend, sigma)
        if not abs(found) < math.inf:
            return False
        step = 0.0 if found == off else -found * (new - old) / (found - off)
        old, off = new, found
        new = min(max(new + step, 0.3 * new), 2.0 * new)
        if abs(new - old) <= _SETTLED:
            squares[node] = new * new
            return True
    return False


@inline
def _gap(upper: FloatArray, lower: FloatArray, last: int, place: float, begin: float) -> float:
    """Logarithm of upper over lower boundary."""
    return -begin - math.sqrt(_square(upper, last, place)) - math.sqrt(_square(lower, last, place))


@kernel
def _march(rate: float, dividend: float, sigma: float, unit: float, upper: FloatArray, lower: FloatArray) -> int:
    """Both boundaries from node to node, until they have met or the last; the last node.

    :return: 0 where one did not settle, minus the node where that was among the first.
    """
    begin = log(rate / dividend)
    for node in range(1, NODES + 1):
        settled = _next(True, node, unit, upper, rate, dividend, sigma)
        settled = _next(False, node, unit, lower, rate, dividend, sigma) and settled
        if not settled:
            # Beyond their meeting boundaries need not exist: where they point to it is where they go.
            if node < 3:
                return -node
            for squares in (upper, lower):
                squares[node] = squares[node - 3] - 3.0 * squares[node - 2] + 3.0 * squares[node - 1]
            return node if _gap(upper, lower, node, float(node), begin) <= 0.0 else 0
        if not _gap(upper, lower, node, float(node), begin) > 0.0:
            return node
    return NODES


@inline
def _meeting(upper: FloatArray, lower: FloatArray, last: int, begin: float) -> float:
    """The place at which the boundaries meet, between the last two nodes."""
    low, high = last - 1.0, float(last)
    for _ in range(40):
        middle = 0.5 * (low + high)
        apart = _gap(upper, lower, last, middle, begin) > 0.0
        low = middle if apart else low
        high = high if apart else middle
    return low


@inline
def _below(x: float, boundary: float, time: float, rate: float, dividend: float, sigma: float) -> float:
    """The integrand of J."""
    width = sigma * math.sqrt(time)
    d1 = (x - boundary + (rate - dividend + 0.5 * sigma * sigma) * time) / width
    return rate * exp(-rate * time) * cdf(width - d1) - dividend * exp(x - dividend * time) * cdf(-d1)


@kernel
def two_boundary_put(spot: float, rate: float, dividend: float, sigma: float) -> float:
    """American put with strike and time to expiry one, for dividend < rate < 0.

    Within 2e-6 of the strike of what four times as many nodes give; at usual volatilities within 1e-7.

    :return: NaN where a boundary cannot be solved for.
    """
    european = exp(-rate) * black(spot * exp(rate - dividend), 1.0, sigma * sigma, -1.0)
    upper, lower = np.zeros(NODES + 1), np.zeros(NODES + 1)
    x, begin, reach = log(spot), log(rate / dividend), 1.0
    last = 0
    while reach > _SHORTEST:
        last = _march(rate, dividend, sigma, reach / NODES, upper, lower)
        if last == 0:
            return math.nan
        if abs(last) > NODES // 3:
            break
        # They meet early: nodes where they are apart.
        reach *= (abs(last) + 1.0) / NODES
    if reach <= _SHORTEST:
        return max(european, 1.0 - spot)
    met = not _gap(upper, lower, last, float(last), begin) > 0.0
    if not met and begin + math.sqrt(lower[last]) <= x <= -math.sqrt(upper[last]):
        return 1.0 - spot
    place = _meeting(upper, lower, last, begin) if met else float(last)
    span = (place * reach / NODES) ** 2
    premium = 0.0
    for j in range(_LAST_SINE.size):
        at = place * _LAST_COSINE[j]
        past = 1.0 - span + span * _LAST_SINE[j] * _LAST_SINE[j]
        above, below = -math.sqrt(_square(upper, last, at)), begin + math.sqrt(_square(lower, last, at))
        band = _below(x, above, past, rate, dividend, sigma) - _below(x, below, past, rate, dividend, sigma)
        premium += _LAST_WEIGHT[j] * span * band
    return max(european + premium, 1.0 - spot)
