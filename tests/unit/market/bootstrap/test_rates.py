"""Zero curves from par rates: every instrument at its quote, QuantLib's curve between pillars, exact derivatives."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from msgspec.structs import replace
from par_quotes import AS_OF, CONVENTIONS, EVERY_KIND, LONG, Rows, par_rates, point, shifted, table_of

from riskpipe.market.bootstrap.quantlib import to_date, valued_at
from riskpipe.market.bootstrap.rates import RateMarket, bootstrap_rates
from riskpipe.market.conventions import Conventions, CurveConvention
from riskpipe.market.derived import Derivation
from riskpipe.market.factors import days_of, is_iso_date
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot

TODAY = to_date(AS_OF)
NOTHING: frozenset[tuple[str, str]] = frozenset()


def _made(rows: Rows, conventions: Conventions = Conventions(), as_of: int = AS_OF) -> Derivation:  # noqa: B008
    return bootstrap_rates(table_of(rows), as_of, conventions, NOTHING)


def _discounts(found: Derivation, curve: str, days: np.ndarray, conventions: Conventions) -> np.ndarray:
    """By riskpipe's own curves."""
    snapshot = MarketSnapshot.from_table(found.table, AS_OF)
    days = days.astype(np.int32)
    nodes, (position,) = MarketModel(snapshot, conventions).discount((Labels.constant(curve, len(days)), days))
    return nodes.evaluate(snapshot.x0[:, None])[position, 0]


def _quantlib_discounts(curve: Any, days: np.ndarray) -> np.ndarray:
    return np.array([curve.discount(to_date(int(day))) for day in days])


@pytest.mark.parametrize("interpolation", ["log_linear_discount", "linear_zero"])
def test_sofr_swaps_need_no_configuration_and_are_quantlib_s_curve(interpolation: str) -> None:
    """QuantLib's own index and conventions, spelt out."""
    conventions = Conventions(curve_interpolation={"USD.SOFR": interpolation})
    conventions = replace(conventions, discount_curves={"USD": "USD.SOFR"})
    found = _made(par_rates("USD.SOFR", "ois", LONG), conventions)
    assert found.faults == ()
    with valued_at(AS_OF):
        helpers = [
            ql.OISRateHelper(
                2, ql.Period(tenor), ql.QuoteHandle(ql.SimpleQuote(rate)), ql.Sofr(), paymentFrequency=ql.Annual
            )
            for tenor, rate in LONG.items()
        ]
        kind = ql.PiecewiseLinearZero if interpolation == "linear_zero" else ql.PiecewiseLogLinearDiscount
        curve = kind(TODAY, helpers, ql.Actual365Fixed(), ql.IterativeBootstrap(1e-15))
        last = helpers[-1].pillarDate().serialNumber() - TODAY.serialNumber()
        days = AS_OF + np.unique(np.linspace(1, last, 500).astype(int))
        expected = _quantlib_discounts(curve, days)
    assert _discounts(found, "USD.SOFR", days, conventions) == pytest.approx(expected, abs=1e-12)


def test_euribor_swaps_discounted_on_estr_are_quantlib_s_curve() -> None:
    conventions = Conventions(discount_curves={"EUR": "EUR.ESTR"})
    swaps = shifted(LONG, 0.002)
    rows = par_rates("EUR.ESTR", "ois", LONG) + par_rates("EUR.EURIBOR6M", "swap", swaps)
    found = _made(rows, conventions)
    assert found.faults == ()
    with valued_at(AS_OF):
        target, euribor = ql.TARGET(), ql.Euribor6M()
        estr = ql.OvernightIndex("ESTR", 0, ql.EURCurrency(), target, ql.Actual360())
        helpers = [
            ql.OISRateHelper(2, ql.Period(t), ql.QuoteHandle(ql.SimpleQuote(r)), estr, paymentFrequency=ql.Annual)
            for t, r in LONG.items()
        ]
        accuracy = ql.IterativeBootstrap(1e-15)
        discount = ql.PiecewiseLogLinearDiscount(TODAY, helpers, ql.Actual365Fixed(), accuracy)
        # The market's term rate of a coupon is that of its own period (par coupons).
        helpers = [
            ql.SwapRateHelper(
                ql.QuoteHandle(ql.SimpleQuote(rate)),
                ql.Period(tenor),
                target,
                ql.Annual,
                ql.ModifiedFollowing,
                ql.Thirty360(ql.Thirty360.EurobondBasis),
                euribor,
                ql.QuoteHandle(),
                ql.Period(0, ql.Days),
                ql.YieldTermStructureHandle(discount),
            )
            for tenor, rate in swaps.items()
        ]
        curve = ql.PiecewiseLogLinearDiscount(TODAY, helpers, ql.Actual365Fixed(), accuracy)
        days = AS_OF + np.unique(np.linspace(1, 7000, 300).astype(int))
        expected = _quantlib_discounts(curve, days)
    assert _discounts(found, "EUR.EURIBOR6M", days, conventions) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("interpolation", ["log_linear_discount", "linear_zero"])
