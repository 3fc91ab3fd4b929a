"""Curves, forwards and surfaces against QuantLib, closed formulas and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import InputError, Reason
from riskpipe.market.conventions import CommodityConvention, Conventions
from riskpipe.market.factors import date_of, pillar_days
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot

ACT_365F = ql.Actual365Fixed()


def _ql_date(days: int) -> ql.Date:
    day = date_of(days)
    return ql.Date(day.day, day.month, day.year)


@pytest.fixture
def model(snapshot) -> MarketModel:
    return MarketModel(snapshot, Conventions())


@pytest.fixture
def base(snapshot):
    """float64[n_factors, 1]: today's levels."""
    return np.ascontiguousarray(snapshot.x0[:, None])


def _points(snapshot: MarketSnapshot, kind: str, name: str) -> tuple[list[int], list[float]]:
    group = snapshot.group(kind, name)
    assert group is not None
    return snapshot.days[group.start : group.stop].tolist(), snapshot.x0[group.start : group.stop].tolist()


def _constant(name: str, days) -> tuple[Labels, np.ndarray]:
    return Labels.constant(name, len(days)), np.asarray(days, np.int32)


# --- discounting ---
@pytest.mark.parametrize(("kind", "name"), [("zero_rate", "USD.OIS"), ("hazard_rate", "ACME")])
def test_log_linear_curve_is_quantlibs(model, snapshot, base, as_of, kind, name) -> None:
    pillars, rates = _points(snapshot, kind, name)
    dates = [_ql_date(as_of), *(_ql_date(d) for d in pillars)]
    factors = [1.0, *(math.exp(-r * (d - as_of) / 365.0) for d, r in zip(pillars, rates, strict=True))]
    curve = ql.DiscountCurve(dates, factors, ACT_365F)
    days = np.arange(as_of, pillars[-1] + 1, 3)
    nodes, (position,) = model.discount(_constant(name, days), kind=kind)
    values = nodes.evaluate(base)[position, 0]
    np.testing.assert_allclose(values, [curve.discount(_ql_date(int(d))) for d in days], rtol=1e-14)
    assert values[0] == 1.0


def test_zero_rate_is_flat_beyond_both_ends(model, base, as_of) -> None:
    days = np.array([as_of - 100, as_of + 7, as_of + 20_000], np.int32)
    nodes, (position,) = model.discount(_constant("USD.OIS", days))
    values = nodes.evaluate(base)[position, 0]
    expected = [1.0, math.exp(-0.05 * 7 / 365.0), math.exp(-0.04 * 20_000 / 365.0)]
    np.testing.assert_allclose(values, expected, rtol=1e-15)


def test_linear_zero_where_the_conventions_say_so(snapshot, base, as_of) -> None:
    model = MarketModel(snapshot, Conventions(curve_interpolation={"USD.OIS": "linear_zero"}))
    pillars, rates = _points(snapshot, "zero_rate", "USD.OIS")
    days = np.arange(as_of + 1, as_of + 5000, 13)
    nodes, (position,) = model.discount(_constant("USD.OIS", days))
    expected = np.exp(-np.interp(days, pillars, rates) * (days - as_of) / 365.0)
    np.testing.assert_allclose(nodes.evaluate(base)[position, 0], expected, rtol=1e-14)
    other, (at,) = model.discount(_constant("EUR.OIS", days))
    plain, (there,) = MarketModel(snapshot, Conventions()).discount(_constant("EUR.OIS", days))
    assert (other.evaluate(base)[at] == plain.evaluate(base)[there]).all()


def test_shocked_curves_are_curves_of_shocked_points(model, snapshot, shocked, rows, table_of, as_of) -> None:
    days = np.arange(as_of + 1, as_of + 5000, 101)
    nodes, (position,) = model.discount(_constant("USD.OIS", days))
    values = nodes.evaluate(shocked)[position]
    for column in (0, 5, 36):
        moved = [{**row, "value": shocked[snapshot.factor_index(row["factor"]), column]} for row in rows]
        again = MarketModel(MarketSnapshot.from_table(table_of(moved), as_of), Conventions())
        fresh, (at,) = again.discount(_constant("USD.OIS", days))
        expected = fresh.evaluate(np.ascontiguousarray(again.snapshot.x0[:, None]))[at, 0]
        assert (values[:, column] == expected).all()


