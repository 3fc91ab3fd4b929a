"""The sample's quick quotes against the market room's own curves and forwards."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import days_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.sample.market_table import market_table
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.todays_market import shockable_points
from riskpipe.sample.universe import BY_CODE, COMMODITIES, CURRENCIES, EQUITIES, FX_PAIRS

AS_OF = days_of(date(2026, 11, 20))
POINTS = shockable_points(AS_OF)
QUOTES = Quotes(POINTS)
MODEL = MarketModel(
    MarketSnapshot.from_table(market_table(POINTS), AS_OF),
    Conventions(discount_curves={c.code: c.discount_curve for c in CURRENCIES}),
)
X = np.ascontiguousarray(MODEL.snapshot.x0[:, None])
AHEAD = (30, 200, 800, 1800)


def _grid(names: tuple[str, ...]) -> tuple[Labels, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    labels = Labels.of([name for name in names for _ in AHEAD])
    return labels, np.tile(np.array(AHEAD, np.int32), len(names))


def test_forwards_of_currencies() -> None:
    pairs, ahead = _grid(FX_PAIRS)
    nodes, index = MODEL.fx_forwards(pairs.map(lambda p: p[:3]), pairs.map(lambda p: p[3:]), AS_OF + ahead)
    expected = nodes.evaluate(X)[index, 0]
    assert QUOTES.fx_forward(pairs, ahead / 365.0) == pytest.approx(expected, rel=2e-3)


def test_forwards_of_equities() -> None:
    names, ahead = _grid(tuple(equity.name for equity in EQUITIES))
    currencies = names.map({equity.name: equity.currency for equity in EQUITIES}.__getitem__)
    nodes, index = MODEL.forwards(names, currencies, AS_OF + ahead)
    expected = nodes.evaluate(X)[index, 0]
    # Dividend points are years apart: linear in the yield here, in its integral there.
    assert QUOTES.equity_forward(names, ahead / 365.0) == pytest.approx(expected, rel=6e-3)


def test_forwards_of_commodities() -> None:
    names, ahead = _grid(tuple(commodity.name for commodity in COMMODITIES))
    currencies = names.map({commodity.name: commodity.currency for commodity in COMMODITIES}.__getitem__)
    nodes, index = MODEL.forwards(names, currencies, AS_OF + ahead)
    expected = nodes.evaluate(X)[index, 0]
    # The monthly table cuts the corners of a seasonal curve.
    assert QUOTES.commodity_forward(names, ahead / 365.0) == pytest.approx(expected, rel=2.5e-2)


def test_par_rates() -> None:
    curves = Labels.of([currency.discount_curve for currency in CURRENCIES])
    days = np.array([AS_OF + round(365.25 * year) for year in range(1, 11)], np.int32)
    for k, curve in enumerate(curves.names):
        nodes, (index,) = MODEL.discount((Labels.constant(curve, 10), days))
        discount = nodes.evaluate(X)[index, 0]
        expected = (1.0 - discount[-1]) / discount.sum()
        one = curves.take(np.array([k]))
        rate = QUOTES.par_rate(one, np.zeros(1), np.array([10.0]))[0]
        assert rate == pytest.approx(expected, rel=0.01, abs=2e-5)


def test_spots_agree_with_the_quotation_of_each_pair() -> None:
    assert BY_CODE["EUR"].pair == "EURUSD"
    assert BY_CODE["JPY"].pair == "USDJPY"
    spots = {point.name: point.value for point in POINTS if point.kind == "spot"}
    assert spots["EURUSD"] == pytest.approx(1.0 / BY_CODE["EUR"].scale)
    assert spots["USDJPY"] == pytest.approx(BY_CODE["JPY"].scale)
