"""Sensitivities that a trader hedges with: against QuantLib bumped and revalued, curves made anew, and closed forms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from msgspec.structs import asdict
from par_quotes import AS_OF as QUOTED_ON
from par_quotes import CONVENTIONS, EVERY_KIND, table_of
from quoted_trades import model_of
from valuations import open_run, settings_at, trades_of, write_book

from riskpipe.market.derived import Derivative, derive
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.curve_families import BucketedZeroFamily
from riskpipe.measures.families import BucketedDeltaFamily, Bumps
from riskpipe.measures.run_scenarios import build_scenarios
from riskpipe.products.catalogue import catalogue
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.valuation.part import Part

AS_OF = date(2026, 11, 20)
YEAR, TWO = (AS_OF + timedelta(days=365 * years) for years in (1, 2))
SPOT, VOL, DOLLAR, EURO, DIVIDEND = 105.0, 0.2, 0.03, 0.02, 0.01
BP = 1e-4
EVERY = ("bucketed_delta", "bucketed_zero", "curve_dv01", "rho", "theta", "theta_carry", "theta_roll", "cross_gamma")
PAIRS = "bumps.cross_gamma=[[spot:ACME, black_vol:ACME], [spot:ACME, zero_rate:USD.OIS]]"

CALL = {
    "underlying": "ACME", "currency": "USD", "quantity": 1000.0, "option_type": "call", "strike": 100.0,
    "expiry_date": YEAR, "exercise": "european",
}  # fmt: skip
FORWARD = {
    "buy_currency": "EUR", "buy_amount": 1e6, "sell_currency": "USD", "sell_amount": 1.2e6, "delivery_date": YEAR,
}  # fmt: skip
CASH = {"currency": "USD", "amount": 1e6, "value_date": TWO}
FUTURE = {
    "underlying": "OIL", "currency": "USD", "quantity": 10.0, "contract_size": 1000.0, "expiry_date": YEAR,
    "reference_price": 70.0,
}  # fmt: skip
POSITION = {"underlying": "ACME", "currency": "USD", "quantity": 100.0}
MARKET = [
    {"kind": "spot", "name": "ACME", "value": SPOT, "currency": "USD"},
    {"kind": "spot", "name": "EURUSD", "value": 1.25, "currency": "USD"},
    {"kind": "dividend_yield", "name": "ACME", "tenor": "1Y", "value": DIVIDEND, "currency": "USD"},
    {"kind": "black_vol", "name": "ACME", "tenor": "1Y", "value": VOL, "strike_type": "atm", "currency": "USD"},
    *(
        {"kind": "zero_rate", "name": f"{currency}.OIS", "tenor": day.isoformat(), "value": rate, "currency": currency}
        for currency, rate in (("USD", DOLLAR), ("EUR", EURO))
        for day in (AS_OF + timedelta(days=90), YEAR, TWO)
    ),
    *(
        {"kind": "forward_price", "name": "OIL", "tenor": day.isoformat(), "value": price, "currency": "USD"}
        for day, price in ((AS_OF + timedelta(days=90), 71.0), (YEAR, 72.0), (TWO, 73.0))
    ),
]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Part]:
    directory, products = tmp_path_factory.mktemp("trader"), catalogue()
    rows = {
        "equity_option": CALL, "fx_forward": FORWARD, "cash_balance": CASH, "commodity_future": FUTURE,
        "equity_position": POSITION,
    }  # fmt: skip
    trades = {name: trades_of(products[name], [row]) for name, row in rows.items()}
    book = write_book(directory / "book", trades, MARKET)
    contracts = "market.commodities.OIL.curve=contracts"
    wanted = ("pv", *EVERY)
    run = open_run(settings_at(book, directory / "output", f"measures=[{', '.join(wanted)}]", PAIRS, contracts))
    return {name: run.value(products[name], run.trades(name), wanted) for name in rows}


def rows_of(part: Part, measure: str) -> dict[str, float]:
    return {
        each.factor: float(each.value[0]) for each in part.sensitivities if each.measure == measure and len(each.value)
    }


def total(part: Part, measure: str) -> float:
    return float(part.values[measure][0])


def quantlib(spot: float = SPOT, vol: float = VOL, rate: float = DOLLAR, figure: str = "NPV") -> float:
    today, count = ql.Date(20, 11, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, level, count)) for level in (DIVIDEND, rate)]
    surface = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), *curves, surface)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    return 1000.0 * float(getattr(option, figure)())


def test_rho_is_quantlibs(parts: Mapping[str, Part]) -> None:
    part = parts["equity_option"]
    assert rows_of(part, "rho") == {"zero_rate:USD.OIS": pytest.approx(quantlib(figure="rho"), rel=1e-6)}
    assert total(part, "rho") == rows_of(part, "rho")["zero_rate:USD.OIS"]
    bumped = quantlib(rate=DOLLAR + BP) - quantlib()
    assert rows_of(part, "curve_dv01") == {"zero_rate:USD.OIS": pytest.approx(bumped, rel=1e-9)}


def test_a_forward_has_a_rho_to_each_curve(parts: Mapping[str, Part]) -> None:
    found = rows_of(parts["fx_forward"], "rho")
    bought, sold = 1e6 * 1.25 * math.exp(-EURO), 1.2e6 * math.exp(-DOLLAR)
    assert found == {
        "zero_rate:EUR.OIS": pytest.approx(-bought, rel=1e-8),
        "zero_rate:USD.OIS": pytest.approx(sold, rel=1e-8),
    }


def test_cross_gamma_is_the_mixed_difference_of_quantlibs_values(parts: Mapping[str, Part]) -> None:
    found = rows_of(parts["equity_option"], "cross_gamma")
    up = 1.01 * SPOT
    with_vol = quantlib(up, VOL + 0.01) - quantlib(up) - quantlib(SPOT, VOL + 0.01) + quantlib()
    with_rate = quantlib(up, rate=DOLLAR + BP) - quantlib(up) - quantlib(rate=DOLLAR + BP) + quantlib()
    assert found == {
        "spot:ACME x black_vol:ACME": pytest.approx(with_vol, abs=1e-8),
        "spot:ACME x zero_rate:USD.OIS": pytest.approx(with_rate, abs=1e-8),
    }
    assert "cross_gamma" not in {each.measure for each in parts["cash_balance"].sensitivities if len(each.value)}


def test_carry_and_roll_add_up_to_theta(parts: Mapping[str, Part]) -> None:
    for part in parts.values():
        both = total(part, "theta_carry") + total(part, "theta_roll")
        assert both == pytest.approx(total(part, "theta"), abs=1e-9 * (1.0 + abs(total(part, "pv"))))


@pytest.mark.parametrize("product", ["cash_balance", "fx_forward"])
def test_what_forwards_pay_for_is_worth_a_day_of_interest_more(parts: Mapping[str, Part], product: str) -> None:
    """If forwards come true, a value earns the rate of its currency, whatever is behind it."""
    pv = total(parts[product], "pv")
    assert total(parts[product], "theta_carry") == pytest.approx(pv * math.expm1(DOLLAR / 365.0), rel=1e-9)


def test_carry_of_shares_is_their_forward(parts: Mapping[str, Part]) -> None:
    part = parts["equity_position"]
    assert total(part, "theta_carry") == pytest.approx(100 * SPOT * math.expm1((DOLLAR - DIVIDEND) / 365.0), rel=1e-9)
    assert total(part, "theta") == 0.0


def test_a_forward_on_a_point_has_nothing_on_its_neighbours(parts: Mapping[str, Part]) -> None:
    points = {f"zero_rate:{currency}.OIS:{YEAR.isoformat()}" for currency in ("EUR", "USD")}
    for measure in ("bucketed_delta", "bucketed_zero"):
        assert {factor for factor in rows_of(parts["fx_forward"], measure) if factor.startswith("zero")} == points


def test_bucketed_delta_of_a_future_is_on_its_own_contract(parts: Mapping[str, Part]) -> None:
    found = rows_of(parts["commodity_future"], "bucketed_delta")
    assert found == {f"forward_price:OIL:{YEAR.isoformat()}": pytest.approx(10.0 * 1000.0 * 0.72, rel=1e-12)}


# -- curves that are made from quotes

SIZES = Bumps(0.001, 0.01, normal_volatility=BP, rate=BP, hazard=BP, bucketed_spot=0.01)
SWAPS = {
    "currency": ["EUR"] * 3,
    "index": ["EUR.EURIBOR3M"] * 3,
    "discount_curve": ["EUR.ESTR"] * 3,
    "notional": [1e8] * 3,
    "direction": ["pay"] * 3,
    "fixed_rate": [0.025, 0.03, 0.02],
    "float_spread": [0.0] * 3,
    "start_date": [QUOTED_ON + 4] * 3,
    "maturity_date": [QUOTED_ON + days for days in (1500, 3300, 6900)],
    "fixed_frequency": ["1Y"] * 3,
    "fixed_day_count": ["30E/360"] * 3,
    "float_frequency": ["3M"] * 3,
    "float_day_count": ["ACT/360"] * 3,
    "calendar": ["TARGET"] * 3,
    "business_day_convention": ["modified_following"] * 3,
}  # fmt: skip


class Quoted:
    """Swaps under columns of a quoted market."""

    def __init__(self, rates: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        found = derive(table_of([dict(row) for row in rows]), PRODUCERS, QUOTED_ON, CONVENTIONS)
        self.snapshot = MarketSnapshot.from_table(found.table, QUOTED_ON)
        self.derivative = Derivative(self.snapshot, found.groups)
        trades, model = rates.trades(InterestRateSwap(), SWAPS), model_of([*rows], CONVENTIONS)  # type: ignore[list-item]
        self.prepared = InterestRateSwap().prepare(trades, model)

    def values(self, x: np.ndarray) -> np.ndarray:
        return self.prepared.price(np.arange(3, dtype=np.int32), np.ascontiguousarray(x))

    def changes(self, measure: str, quotes: str = "first_order") -> dict[str, np.ndarray]:
        bumps = Bumps(**{**asdict(SIZES), "quotes": quotes})
        columns = build_scenarios(self.snapshot, (measure,), bumps, derivative=self.derivative).columns
        mine = np.arange(len(columns))[columns.columns_of(measure)]
        values = self.values(columns.levels(self.snapshot.x0, np.r_[0, mine]))
        names = [columns.names[int(k)].as_py() for k in mine]
        return {name: values[:, k + 1] - values[:, 0] for k, name in enumerate(names)}


def made_anew(rates: Any, factor: str, size: float) -> np.ndarray:
    """Values of the swaps where one quote moves, and every curve is made anew by QuantLib."""
    rows = [{**row, "value": row["value"] + size * (row["factor"] == factor)} for row in EVERY_KIND]
    moved = Quoted(rates, rows)
    return moved.values(moved.snapshot.x0[:, None])[:, 0]


@pytest.mark.parametrize("tenor", ["5Y", "20Y"])
def test_par_sensitivities_are_those_of_curves_made_anew(rates: Any, tenor: str) -> None:
    """For the bump itself, where curves are made anew; to first order the derivative is right."""
    market, factor = Quoted(rates, EVERY_KIND), f"par_rate:EUR.ESTR:ois:{tenor}"
    base = market.values(market.snapshot.x0[:, None])[:, 0]
    up, down = (made_anew(rates, factor, size) for size in (BP, -BP))
    size = np.abs(up - base).max()
    assert size > 100.0
    np.testing.assert_allclose(market.changes("bucketed_delta", "rebootstrap")[factor], up - base, atol=1e-6 * size)
    np.testing.assert_allclose(market.changes("bucketed_delta")[factor], up - base, atol=1e-3 * size)
    index = market.snapshot.factor_index(factor)
    x = np.stack([market.snapshot.x0] * 2, axis=1)
    for k, sign in enumerate((BP, -BP)):
        factors, levels, _ = market.derivative.extend(np.array([index]), market.snapshot.x0[[index]] + sign)
        x[factors, k] = levels
    first, second = market.values(x).T
    np.testing.assert_allclose(first - second, up - down, rtol=0.0, atol=2e-6 * size)


def test_a_quoted_curve_has_its_quotes_and_its_points(rates: Any) -> None:
    market = Quoted(rates, EVERY_KIND)
    par, zero = market.changes("bucketed_delta"), market.changes("bucketed_zero")
    assert any(name.startswith("par_rate:EUR.ESTR") for name in par)
    assert not any(name.startswith("zero_rate:EUR.ESTR") for name in par)
    points = [name for name in zero if name.startswith("zero_rate:EUR")]
    assert {name.split(":")[1] for name in points} >= {"EUR.ESTR", "EUR.EURIBOR3M"}
    # a parallel move of all points is about the sum of them
    snapshot = market.snapshot
    x = np.stack([snapshot.x0] * 2, axis=1)
    x[[snapshot.factor_index(name) for name in points], 1] += BP
    whole = market.values(x)
    total = sum(zero[name] for name in points)
    np.testing.assert_allclose(total, whole[:, 1] - whole[:, 0], rtol=5e-3)


def test_points_are_bumped_alone() -> None:
    market = model_of([*EVERY_KIND], CONVENTIONS).snapshot
    for family in (BucketedZeroFamily(), BucketedDeltaFamily()):
        for subject in family.subjects(market, SIZES, CONVENTIONS):
            assert len(subject.factors) == 1