def test_nodes_are_shared_by_all_requests(model, base, as_of) -> None:
    first = Labels.of(["USD.OIS", "EUR.OIS", None]), np.array([as_of + 10, as_of + 10, as_of + 10], np.int32)
    second = (
        Labels(np.array([2, 0], np.int32), ("EUR.OIS", "unused", "USD.OIS")),
        np.array([as_of + 10, as_of + 10], np.int32),
    )
    nodes, (a, b) = model.discount(first, second)
    assert len(nodes) == 3
    assert b.tolist() == [a[0], a[1]]
    assert nodes.evaluate(base)[a[2], 0] == 1.0
    nothing, positions = model.discount()
    assert len(nothing) == 0
    assert positions == [] or all(len(p) == 0 for p in positions)


def test_value_does_not_depend_on_the_other_nodes(model, shocked, as_of) -> None:
    days = np.arange(as_of - 5, as_of + 4000, 37).astype(np.int32)
    alone = [model.discount(_constant("USD.OIS", days[k : k + 1])) for k in range(len(days))]
    nodes, (position,) = model.discount(_constant("USD.OIS", days[::-1].copy()))
    values = nodes.evaluate(shocked)[position][::-1]
    for k, (node, (at,)) in enumerate(alone):
        assert node.evaluate(shocked)[at[0]].tobytes() == values[k].tobytes()


def test_horizon_shortens_times_and_drops_points_that_pass(snapshot, base, as_of) -> None:
    later = MarketModel(snapshot, Conventions(), horizon_days=10)
    assert later.as_of == as_of
    days = np.array([as_of, as_of + 10, as_of + 11, as_of + 400], np.int32)
    assert later.time(days).tolist() == [0.0, 0.0, 1 / 365.0, 390 / 365.0]
    pillars, rates = _points(snapshot, "zero_rate", "USD.OIS")
    nodes, (position,) = later.discount(_constant("USD.OIS", days))
    logs = [0.0, *(r * (d - as_of - 10) / 365.0 for d, r in zip(pillars, rates, strict=True))]
    expected = np.exp(-np.interp(days, [as_of + 10, *pillars], logs))
    np.testing.assert_allclose(nodes.evaluate(base)[position, 0], expected, rtol=1e-14)
    # Beyond the first pillar (1M), that point is gone: flat at the next.
    much_later = MarketModel(snapshot, Conventions(), horizon_days=pillars[0] - as_of + 20)
    nodes, (position,) = much_later.discount(_constant("USD.OIS", [pillars[0] + 120]))
    assert nodes.evaluate(base)[position[0], 0] == pytest.approx(math.exp(-0.045 * 100 / 365), rel=1e-15)
    beyond = MarketModel(snapshot, Conventions(), horizon_days=20_000)
    nodes, (position,) = beyond.discount(_constant("USD.OIS", [as_of + 20_100]))
    assert nodes.evaluate(base)[position[0], 0] == pytest.approx(math.exp(-0.04 * 100 / 365), rel=1e-15)


# --- forwards ---
def test_forward_by_cost_of_carry(model, base, as_of) -> None:
    days = np.array([pillar_days(t, as_of) for t in ("0D", "2W", "1Y", "5Y")], np.int32)
    nodes, position = model.forwards(Labels.constant("SPX", 4), Labels.constant("USD", 4), days)
    factors, (r,) = model.discount(_constant("USD.OIS", days))
    yields, (q,) = model.discount(_constant("SPX", days), kind="dividend_yield")
    expected = 5000.0 * yields.evaluate(base)[q, 0] / factors.evaluate(base)[r, 0]
    np.testing.assert_allclose(nodes.evaluate(base)[position, 0], expected, rtol=1e-14)
    assert nodes.evaluate(base)[position[0], 0] == 5000.0


def test_forward_without_dividends_and_in_another_discount_curve(snapshot, base, as_of) -> None:
    model = MarketModel(snapshot, Conventions(discount_curves={"EUR": "GBP.OIS"}))
    days = np.array([as_of + 365], np.int32)
    nodes, position = model.forwards(Labels.of(["DAX"]), Labels.of(["EUR"]), days)
    assert nodes.evaluate(base)[position[0], 0] == pytest.approx(18000.0 * math.exp(0.04), rel=1e-15)


