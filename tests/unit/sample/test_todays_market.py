"""Today's market: its shape, its arbitrage, its fixings, and the stresses that name its factors."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from derived import derived_model
from scipy.stats import norm

from riskpipe.arrays import FloatArray
from riskpipe.market.arbitrage import arbitrage_faults
from riskpipe.market.checks import check_market_table
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import SMILE, days_of
from riskpipe.market.labels import Labels
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import stress_columns
from riskpipe.sample.market_table import Point, market_table
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.scenarios_file import STRESSES, stress_table
from riskpipe.sample.todays_market import fact_points, shockable_points
from riskpipe.sample.universe import BY_CODE, CURRENCIES, FX_SMILES, INDICES
from riskpipe.sample.vol_surfaces import vol_surface

AS_OF = days_of(date(2026, 11, 20))
POINTS = shockable_points(AS_OF)
FACTS = fact_points(AS_OF, np.random.default_rng(1))


def _surfaces() -> dict[str, list[Point]]:
    """Those by strike."""
    surfaces: dict[str, list[Point]] = {}
    for point in POINTS:
        if point.kind in ("black_vol", "fx_vol") and point.strike_type in ("absolute", "moneyness"):
            surfaces.setdefault(point.name, []).append(point)
    return surfaces


SURFACES = _surfaces()


@pytest.mark.parametrize("as_of", [date(2026, 11, 20), date(2024, 2, 29), date(2025, 1, 1), date(2026, 8, 1)])
def test_the_market_passes_its_own_contract_on_any_day(as_of: date) -> None:
    day = days_of(as_of)
    table = market_table([*shockable_points(day), *fact_points(day, np.random.default_rng(1))])
    assert check_market_table(table, day) == []


def test_there_are_factors_of_every_asset_class() -> None:
    kinds = Counter(point.kind for point in POINTS)
    assert 1_500 <= len(POINTS) <= 2_600
    assert set(kinds) == {
        "zero_rate", "spot", "fx_vol", "black_vol", "hazard_rate", "forward_price",
        "dividend_yield", "dividend", "dividend_ratio", "borrow"
    }  # fmt: skip
    curves = {point.name for point in POINTS if point.kind == "zero_rate"}
    assert {currency.discount_curve for currency in CURRENCIES} <= curves
    assert {index.convention.curve for index in INDICES} <= curves
    for curve in curves:
        assert sum(point.name == curve and point.kind == "zero_rate" for point in POINTS) == 12


@pytest.mark.parametrize("name", sorted(SURFACES))
def test_no_butterfly_arbitrage(name: str) -> None:
    """Call prices fall in strike, by no more than the strike rises, and are convex."""
    expiries: dict[float, list[tuple[float, float]]] = {}
    for point in SURFACES[name]:
        expiries.setdefault(point.years, []).append((point.moneyness, point.value))
    for years, smile in expiries.items():
        k, vol = np.array(sorted(smile)).T
        price = _call(k, vol * np.sqrt(years))
        slopes = np.diff(price) / np.diff(k)
        assert np.all(slopes < 0.0)
        assert np.all(slopes > -1.0)
        assert np.all(np.diff(slopes) > -1e-6)


@pytest.mark.parametrize("name", sorted(n for n, p in SURFACES.items() if p[0].strike_type == "moneyness"))
def test_no_calendar_arbitrage(name: str) -> None:
    """Total variance grows with expiry at every moneyness (Gatheral and Jacquier 2014, lemma 2.1)."""
    strikes: dict[float, list[tuple[float, float]]] = {}
    for point in SURFACES[name]:
        strikes.setdefault(point.moneyness, []).append((point.years, point.value**2 * point.years))
    for column in strikes.values():
        variance = [w for _, w in sorted(column)]
        assert all(later > earlier for earlier, later in pairwise(variance))


@pytest.mark.parametrize("as_of", [date(2026, 11, 20), date(2024, 2, 29)])
def test_surfaces_by_delta_have_no_arbitrage_either(as_of: date) -> None:
    day = days_of(as_of)
    curves = {currency.code: currency.discount_curve for currency in CURRENCIES}
    model = derived_model(market_table(shockable_points(day)), day, Conventions(discount_curves=curves))
    assert model.snapshot.group(SMILE, "fx_vol:EURUSD") is not None
    assert arbitrage_faults(model) == []


def test_quotes_by_delta_are_of_the_same_smile_as_those_by_moneyness() -> None:
    """SSVI at the strikes that the market's convention gives the deltas."""
    curves = {currency.code: currency.discount_curve for currency in CURRENCIES}
    model = derived_model(market_table(POINTS), AS_OF, Conventions(discount_curves=curves))
    for pair in ("EURUSD", "USDJPY"):
        group = model.snapshot.group(SMILE, f"fx_vol:{pair}")
        assert group is not None
        rows = model.snapshot.factors.slice(group.start, group.stop - group.start).to_pylist()
        days = np.array([row["days"] for row in rows], np.int32)
        codes = Labels.constant(pair[:3], len(rows)), Labels.constant(pair[3:], len(rows))
        nodes, position = model.fx_forwards(*codes, days)
        forwards = nodes.evaluate(model.snapshot.x0[:, None].copy())[position, 0]
        for row, forward, years in zip(rows, forwards, model.time(days), strict=True):
            expected = vol_surface(FX_SMILES[pair], np.array([years]), np.array([row["strike"] / forward]))
            assert row["value"] == pytest.approx(float(expected[0, 0]), abs=3e-5)


