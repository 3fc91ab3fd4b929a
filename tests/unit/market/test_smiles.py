"""Surfaces by delta, in spreads and by spline: what the market serves, and how scenarios move it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.interpolate import CubicSpline

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, SurfaceConvention
from riskpipe.market.delta import CALL, PUT, DeltaConvention, Underlying, atm_strike, delta_of, strike_of
from riskpipe.market.derived import Derivation, Derivative, derive
from riskpipe.market.factors import SMILE, pillar_days
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.smiles import derive_smiles
from riskpipe.market.snapshot import MarketSnapshot

ATM, RR, BF = 0.10, -0.012, 0.004
TENORS = ("3M", "1Y", "2Y")


def spreads(point: Callable[..., Any], name: str = "EURUSD", tenors: tuple[str, ...] = TENORS) -> list[Any]:
    rows = []
    for k, tenor in enumerate(tenors):
        rows.append(point("fx_vol", name, ATM + 0.005 * k, tenor, strike_type="atm"))
        for delta, size in ((0.25, 1.0), (0.10, 1.9)):
            rows.append(point("fx_vol", name, RR * size, tenor, strike_type="risk_reversal", strike=delta))
            rows.append(point("fx_vol", name, BF * size**1.7, tenor, strike_type="butterfly", strike=delta))
    return rows


@pytest.fixture
def plain(rows: list[Any]) -> list[Any]:
    """The small market without volatilities of EURUSD."""
    return [row for row in rows if row["kind"] != "fx_vol"]


@pytest.fixture
def made(table_of: Any, as_of: int) -> Callable[..., tuple[Derivation, MarketModel]]:
    def build(points: list[Any], name: str = "EURUSD", **convention: Any) -> tuple[Derivation, MarketModel]:
        conventions = Conventions(surfaces={name: SurfaceConvention(**convention)})
        derivation = derive(table_of(points), (derive_smiles,), as_of, conventions)
        model = MarketModel(
            MarketSnapshot.from_table(derivation.table, as_of), conventions, left_out=derivation.left_out
        )
        return derivation, model

    return build


def by_strike(point: Callable[..., Any], levels: dict[float, float]) -> list[Any]:
    return [point("black_vol", "DAX", v, "1Y", strike=k, strike_type="absolute") for k, v in levels.items()]


def vols(model: MarketModel, kind: str, name: str, tenor: str, strikes: list[float], x: Any = None) -> Any:
    days = np.full(len(strikes), pillar_days(tenor, model.as_of), np.int32)
    names, forwards = Labels.constant(name, len(strikes)), np.full(len(strikes), np.nan)
    nodes = model.variance((kind,), names, days, np.array(strikes), forwards)
    levels = model.snapshot.x0 if x is None else x
    return np.sqrt(nodes.evaluate(np.ascontiguousarray(levels[:, None]))[:, 0] / model.time(days))


def underlying(model: MarketModel, tenor: str, base: str = "EUR", quote: str = "USD", spot: float = 1.1) -> Underlying:
    days = np.array([pillar_days(tenor, model.as_of)], np.int32)
    nodes, places = model.discount((Labels.of([f"{base}.OIS"]), days), (Labels.of([f"{quote}.OIS"]), days))
    values = nodes.evaluate(model.snapshot.x0[:, None].copy())[:, 0]
    foreign, domestic = (float(values[place[0]]) for place in places)
    return Underlying(spot * foreign / domestic, spot, foreign, float(model.time(days)[0]))


@pytest.mark.parametrize("tenor", TENORS)
def test_smile_reproduces_its_spreads_at_strikes_with_the_quoted_deltas(plain, point, made, tenor) -> None:
    derivation, model = made([*plain, *spreads(point)])
    assert derivation.faults == ()
    on, deltas = underlying(model, tenor), DeltaConvention(spot=tenor != "2Y")
    atm = ATM + 0.005 * TENORS.index(tenor)
    for delta, size in ((0.25, 1.0), (0.10, 1.9)):
        call, put = (atm + BF * size**1.7 + sign * 0.5 * RR * size for sign in (CALL, PUT))
        strikes = [strike_of(PUT, delta, put, on, deltas), atm_strike(atm, on, deltas)]
        strikes.append(strike_of(CALL, delta, call, on, deltas))
        found = vols(model, "fx_vol", "EURUSD", tenor, strikes)
        np.testing.assert_allclose(found, [put, atm, call], rtol=1e-9)
        assert found[2] - found[0] == pytest.approx(RR * size, abs=1e-10)
        assert 0.5 * (found[2] + found[0]) - found[1] == pytest.approx(BF * size**1.7, abs=1e-10)
        assert delta_of(PUT, strikes[0], found[0], on, deltas) == pytest.approx(delta, abs=1e-9)


def test_yen_deltas_are_premium_adjusted_by_default_and_else_as_configured(plain, point, made) -> None:
    jpy = [point("zero_rate", "JPY.OIS", 0.01, tenor, currency="JPY") for tenor in ("1M", "10Y")]
    quotes = [point("fx_vol", "USDJPY", 0.11, "1Y", strike_type="atm")]
    quotes += [
        point("fx_vol", "USDJPY", vol, "1Y", strike_type=side, strike=delta)
        for side, delta, vol in (("delta_put", 0.25, 0.125), ("delta_call", 0.25, 0.104), ("delta_call", 0.1, 0.106))
    ]
    points = [*plain, *jpy, *quotes]
    for convention, deltas in (
        ({}, DeltaConvention(spot=True, premium_adjusted=True)),
        ({"delta": "forward", "premium_adjusted": False, "atm": "forward"}, DeltaConvention(atm="forward")),
        ({"delta": "spot", "atm": "spot"}, DeltaConvention(True, True, "spot")),
    ):
        _, model = made(points, "USDJPY", **convention)
        on = underlying(model, "1Y", "USD", "JPY", 150.0)
        group = model.snapshot.group(SMILE, "fx_vol:USDJPY")
        strikes = model.snapshot.factors.column("strike").to_pylist()[group.start : group.stop]
        expected = [strike_of(PUT, 0.25, 0.125, on, deltas), atm_strike(0.11, on, deltas),
                    strike_of(CALL, 0.25, 0.104, on, deltas), strike_of(CALL, 0.1, 0.106, on, deltas)]  # fmt: skip
        np.testing.assert_allclose(strikes, expected, rtol=1e-12)
        np.testing.assert_array_equal(model.snapshot.x0[group.start : group.stop], [0.125, 0.11, 0.104, 0.106])


@pytest.mark.parametrize("convention", [{}, {"strike_interpolation": "cubic_spline"}])
def test_vol_point_on_the_quotes_at_the_money_moves_the_whole_smile_by_one(plain, point, made, convention) -> None:
    derivation, model = made([*plain, *spreads(point)], **convention)
    quotes = [model.snapshot.factor_index(f"fx_vol:EURUSD:{tenor}:atm") for tenor in TENORS]
    derivative = Derivative(model.snapshot, derivation.groups)
    factors, levels, _ = derivative.extend(np.array(quotes), model.snapshot.x0[quotes] + 0.01)
    moved = dict(zip(factors.tolist(), (levels - model.snapshot.x0[factors]).tolist(), strict=True))
    group = model.snapshot.group(SMILE, "fx_vol:EURUSD")
    assert set(moved) == {*quotes, *range(group.start, group.stop)}
    np.testing.assert_allclose(list(moved.values()), 0.01, rtol=1e-10)


@pytest.mark.parametrize(
    "convention",
    [{}, {"strangle": "market"}, {"strangle": "market", "strike_interpolation": "cubic_spline"},
     {"strike_interpolation": "cubic_spline"}],
)  # fmt: skip
def test_slopes_are_those_of_the_revaluation(plain, point, made, convention) -> None:
    derivation, model = made([*plain, *spreads(point)], **convention)
    (group,) = derivation.groups
    levels = np.array([model.snapshot.x0[model.snapshot.factor_index(factor)] for factor in group.inputs])
    today = group.points.column("value").to_numpy()
    np.testing.assert_allclose(group.revalue(levels), today, rtol=1e-12)
    steps = np.eye(len(levels)) * 1e-6
    slope = np.column_stack([(group.revalue(levels + step) - group.revalue(levels - step)) / 2e-6 for step in steps])
    np.testing.assert_allclose(group.slope, slope, atol=1e-6)


def test_scenario_that_leads_below_zero_has_no_volatility(plain, point, made) -> None:
    derivation, model = made([*plain, *spreads(point)])
    quote = np.array([model.snapshot.factor_index("fx_vol:EURUSD:1Y:risk_reversal:0.25")])
    derivative = Derivative(model.snapshot, derivation.groups)
    factors, levels, _ = derivative.extend(quote, np.array([-0.25]))
    assert np.isnan(levels).sum() == 1
    assert len(factors) == 3
    _, levels, (unmade,) = derivative.extend(quote, np.array([-0.25]), exact=True)
    assert (unmade.group, unmade.reason) == ("smile_vol:fx_vol:EURUSD", "at 1Y a volatility is not above zero")
    assert np.isnan(levels).all(where=levels != -0.25)


def test_spline_goes_through_its_points_and_is_smooth_between(plain, point, made) -> None:
    strikes, levels = [3000.0, 4000.0, 4500.0, 5000.0, 6000.0], [0.31, 0.25, 0.22, 0.20, 0.21]
    quotes = by_strike(point, dict(zip(strikes, levels, strict=True)))
    _, model = made([*plain, *quotes], "DAX", strike_interpolation="cubic_spline")
    at = np.linspace(2500.0, 6500.0, 401)
    expected = CubicSpline(strikes, levels, bc_type="natural")(np.clip(at, 3000.0, 6000.0))
    np.testing.assert_allclose(vols(model, "black_vol", "DAX", "1Y", strikes), levels, rtol=1e-12)
    # Straight lines between 32 points a gap.
    np.testing.assert_allclose(vols(model, "black_vol", "DAX", "1Y", at.tolist()), expected, atol=1.2e-5)
    assert len(model.snapshot.factor_ids) == len(plain) + 5 + 4 * 32 + 1


def test_logarithmic_interpolation_is_linear_in_the_log_of_the_strike(plain, point, made) -> None:
    quotes = by_strike(point, {4000.0: 0.25, 6000.0: 0.2})
    _, model = made([*plain, *quotes], "DAX", strike_interpolation="linear_log_strike")
    found = vols(model, "black_vol", "DAX", "1Y", [1.0, 4000.0, 5000.0, 6000.0, 7000.0])
    middle = 0.25 - 0.05 * np.log(5000 / 4000) / np.log(6000 / 4000)
    np.testing.assert_allclose(found, [0.25, 0.25, middle, 0.2, 0.2], rtol=1e-12)


def test_commodity_by_delta_has_forward_deltas(plain, point, made) -> None:
    quotes = [
        point("black_vol", "GAS", vol, "1Y", strike_type=side, strike=delta, currency="USD")
        for side, delta, vol in (("delta_put", 0.25, 0.4), ("delta_call", 0.25, 0.5), ("atm", None, 0.42))
    ]
    curve = [point("forward_price", "GAS", price, tenor, currency="USD") for tenor, price in (("1M", 3.0), ("1Y", 4.0))]
    _, model = made([*plain, *curve, *quotes], "GAS")
    on = Underlying(4.0, np.nan, 1.0, 1.0)
    strikes = [strike_of(PUT, 0.25, 0.4, on, DeltaConvention()), 4.0, strike_of(CALL, 0.25, 0.5, on, DeltaConvention())]
    np.testing.assert_allclose(vols(model, "black_vol", "GAS", "1Y", strikes), [0.4, 0.42, 0.5], rtol=1e-12)


BAD = {
    "crossed smile": (
        {"fx_vol:EURUSD:1Y:butterfly:0.1": -0.06, "fx_vol:EURUSD:1Y:risk_reversal:0.1": 0.0},
        {},
        "at 1Y crossed smile: the 0.1-delta put at 1.0",
    ),
    "negative volatility": (
        {"fx_vol:EURUSD:3M:risk_reversal:0.25": -0.25},
        {},
        "at 3M the volatility of the 0.25-delta call is -0.021, not above zero",
    ),
    "no such delta": (
        {"fx_vol:EURUSD:2Y:atm": 2.5},
        {"premium_adjusted": True},
        "at 2Y the 0.25-delta call has no strike: a premium-adjusted call delta of 0.25 is above the largest one",
    ),
    "no market strangle": (
        {"fx_vol:EURUSD:1Y:butterfly:0.25": -0.2},
        {"strangle": "market"},
        "at 1Y the volatility of",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_smile_is_left_out_by_name(plain, point, made, case) -> None:
    levels, convention, words = BAD[case]
    quotes = [{**row, "value": levels.get(row["factor"], row["value"])} for row in spreads(point)]
    derivation, model = made([*plain, *quotes], **convention)
    (fault,) = derivation.faults
    assert (fault.level, fault.rule, fault.rows) == ("error", "no smile", 15)
    assert fault.message.startswith(f"fx_vol:EURUSD: {words}")
    assert derivation.left_out == {("fx_vol", "EURUSD")}
    assert model.failure(("fx_vol", "black_vol"), "EURUSD").reason is Reason.MISSING_MARKET_DATA
    assert model.resolve(("black_vol",), "SPX") is not None


def test_spot_deltas_of_an_equity_are_a_fault_of_the_configuration(plain, point, made) -> None:
    quotes = [point("black_vol", "DAX", 0.2, "1Y", strike=0.25, strike_type="delta_put")]
    derivation, _ = made([*plain, *quotes], "DAX", delta="spot")
    assert "are of pairs of currencies: correct market.surfaces.DAX" in derivation.faults[0].message


def test_missing_curve_leaves_out_the_surfaces_that_need_its_forwards(plain, point, made) -> None:
    points = [row for row in plain if row["name"] != "EUR.OIS"]
    derivation, model = made([*points, *spreads(point)])
    assert [fault.rule for fault in derivation.faults] == ["no smile"]
    assert "strikes of deltas need its forwards: the market has no zero_rate:EUR.OIS" in derivation.faults[0].message
    assert model.is_left_out(("fx_vol",), "EURUSD")


def test_cubes_by_delta_and_what_has_no_forward_are_not_served(plain, point, made) -> None:
    cube = [point("normal_vol", "CUBE", 0.01, "1Y", strike=0.25, strike_type="delta_put", underlying_tenor="5Y")]
    cap = [point("black_vol", "CAPS", 0.2, "1Y", strike=0.25, strike_type="delta_call")]
    derivation, model = made([*plain, *cube, *cap])
    assert derivation.faults == ()
    for kind, name, words in (
        ("normal_vol", "CUBE", "over the tenor"),
        ("black_vol", "CAPS", "of what has no forward"),
    ):
        failure = model.failure((kind,), name)
        assert failure.reason is Reason.UNSUPPORTED
        assert words in failure.message


def test_cube_by_spline(plain, point, made) -> None:
    """Each slice has a spline of its own, in offsets from the forward."""
    offsets, levels = (-0.01, 0.0, 0.01, 0.02), (0.010, 0.008, 0.0085, 0.0095)
    points = [
        {**point("normal_vol", "CUBE", vol * scale, "1Y", strike=offset, strike_type="offset"),
         "factor": f"normal_vol:CUBE:1Y:{tenor}:{offset}", "underlying_tenor": tenor}
        for tenor, scale in (("5Y", 1.0), ("10Y", 0.9))
        for offset, vol in zip(offsets, levels, strict=True)
    ]  # fmt: skip
    _, model = made([*plain, *points], "CUBE", strike_interpolation="cubic_spline")
    curve = CubicSpline(offsets, levels, bc_type="natural")
    strikes = np.array([0.03, 0.036, 0.055, 0.02])
    days, months = np.full(4, model.as_of + 365, np.int32), np.array([60.0, 60.0, 60.0, 90.0])
    names, forwards = Labels.constant("CUBE", 4), np.full(4, 0.03)
    nodes = model.cube_variance(("normal_vol",), names, days, months, strikes, forwards)
    found = np.sqrt(nodes.evaluate(model.snapshot.x0[:, None].copy())[:, 0])
    expected = curve(np.minimum(strikes - 0.03, 0.02)) * np.array([1.0, 1.0, 1.0, 0.95])
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    assert model.failure(("normal_vol",), "CUBE").message.startswith("normal_vol:CUBE depends on an underlying tenor")


def test_strikes_without_a_logarithm_are_not_served_by_it(plain, point, made) -> None:
    for strike_type in ("absolute", "offset"):
        quotes = [point("normal_vol", "CAPS", 0.01, "1Y", strike=k, strike_type=strike_type) for k in (0.0, 0.02)]
        _, model = made([*plain, *quotes], "CAPS", strike_interpolation="linear_log_strike")
        failure = model.failure(("normal_vol",), "CAPS")
        assert failure.reason is Reason.UNSUPPORTED
        assert "not above zero: no linear_log_strike" in failure.message


def test_an_expiry_in_the_past_is_not_used(plain, point, made) -> None:
    past = [point("fx_vol", "EURUSD", 0.5, "2024-10-01", strike_type="atm")]
    _, model = made([*plain, *spreads(point), *past])
    np.testing.assert_allclose(vols(model, "fx_vol", "EURUSD", "3M", [1.1]), ATM, rtol=0.05)
    derivation, _ = made([*plain, point("fx_vol", "EURUSD", 0.5, "2024-10-01", strike_type="delta_put", strike=0.25)])
    assert derivation.faults[0].message == "fx_vol:EURUSD: no expiry lies after as_of"


def test_surfaces_by_strike_are_not_derived(rows, made) -> None:
    derivation, model = made([row for row in rows if row["kind"] != "fx_vol"])
    assert derivation.groups == ()
    assert SMILE not in set(pa.array(model.snapshot.kinds).to_pylist())


def test_a_forward_below_zero_has_no_deltas() -> None:
    """Said as such, with the way out, and not as a crossed smile."""
    rows = [{"factor": "forward_price:OIL:1Y", "kind": "forward_price", "name": "OIL", "tenor": "1Y", "value": -5.0}]
    for kind, strike in (("atm", None), ("delta_put", 0.25), ("delta_call", 0.25)):
        smile = {"kind": "black_vol", "name": "OIL", "tenor": "1Y", "value": 0.4, "strike_type": kind, "strike": strike}
        rows.append({"factor": f"black_vol:OIL:1Y:{kind}", **smile})
    whole = [{field.name: row.get(field.name) for field in MARKET_SCHEMA} for row in rows]
    table = pa.Table.from_pylist(whole, MARKET_SCHEMA)
    (fault,) = derive(table, (derive_smiles,), 20_000, Conventions()).faults
    assert (fault.level, fault.rule) == ("error", "no smile")
    assert "at 1Y the forward is -5, and deltas are of lognormal prices" in fault.message
    assert "bachelier" in fault.message