def test_forward_prices_are_linear_in_time_and_flat_beyond(model, snapshot, base, as_of) -> None:
    pillars, prices = _points(snapshot, "forward_price", "WTI")
    days = np.array([as_of, as_of + 1, *range(pillars[0], pillars[-1] + 1, 29), pillars[-1] + 500], np.int32)
    n = len(days)
    nodes, position = model.forwards(Labels.constant("WTI", n), Labels.constant("XXX", n), days)
    expected = np.interp(days, pillars, prices)
    np.testing.assert_allclose(nodes.evaluate(base)[position, 0], expected, rtol=1e-15)
    # A delivery date keeps its price when a day passes.
    later = MarketModel(snapshot, Conventions(), horizon_days=40)
    nodes, position = later.forwards(Labels.constant("WTI", n), Labels.constant("USD", n), days)
    np.testing.assert_allclose(nodes.evaluate(base)[position, 0], expected, rtol=1e-15)


def _contracts(point, table_of, as_of, **convention) -> MarketModel:
    expiries = (as_of - 3, as_of + 17, as_of + 45, as_of + 80)
    rows = [
        point("forward_price", "CL", 60.0 + k, date_of(day).isoformat(), currency="USD")
        for k, day in enumerate(expiries)
    ]
    rows += [point("forward_price", "HO", 2.0 + k, f"{1 + k}M", currency="USD") for k in range(3)]
    commodities = {"CL": CommodityConvention("contracts", **convention)}
    return MarketModel(MarketSnapshot.from_table(table_of(rows), as_of), Conventions(commodities=commodities))