def test_equity_skew_and_the_smile_of_currencies() -> None:
    vol = {point.factor: point.value for point in POINTS}
    assert vol["black_vol:SPX:1Y:80"] > vol["black_vol:SPX:1Y:100"] > vol["black_vol:SPX:1Y:120"]
    assert vol["fx_vol:GBPUSD:6M:90"] > vol["fx_vol:GBPUSD:6M:100"] < vol["fx_vol:GBPUSD:6M:110"]
    assert vol["fx_vol:EURUSD:6M:10RR"] > vol["fx_vol:EURUSD:6M:25RR"] > 0.0
    assert vol["fx_vol:EURUSD:6M:10BF"] > vol["fx_vol:EURUSD:6M:25BF"] > 0.0
    assert vol["fx_vol:USDJPY:1Y:10P"] > vol["fx_vol:USDJPY:1Y:ATM"] > vol["fx_vol:USDJPY:1Y:25C"]


def test_curves_are_smooth_and_their_forward_rates_bounded() -> None:
    for curve in {point.name for point in POINTS if point.kind == "zero_rate"}:
        t, z = np.array([(p.years, p.value) for p in POINTS if p.name == curve and p.kind == "zero_rate"]).T
        forward = np.diff(z * t) / np.diff(t)
        assert np.all((forward > -0.005) & (forward < 0.07)), curve
        assert np.abs(np.diff(forward)).max() < 0.008, curve


def test_survival_probabilities_fall() -> None:
    for issuer in {point.name for point in POINTS if point.kind == "hazard_rate"}:
        t, h = np.array([(p.years, p.value) for p in POINTS if p.name == issuer and p.kind == "hazard_rate"]).T
        assert np.all(np.diff(h * t) > 0.0), issuer


def test_winter_gas_is_dearer_than_summer_gas() -> None:
    gas = {p.tenor: p.value for p in POINTS if p.kind == "forward_price" and p.name == "HENRYHUB"}
    assert gas["2027-01-20"] > 1.2 * gas["2027-07-20"]


def test_fixings_cover_fourteen_months_of_weekdays_up_to_publication() -> None:
    dates: dict[str, list[str]] = {}
    for point in FACTS:
        if point.kind == "fixing":
            dates.setdefault(point.name, []).append(str(point.tenor))
    assert set(dates) == {index.name for index in INDICES}
    first, last = np.datetime64("2025-09-20"), np.datetime64("2026-11-20")
    weekdays = np.arange(first, last + 1)[np.is_busday(np.arange(first, last + 1))].astype(str).tolist()
    assert dates["EUR.EURIBOR6M"] == weekdays
    assert dates["USD.SOFR"] == weekdays[:-1]


def test_fixings_end_near_todays_curve() -> None:
    rates = {p.factor: p.value for p in [*POINTS, *FACTS]}
    assert rates["fixing:USD.SOFR:2026-11-19"] == pytest.approx(rates["zero_rate:USD.SOFR:1M"], abs=0.0010)
    assert rates["fixing:EUR.EURIBOR6M:2026-11-20"] == pytest.approx(rates["zero_rate:EUR.EURIBOR6M:6M"], abs=0.0005)
    assert rates["fixing:USD.SOFR:2025-11-19"] - rates["fixing:USD.SOFR:2026-11-19"] == pytest.approx(
        0.0075, abs=0.0015
    )


def test_every_stress_finds_its_factors_and_moves_them() -> None:
    snapshot = MarketSnapshot.from_table(market_table([*POINTS, *FACTS]), AS_OF)
    columns, faults = stress_columns(stress_table(), snapshot)
    assert faults == []
    assert [name for name, _, _ in columns] == list(STRESSES)
    assert {shift_type for shifts in STRESSES.values() for _, shift_type, _ in shifts} == {
        "absolute", "relative", "log", "set"
    }  # fmt: skip
    levels = {name: dict(zip(factors.tolist(), values, strict=True)) for name, factors, values in columns}
    euro = snapshot.factor_index("spot:EURUSD")
    assert levels["usd_rally"][euro] == 1.0
    moved = {snapshot.factor_ids[i] for i in levels["usd_rally"]}
    assert {"fx_vol:EURUSD:1Y:ATM", "fx_vol:USDJPY:1Y:25P"} <= moved
    assert not {"fx_vol:EURUSD:1Y:25RR", "fx_vol:EURUSD:1Y:25BF"} & moved
    ten = snapshot.factor_index("zero_rate:EUR.ESTR:10Y")
    assert levels["rates_up_200"][ten] - snapshot.x0[ten] == pytest.approx(0.02)
    stocks = [i for i, f in enumerate(snapshot.factor_ids) if f.startswith("spot:US_TECH")]
    assert all(levels["equity_crash_2008"][i] < 0.6 * snapshot.x0[i] for i in stocks)


def test_crosses_follow_from_the_dollar_pairs() -> None:
    spot = Quotes(POINTS).fx_forward(Labels.of(["EURUSD", "USDJPY", "EURJPY", "EURGBP"]), np.zeros(4))
    assert spot[:2] == pytest.approx([BY_CODE["EUR"].spot, BY_CODE["JPY"].spot])
    assert spot[2] == pytest.approx(spot[0] * spot[1])
    assert spot[3] == pytest.approx(BY_CODE["EUR"].spot / BY_CODE["GBP"].spot)


def _call(k: FloatArray, deviation: FloatArray) -> FloatArray:
    """Undiscounted, on a forward of 1 (Black 1976)."""
    d1 = -np.log(k) / deviation + deviation / 2.0
    return np.asarray(norm.cdf(d1) - k * norm.cdf(d1 - deviation))
