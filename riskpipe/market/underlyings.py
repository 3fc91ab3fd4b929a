"""What a volatility surface is of: a pair of currencies, an equity or a commodity, with today's forwards."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import InputError
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel


class Underlyings(Struct, frozen=True):
    """The underlying of one surface at n dates.

    :param spot: NaN where there are forwards alone.
    :param forward, foreign_discount: float64[n]; the latter of a pair's first currency, one of all others.
    :param years: float64[n], to the dates.
    """

    is_pair: bool
    spot: float
    forward: FloatArray
    foreign_discount: FloatArray
    years: FloatArray


def underlyings(model: MarketModel, name: str, currency: str | None, days: NDArray[np.int32]) -> Underlyings | None:
    """The underlying of a surface of this name; None: the market has no pair, forwards or spot so called.

    :param currency: of the surface's points.
    :raise InputError: a curve is missing that its forwards need.
    """
    if model.resolve(("fx",), name) is not None or model.is_left_out(("fx",), name):
        return _pair(model, name[:3], name[3:], days)
    found = model.resolve(("forward_price", "spot"), name)
    if found is None:
        if model.is_left_out(("forward_price", "spot"), name):
            raise InputError(model.failure(("forward_price", "spot"), name).message)
        return None
    group = model.snapshot.groups[found[0]]
    currency = currency or group.currency
    if currency is None and group.kind == "spot":
        raise InputError(f"neither its points nor spot:{name} have a currency")
    labels, currencies = Labels.constant(name, len(days)), Labels.constant(currency or "", len(days))
    nodes, position = model.forwards(labels, currencies, days)
    spot = float(model.snapshot.x0[group.start]) if group.kind == "spot" else np.nan
    forward = nodes.evaluate(model.base)[position, 0]
    return Underlyings(False, spot, forward, np.ones(len(days)), model.time(days))


def _pair(model: MarketModel, base: str, quote: str, days: NDArray[np.int32]) -> Underlyings:
    if model.is_left_out(("fx",), base + quote):
        raise InputError(model.failure(("fx",), base + quote).message)
    bases, quotes = Labels.constant(base, len(days)), Labels.constant(quote, len(days))
    forwards, position = model.fx_forwards(bases, quotes, days)
    curve = bases.map(model.conventions.discount_curve)
    # Deltas are amounts of what is exchanged on the spot date, where spots are of that.
    settled = model.settled(Labels.constant(base + quote, 1), np.array([model.origin], np.int32))
    discount, (place, begin) = model.discount((curve, days), (curve, np.repeat(settled, len(days))))
    factors = discount.evaluate(model.base)[:, 0]
    spot, _ = model.fx_spots(bases, quotes)
    return Underlyings(
        True,
        float(spot.evaluate(model.base)[0, 0]),
        forwards.evaluate(model.base)[position, 0],
        factors[place] / factors[begin],
        model.time(days),
    )