def test_prices_of_contracts_are_not_interpolated(point, table_of, as_of) -> None:
    model = _contracts(point, table_of, as_of)
    days = as_of + np.array([-9, -3, -2, 0, 17, 18, 45, 46, 80, 81, 900], np.int32)
    for later in (model, MarketModel(model.snapshot, model.conventions, horizon_days=30)):
        nodes, position = later.forwards(*(Labels.constant(name, len(days)) for name in ("CL", "USD")), days)
        expected = [60.0, 60.0, 61.0, 61.0, 61.0, 62.0, 62.0, 63.0, 63.0, 63.0, 63.0]
        assert nodes.evaluate(model.base)[position, 0].tolist() == expected
    # Other commodities of the same market are interpolated.
    pillars, prices = _points(model.snapshot, "forward_price", "HO")
    middle = np.array([(pillars[0] + pillars[1]) // 2], np.int32)
    nodes, position = model.forwards(Labels.of(["HO"]), Labels.of(["USD"]), middle)
    assert nodes.evaluate(model.base)[position, 0] == pytest.approx(np.interp(middle, pillars, prices))


@pytest.mark.parametrize("roll", [0, 1, 3])
def test_the_prompt_contract_of_a_day(roll, point, table_of, as_of) -> None:
    """By hand, day by day: the first expiry on or after the day that is so many business days later."""
    model = _contracts(point, table_of, as_of, roll_days=roll, calendar="TARGET")
    expiries, _ = _points(model.snapshot, "forward_price", "CL")
    days = np.arange(as_of - 5, as_of + 90, dtype=np.int32)
    for nearby in (1, 2):
        label, holidays = Labels.constant("CL", len(days)), Labels.constant("weekends", len(days))
        found = model.contracts(label, days, holidays, np.full(len(days), nearby, np.int32))
        for day, expiry, exists in zip(days.tolist(), found.day.tolist(), found.exists.tolist(), strict=True):
            earliest = ql.TARGET().advance(_ql_date(day), roll, ql.Days) if roll else _ql_date(day)
            living = [e for e in expiries if _ql_date(e) >= earliest][nearby - 1 :]
            assert (expiry, exists) == (living[0] if living else expiries[-1], bool(living)), day
        assert found.is_contract.all()
    other = model.contracts(Labels.of(["HO"]), days[:1], Labels.of(["weekends"]), np.ones(1, np.int32))
    assert (other.day.tolist(), other.is_contract.tolist()) == ([days[0]], [False])


def test_forwards_of_many_underlyings_together(model, shocked, as_of) -> None:
    underlyings = Labels.of(["SPX", "WTI", None, "DAX", "SPX", "SPX"])
    currencies = Labels.of(["USD", "USD", "USD", "EUR", "EUR", "USD"])
    days = np.array([as_of + 100, as_of + 100, as_of + 100, as_of + 50, as_of + 100, as_of + 100], np.int32)
    nodes, position = model.forwards(underlyings, currencies, days)
    assert len(nodes) == 5
    assert position[0] == position[5]
    values = nodes.evaluate(shocked)[position]
    assert (values[2] == 0.0).all()
    for k in (0, 1, 3, 4):
        row = np.array([k])
        alone, at = model.forwards(underlyings.take(row), currencies.take(row), days[row])
        assert alone.evaluate(shocked)[at[0]].tobytes() == values[k].tobytes()


# --- surfaces ---
def _variance(model: MarketModel, base, name: str, days, strikes, forward: float = 5000.0) -> np.ndarray:
    n = len(days)
    nodes = model.variance(
        ("black_vol", "normal_vol"),
        Labels.constant(name, n),
        np.asarray(days, np.int32),
        np.asarray(strikes, np.float64),
        np.full(n, forward),
    )
    assert len(nodes) == n
    assert all(a.flags.c_contiguous for a in (nodes.index, nodes.strike_weight, nodes.time_weight))
    return nodes.evaluate(base)[:, 0]


def test_surface_is_quantlibs_at_its_strikes(model, snapshot, base, as_of) -> None:
    group = snapshot.group("black_vol", "SPX")
    assert group is not None
    strikes = [4000.0, 5000.0, 5500.0]
    expiries = sorted(set(snapshot.days[group.start : group.stop].tolist()))
    vols = snapshot.x0[group.start : group.stop].reshape(len(expiries), len(strikes))
    matrix = ql.Matrix(len(strikes), len(expiries))
    for i in range(len(strikes)):
        for j in range(len(expiries)):
            matrix[i][j] = float(vols[j, i])
    surface = ql.BlackVarianceSurface(
        _ql_date(as_of), ql.NullCalendar(), [_ql_date(d) for d in expiries], strikes, matrix, ACT_365F
    )
    surface.enableExtrapolation()
    days = np.arange(as_of, expiries[-1] + 900, 7)
    for strike in strikes:
        expected = [surface.blackVariance(_ql_date(int(d)), strike) for d in days]
        values = _variance(model, base, "SPX", days, np.full(len(days), strike))
        np.testing.assert_allclose(values, expected, rtol=1e-14, atol=1e-18)


def test_volatility_is_linear_in_strike_and_flat_beyond(model, snapshot, base, as_of) -> None:
    expiry = pillar_days("1Y", as_of)
    strikes = np.array([1.0, 4000.0, 4300.0, 5000.0, 5250.0, 5500.0, 9000.0])
    values = _variance(model, base, "SPX", np.full(len(strikes), expiry), strikes)
    vol = np.interp(strikes, [4000.0, 5000.0, 5500.0], [0.21, 0.2, 0.195])
    np.testing.assert_allclose(values, vol * vol, rtol=1e-14)


def test_total_variance_is_linear_in_time_between_different_strike_grids(point, table_of, as_of) -> None:
    rows = [point("spot", "X", 100.0)]
    rows += [point("black_vol", "X", v, "1Y", strike=k, strike_type="absolute") for k, v in ((90, 0.3), (110, 0.2))]
    rows += [
        point("black_vol", "X", v, "2Y", strike=k, strike_type="offset")
        for k, v in ((-20, 0.35), (0, 0.25), (30, 0.22))
    ]
    rows += [point("black_vol", "X", 0.4, "3Y")]
    snapshot = MarketSnapshot.from_table(table_of(rows), as_of)
    model = MarketModel(snapshot, Conventions())
    base = np.ascontiguousarray(snapshot.x0[:, None])
    one, two, three = (pillar_days(t, as_of) for t in ("1Y", "2Y", "3Y"))
    days = np.array([one - 100, one, one + 200, two, two + 100, three, three + 365])
    for strike, forward in ((95.0, 100.0), (70.0, 102.0), (140.0, 100.0)):
        near = np.interp(strike, [90, 110], [0.3, 0.2]) ** 2 * (one - as_of) / 365
        middle = np.interp(strike - forward, [-20, 0, 30], [0.35, 0.25, 0.22]) ** 2 * (two - as_of) / 365
        far = 0.4**2 * (three - as_of) / 365
        grid = [as_of, one, two, three, three + 365]
        expected = np.interp(days, grid, [0.0, near, middle, far, far + 0.4**2])
        values = _variance(model, base, "X", days, np.full(len(days), strike), forward)
        np.testing.assert_allclose(values, expected, rtol=1e-13)


def test_moneyness_with_an_atm_point(model, base, as_of) -> None:
    expiry, forward = pillar_days("6M", as_of), 70.0
    moneyness = np.array([0.5, 0.8, 0.85, 0.95, 1.0, 1.1, 1.25, 2.0])
    values = _variance(model, base, "WTI", np.full(8, expiry), moneyness * forward, forward)
    vol = np.interp(moneyness, [0.8, 0.9, 1.0, 1.25], [0.35, 0.3, 0.29, 0.28])
    np.testing.assert_allclose(values, vol * vol * (expiry - as_of) / 365, rtol=1e-13)


def test_expired_and_expiring_options_have_no_variance(model, snapshot, base, as_of) -> None:
    assert _variance(model, base, "SPX", [as_of, as_of - 3], [5000.0, 5000.0]).tolist() == [0.0, 0.0]
    later = MarketModel(snapshot, Conventions(), horizon_days=3)
    values = _variance(later, base, "SPX", [as_of + 3, as_of + 4], [5000.0, 5000.0])
    np.testing.assert_allclose(values, [0.0, 0.2**2 / 365], rtol=1e-14)
    # All expiries of the surface have passed: flat at the last.
    beyond = MarketModel(snapshot, Conventions(), horizon_days=2000)
    np.testing.assert_allclose(_variance(beyond, base, "SPX", [as_of + 2365], [5000.0]), [0.2**2], rtol=1e-14)


def test_trades_without_surface_or_strike(model, base, as_of) -> None:
    nodes = model.variance(
        ("black_vol",),
        Labels.of([None, "SPX", "SPX"]),
        np.full(3, as_of + 300, np.int32),
        np.array([5000.0, np.nan, 5000.0]),
        np.full(3, 5000.0),
    )
    values = nodes.evaluate(base)[:, 0]
    assert values[0] == 0.0
    assert math.isfinite(values[2])


def test_variance_of_a_trade_does_not_depend_on_the_others(model, shocked, as_of) -> None:
    rng = np.random.default_rng(3)
    n = 60
    surfaces = Labels(rng.integers(0, 2, n).astype(np.int32), ("SPX", "WTI"))
    days = rng.integers(as_of, as_of + 1000, n).astype(np.int32)
    forwards = np.where(surfaces.codes == 0, 5000.0, 70.0)
    strikes = forwards * rng.uniform(0.5, 1.6, n)
    whole = model.variance(("black_vol",), surfaces, days, strikes, forwards).evaluate(shocked)
    for rows in (np.arange(n)[::-1], rng.permutation(n)[:7], np.array([11])):
        part = model.variance(("black_vol",), surfaces.take(rows), days[rows], strikes[rows], forwards[rows])
        assert part.evaluate(shocked).tobytes() == np.ascontiguousarray(whole[rows]).tobytes()


# --- what there is ---
def test_resolve_takes_the_first_kind_that_there_is(model, snapshot) -> None:
    kinds = ("forward_price", "spot")
    assert model.resolve(kinds, "WTI") == (snapshot.group_index("forward_price", "WTI"),)
    assert model.resolve(kinds, "SPX") == (snapshot.group_index("spot", "SPX"),)
    assert model.resolve(kinds, "SPXX") is None
    failure = model.failure(kinds, "SPXX")
    assert failure.reason is Reason.MISSING_MARKET_DATA
    assert "forward_price:SPXX or spot:SPXX" in failure.message
    assert "did you mean 'SPX'" in failure.message


def test_points_with_and_without_an_underlying_tenor_make_no_surface(rows, point, table_of, as_of) -> None:
    rows = [
        *rows,
        point("normal_vol", "CUBE", 0.01, "1Y", underlying_tenor="5Y"),
        point("normal_vol", "CUBE", 0.01, "2Y"),
    ]
    model = MarketModel(MarketSnapshot.from_table(table_of(rows), as_of), Conventions())
    assert model.resolve(("normal_vol",), "CUBE", cube=True) is None
    assert model.failure(("normal_vol",), "CUBE").reason is Reason.UNSUPPORTED


def test_a_cube_is_linear_in_strike_and_tenor_and_in_variance_over_time(rows, point, table_of, as_of) -> None:
    levels = {}
    for i, expiry in enumerate(("1Y", "2Y")):
        for j, tenor in enumerate(("1Y", "5Y")):
            for k, strike in enumerate((0.01, 0.03)):
                levels[i, j, k] = 0.006 + 0.001 * i + 0.0005 * j + 0.0003 * k * (1 + i)
                new = point("normal_vol", "CUBE", levels[i, j, k], expiry, strike=strike, strike_type="absolute")
                rows = [*rows, {**new, "factor": f"normal_vol:CUBE:{i}{j}{k}", "underlying_tenor": tenor}]
    model = MarketModel(MarketSnapshot.from_table(table_of(rows), as_of), Conventions())
    assert model.resolve(("normal_vol",), "CUBE", cube=True) is not None
    days = np.array([as_of + 500, as_of + 100, as_of + 3000, as_of], np.int32)
    months = np.array([24.0, 3.0, 240.0, 60.0])
    strikes = np.array([0.015, 0.0, 0.5, 0.03])
    names = Labels.constant("CUBE", 4)
    nodes = model.cube_variance(("normal_vol",), names, days, months, strikes, np.zeros(4))
    found = nodes.evaluate(model.snapshot.x0[:, None].copy())[:, 0]

    def vol(i: int, tenor: float, strike: float) -> float:
        near, far = (levels[i, j, 0] + strike * (levels[i, j, 1] - levels[i, j, 0]) for j in range(2))
        return near + tenor * (far - near)

    near, far = vol(0, 0.25, 0.25) ** 2 * 365, vol(1, 0.25, 0.25) ** 2 * 730
    first = (near + (500 - 365) / 365 * (far - near)) / 365
    last = levels[1, 1, 1] ** 2 * 3000 / 365
    np.testing.assert_allclose(found, [first, levels[0, 0, 0] ** 2 * 100 / 365, last, 0.0], rtol=1e-12)


def test_delta_and_underlying_tenors_are_unsupported(rows, point, table_of, as_of) -> None:
    rows = [*rows, point("normal_vol", "CUBE", 0.01, "1Y", underlying_tenor="5Y")]
    model = MarketModel(MarketSnapshot.from_table(table_of(rows), as_of), Conventions())
    for kind, name, word in (("fx_vol", "EURUSD", "delta"), ("normal_vol", "CUBE", "underlying tenor")):
        assert model.resolve((kind,), name) is None
        failure = model.failure((kind,), name)
        assert failure.reason is Reason.UNSUPPORTED
        assert word in failure.message
        with pytest.raises(InputError, match=word):
            model.variance((kind,), Labels.of([name]), np.array([as_of + 9], np.int32), np.ones(1), np.ones(1))


def test_names_that_the_market_lacks_raise_only_where_used(model, as_of) -> None:
    days = np.array([as_of + 10], np.int32)
    with pytest.raises(InputError, match=r"zero_rate:XXX\.OIS"):
        model.discount((Labels.of(["XXX.OIS"]), days))
    unused = Labels(np.array([1], np.int32), ("XXX.OIS", "USD.OIS"))
    assert len(model.discount((unused, days))[0]) == 1
    with pytest.raises(InputError, match="SPY"):
        model.forwards(Labels.of(["SPY"]), Labels.of(["USD"]), days)
    with pytest.raises(InputError, match=r"XXX\.OIS"):
        model.forwards(Labels.of(["SPX"]), Labels.of(["XXX"]), days)


def test_fixings_are_of_exactly_their_date(model, as_of) -> None:
    assert date_of(as_of).isoformat() == "2024-10-04"
    names = Labels.of(["USD.SOFR", "USD.SOFR", "USD.SOFR", "USD.SOFR", "EUR.ESTR", None])
    days = np.array([as_of - 3, as_of - 2, as_of - 1, as_of, as_of - 1, as_of - 1], np.int32)
    np.testing.assert_array_equal(model.fixings(names, days), [np.nan, 0.051, 0.052, np.nan, np.nan, np.nan])
