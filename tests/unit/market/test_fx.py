from __future__ import annotations

import numpy as np
import pytest

from riskpipe.errors import InputError
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import pillar_days
from riskpipe.market.fx import FxGraph
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot


@pytest.fixture
def model(snapshot) -> MarketModel:
    return MarketModel(snapshot, Conventions())


def _steps(snapshot: MarketSnapshot, base: str, quote: str) -> list[tuple[str, int]] | None:
    route = FxGraph(snapshot).route(base, quote)
    return None if route is None else [(snapshot.groups[leg.group].name, leg.power) for leg in route]


@pytest.mark.parametrize(
    ("base", "quote", "steps"),
    [
        ("USD", "USD", []),
        ("XXX", "XXX", []),
        ("EUR", "USD", [("EURUSD", 1)]),
        ("USD", "EUR", [("EURUSD", -1)]),
        ("EUR", "GBP", [("EURUSD", 1), ("GBPUSD", -1)]),
        ("JPY", "GBP", [("USDJPY", -1), ("GBPUSD", -1)]),
        ("USD", "CHF", [("EURUSD", -1), ("EURCHF", 1)]),
        ("GBP", "CHF", None),  # two crosses away
        ("USD", "XXX", None),
        ("SPX", "USD", None),
    ],
)
def test_routes(snapshot, base, quote, steps) -> None:
    assert _steps(snapshot, base, quote) == steps


def test_choice_of_the_route_is_fixed(point, table_of, as_of) -> None:
    def steps(*pairs: str) -> list[tuple[str, int]] | None:
        rows = [point("spot", pair, 1.0 + k, currency=pair[3:]) for k, pair in enumerate(pairs)]
        return _steps(MarketSnapshot.from_table(table_of(rows), as_of), "GBP", "JPY")

    through_usd, through_eur = ("USDJPY", "GBPUSD"), ("EURGBP", "EURJPY")
    through_aud, through_zar = ("AUDJPY", "GBPAUD"), ("GBPZAR", "ZARJPY")
    everything = (*through_zar, *through_aud, *through_eur, *through_usd)
    assert steps(*everything, "JPYGBP", "GBPJPY") == [("GBPJPY", 1)]
    assert steps(*everything, "JPYGBP") == [("JPYGBP", -1)]
    assert steps(*everything) == [("GBPUSD", 1), ("USDJPY", 1)]
    assert steps(*through_zar, *through_aud, *through_eur) == [("EURGBP", -1), ("EURJPY", 1)]
    assert steps(*through_zar, *through_aud) == [("GBPAUD", 1), ("AUDJPY", 1)]


def test_an_equity_named_like_a_pair_is_none(point, table_of, as_of) -> None:
    rows = [point("spot", "EURUSD", 50.0, currency="CAD")]
    assert _steps(MarketSnapshot.from_table(table_of(rows), as_of), "EUR", "USD") is None


def test_rates_today(model, shocked, level) -> None:
    base = Labels.of(["EUR", "USD", "EUR", "JPY", "USD", None, "EUR"])
    quote = Labels.of(["USD", "EUR", "GBP", "EUR", "USD", "USD", "USD"])
    nodes, position = model.fx(base, quote)
    assert len(nodes) == 6  # EURUSD twice, none once
    assert position.dtype == np.int32
    values = nodes.evaluate(shocked)[position]
    eur, gbp, jpy = (shocked[model.snapshot.factor_index(f"spot:{pair}")] for pair in ("EURUSD", "GBPUSD", "USDJPY"))
    assert (values[0] == eur).all()
    assert (values[1] == 1.0 / eur).all()
    assert (values[2] == eur / gbp).all()
    np.testing.assert_allclose(values[3], 1.0 / (jpy * eur), rtol=4e-16)
    assert (values[4:6] == 1.0).all()
    assert (values[6] == values[0]).all()


def test_forward_rates_are_covered_parity(model, shocked, as_of) -> None:
    days = np.array([pillar_days(t, as_of) for t in ("2W", "5Y", "20Y", "3Y", "0D", "1Y")], np.int32)
    base = Labels.of(["EUR", "USD", "EUR", "USD", "EUR", None])
    quote = Labels.of(["USD", "EUR", "GBP", "USD", "USD", "USD"])
    nodes, position = model.fx_forwards(base, quote, days)
    values = nodes.evaluate(shocked)[position]
    spots, at = model.fx(base, quote)
    curves = [Labels.of([None if c is None else f"{c}.OIS" for c in side.to_list()]) for side in (base, quote)]
    factors, (over, under) = model.discount((curves[0], days), (curves[1], days))
    discount = factors.evaluate(shocked)
    expected = spots.evaluate(shocked)[at] * discount[over] / discount[under]
    np.testing.assert_allclose(values[:5], expected[:5], rtol=1e-14)
    assert (values[3] == 1.0).all()  # a currency against itself: exactly
    assert (values[4] == spots.evaluate(shocked)[at[4]]).all()  # today
    assert (values[5] == 1.0).all()


def test_unknown_currency_is_named(model) -> None:
    with pytest.raises(InputError, match="GBP/CHF"):
        model.fx(Labels.of(["GBP"]), Labels.of(["CHF"]))
    with pytest.raises(InputError, match=r"CHF\.OIS"):
        model.fx_forwards(Labels.of(["EUR"]), Labels.of(["CHF"]), np.array([30_000], np.int32))


def test_resolve_pairs(model, snapshot) -> None:
    eur, gbp = snapshot.group_index("spot", "EURUSD"), snapshot.group_index("spot", "GBPUSD")
    assert model.resolve(("fx",), "EURUSD") == (eur,)
    assert model.resolve(("fx",), "USDEUR") == (eur,)
    assert model.resolve(("fx",), "EURGBP") == (eur, gbp)
    assert model.resolve(("fx",), "USDUSD") == ()
    assert model.resolve(("fx",), "GBPCHF") is None
    assert model.resolve(("fx",), "SPX") is None