def test_every_kind_is_repriced_at_its_quote(interpolation: str) -> None:
    names = {row["name"] for row in EVERY_KIND if row["kind"] == "par_rate"}
    conventions = replace(CONVENTIONS, curve_interpolation=dict.fromkeys(names, interpolation))
    market = RateMarket(table_of(EVERY_KIND), AS_OF, conventions, NOTHING)
    found = market.derivation()
    assert found.faults == ()
    assert {group.points.column("name")[0].as_py() for group in found.groups} == names
    for group in found.groups:
        solver = market.solved[group.points.column("name")[0].as_py()]
        levels = solver.levels
        zeros = group.points.column("value").to_numpy()
        assert solver.rates(zeros, levels) == pytest.approx(levels[: len(zeros)], abs=1e-12)


@pytest.mark.parametrize("settlement_days", [0, 1, 2])
@pytest.mark.parametrize("day", [date(2026, 11, 21), date(2026, 12, 25), date(2027, 1, 1), date(2026, 11, 26)])
def test_quotes_of_holidays_and_of_every_spot_lag(day: date, settlement_days: int) -> None:
    """Curves are checked against riskpipe's own cash flows as they are made: no fault is agreement on every date."""
    undated = [row for row in EVERY_KIND if not is_iso_date(row["tenor"] or "")]
    names = {row["name"] for row in undated if row["kind"] == "par_rate"}
    lag = {name: replace(CONVENTIONS.curve(name), settlement_days=settlement_days) for name in names}
    assert _made(undated, replace(CONVENTIONS, curves=lag), days_of(day)).faults == ()


def test_derivatives_are_those_of_another_bootstrap() -> None:
    market = RateMarket(table_of(EVERY_KIND), AS_OF, CONVENTIONS, NOTHING)
    found = market.derivation()
    for group in found.groups:
        solver = market.solved[group.points.column("name")[0].as_py()]
        levels = solver.levels
        step = 1e-5
        for k in range(len(levels)):
            up, down = levels.copy(), levels.copy()
            up[k] += step
            down[k] -= step
            difference = (solver.solve(up) - solver.solve(down)) / (2.0 * step)
            # Third derivatives of the longest rates leave about 1e-8 of the difference quotient.
            assert group.slope[:, k] == pytest.approx(difference, abs=2e-8), group.inputs[k]


def test_newton_s_curve_of_a_large_move_is_the_bootstrapped_one() -> None:
    market = RateMarket(table_of(EVERY_KIND), AS_OF, CONVENTIONS, NOTHING)
    found = market.derivation()
    for group in found.groups:
        solver = market.solved[group.points.column("name")[0].as_py()]
        levels = solver.levels + 0.02
        assert group.revalue is not None
        assert group.revalue(levels) == pytest.approx(solver.solve(levels), abs=1e-12)


def test_points_are_dated_by_pillars_and_carry_the_currency() -> None:
    found = _made(
        par_rates("USD.SOFR", "ois", {"2Y": 0.039, "1Y": 0.04}), Conventions(discount_curves={"USD": "USD.SOFR"})
    )
    rows = [row for row in found.table.to_pylist() if row["kind"] == "zero_rate"]
    assert [row["factor"] for row in rows] == ["zero_rate:USD.SOFR:2027-11-24", "zero_rate:USD.SOFR:2028-11-24"]
    assert {row["currency"] for row in rows} == {"USD"}


def test_the_convexity_of_futures_lowers_the_forward() -> None:
    rows = par_rates("EUR.EURIBOR3M", "future", {"2028-03-15": 0.03})
    flat = _made(rows).groups[0].points.column("value")[0].as_py()
    conventions = Conventions(curves={"EUR.EURIBOR3M": CurveConvention(futures_volatility=0.01)})
    bent = _made(rows, conventions).groups[0].points.column("value")[0].as_py()
    near, far = (481 / 365, 573 / 365)  # to 15 March and 15 June 2028
    assert flat - bent == pytest.approx(0.5 * 0.01**2 * near * far, rel=0.03)


def test_quotes_on_a_given_zero_curve_depend_on_its_points() -> None:
    given = [point("zero_rate", "EUR.ESTR", 0.02, tenor, "EUR") for tenor in ("1Y", "5Y", "30Y")]
    conventions = Conventions(discount_curves={"EUR": "EUR.ESTR"})
    (group,) = _made(given + par_rates("EUR.EURIBOR6M", "swap", {"5Y": 0.024}), conventions).groups
    assert group.inputs == ("par_rate:EUR.EURIBOR6M:swap:5Y", *(row["factor"] for row in given))
    assert np.count_nonzero(group.slope) >= 3
