"""Notes, cross-currency swaps, legs of swaps, caps and swaptions with dates of their own against QuantLib: 1e-12.

Roll days, stubs, calendars, conventions and lags are drawn at random; of notional, under today's and a shocked market.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import CurveMarket, day_number, iso
from dated_legs import (
    AS_OF,
    CALENDARS,
    CONVENTIONS,
    RULES,
    QuantLibLegs,
    RandomLegs,
    Row,
    make_market,
    prefixed,
    trades_of,
)

from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.floating_rate_note import FloatingRateNote
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.swap import Swap
from riskpipe.products.swaption import Swaption

TOLERANCE = 1e-12
NOTIONAL = 1e8
SIZES = [25, pytest.param(500, marks=pytest.mark.slow)]
VOLATILITY, SHIFT = 0.0065, 0.03
OWN_CURVE = {"EUR": "EUR.OIS", "USD": "USD.OIS"}
OF_CURRENCY = {"EUR": ("TERM", "ESTR"), "USD": ("SOFR",)}

Case = tuple[Row, Callable[[QuantLibLegs, float], float]]
"""A trade, and its value by QuantLib's legs and an exchange rate."""


def snapshot_of(market: CurveMarket, spot: float) -> MarketSnapshot:
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    rows: list[Row] = [{"factor": "spot:EURUSD", "kind": "spot", "name": "EURUSD", "currency": "USD", "value": spot}]
    for kind, value in (("normal_vol", VOLATILITY), ("black_vol", 0.2)):
        at = {"kind": kind, "tenor": iso(AS_OF + 365), "strike_type": "atm", "value": value}
        rows.append({"factor": f"{kind}:CAPS:1Y", "name": "CAPS", **at})
        rows.append({"factor": f"{kind}:CUBE:1Y:5Y", "name": "CUBE", "underlying_tenor": "5Y", **at})
    return MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist(rows, table.schema)]), market.as_of)


def assert_values(product: Product, cases: Sequence[Case]) -> None:
    market, spot = make_market(), 1.16
    shocked = market.shocked(np.random.default_rng(7))
    snapshots = [snapshot_of(market, spot), snapshot_of(shocked, 1.1 * spot)]
    model, trades = MarketModel(snapshots[0], CONVENTIONS), trades_of(product, [row for row, _ in cases])
    assert product.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = product.prepare(trades, model).price(np.arange(len(cases), dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, (of, rate) in enumerate([(market, spot), (shocked, 1.1 * spot)]):
        quantlib = QuantLibLegs(of)
        expected = np.array([value(quantlib, rate) for _, value in cases])
        error = np.abs(values[:, column] - expected)
        worst = int(np.argmax(error))
        told = f"{worst}: {values[worst, column]} {expected[worst]} {cases[worst][0]}"
        assert error[worst] < TOLERANCE * NOTIONAL, told


def days_of(calendar: str, **dates: date) -> Row:
    return {name: day_number(day) for name, day in dates.items()} | {"calendar": calendar}


def shared(legs: RandomLegs, start: int, maturity: int) -> Row:
    rolls = {"calendar": legs.pick(CALENDARS), "business_day_convention": legs.pick(RULES)}
    return {"start_date": start, "maturity_date": maturity} | rolls


@pytest.mark.parametrize("size", SIZES)
def test_floating_rate_notes(size: int) -> None:
    legs = RandomLegs(11)

    def case() -> Case:
        start, maturity = legs.life()
        index = legs.pick(OF_CURRENCY["EUR"])
        row = shared(legs, start, maturity) | legs.dates(start, maturity, index)
        row["issue_date"] = row.pop("start_date")
        row |= {"currency": "EUR", "index": index, "discount_curve": legs.pick(["EUR.OIS", "EUR.6M"])}
        row |= {"quantity": 1.0, "face": NOTIONAL, "spread": 0.002, "day_count": "ACT/360", "credit_curve": None}

        def value(quantlib: QuantLibLegs, _: float) -> float:
            leg = quantlib.floating(row, row, index, [NOTIONAL], 0.002, start="issue_date")
            redeemed = quantlib.known(NOTIONAL, leg[-1].date(), row["discount_curve"])
            return quantlib.value(leg, row["discount_curve"]) + redeemed

        return row, value

    assert_values(FloatingRateNote(), [case() for _ in range(size)])


class Leg:
    """A leg of a swap that exchanges its notional, as far as it is said. :ivar terms: of its dates."""

    def __init__(self, legs: RandomLegs, row: Row, currency: str, exchanged: bool) -> None:
        self.row, self.currency, self.exchanged = row, currency, exchanged
        self.index = legs.some(OF_CURRENCY[currency])
        self.terms = legs.dates(row["start_date"], row["maturity_date"], self.index)
        self.curve = legs.pick([OWN_CURVE[currency], "EUR.6M"])
        self.notional = NOTIONAL * float(legs.random.uniform(0.5, 1.0))

    def value(self, quantlib: QuantLibLegs, resets: Callable[[Any], float] | None = None) -> float:
        """:param resets: the notional of a period that starts on a day, of all but the first."""
        days = list(quantlib.schedule(self.row, self.terms))
        notionals = [self.notional, *((resets(day) if resets else self.notional) for day in days[1:-1])]
        if self.index is None:
            coupons = quantlib.fixed(self.row, self.terms, notionals, 0.03, ql.Actual360())
        else:
            coupons = quantlib.floating(self.row, self.terms, self.index, notionals, 0.001)
        value = quantlib.value(coupons, self.curve)
        if self.exchanged:
            changes = np.diff([0.0, *notionals, 0.0])
            for change, day in zip(changes, days, strict=True):
                value -= quantlib.known(change, quantlib.exchanged(self.row, self.terms, day), self.curve)
        return value

    @property
    def columns(self) -> Row:
        of = {"currency": self.currency, "notional": self.notional, "index": self.index, "discount_curve": self.curve}
        floats = self.index is not None
        rates = {"fixed_rate": None if floats else 0.03, "spread": 0.001 if floats else None, "day_count": "ACT/360"}
        return of | rates | self.terms


@pytest.mark.parametrize("size", SIZES)
def test_cross_currency_swaps(size: int) -> None:
    """Every third one resets the notional of a side, all of whose rates are still to come."""
    legs = RandomLegs(12)

    def case(resetting: bool, vanishing: bool = False) -> Case:
        row, exchanged = shared(legs, *legs.life(10 if resetting else -1500)), legs.pick([True, False])
        currencies = legs.pick([("EUR", "USD"), ("USD", "EUR")])
        if vanishing:  # a first period of Friday to Saturday, which the day before leaves no day
            row |= days_of(start_date=date(2027, 6, 11), maturity_date=date(2028, 9, 30), calendar="TARGET")
        received, paid = (Leg(legs, row, currency, exchanged or vanishing) for currency in currencies)
        side = legs.pick(["receive", "pay"]) if resetting else None
        for leg in (received, paid) if vanishing else ():
            calendar = leg.terms["accrual_calendar"]
            leg.terms |= dict.fromkeys(leg.terms) | {"frequency": "4W", "accrual_calendar": calendar}
            leg.terms |= {"accrual_convention": "preceding", "payment_convention": "following"}
        exchanged = exchanged or vanishing
        row |= {"exchange_notionals": exchanged, "reset_side": side}

        def value(quantlib: QuantLibLegs, spot: float) -> float:
            def rate(day: Any) -> float:
                """Dollars a euro."""
                return float(spot * quantlib.curves["EUR.OIS"].discount(day) / quantlib.curves["USD.OIS"].discount(day))

            def of(leg: Leg, other: Leg) -> Callable[[Any], float]:
                return lambda day: other.notional * (rate(day) if leg.currency == "USD" else 1.0 / rate(day))

            values = [
                received.value(quantlib, of(received, paid) if side == "receive" else None),
                paid.value(quantlib, of(paid, received) if side == "pay" else None),
            ]
            return values[0] * (spot if paid.currency == "USD" else 1.0 / spot) - values[1]

        return row | prefixed("receive_", received.columns) | prefixed("pay_", paid.columns), value

    assert_values(CrossCurrencySwap(), [case(True, vanishing=True), *(case(k % 3 == 0) for k in range(size))])


@pytest.mark.parametrize("size", SIZES)
def test_legs_of_swaps(size: int) -> None:
    legs = RandomLegs(13)

    def case() -> Case:
        made = []
        for _ in range(legs.random.integers(1, 4)):
            row = shared(legs, *legs.life())
            made.append(Leg(legs, row, legs.pick(["EUR", "USD"]), legs.pick([True, False])))
        columns = []
        for leg in made:
            kind = {"direction": "receive", "leg_type": "fixed" if leg.index is None else "floating"}
            exchanges = dict.fromkeys(("exchange_initial", "exchange_interim", "exchange_final"), leg.exchanged)
            dated = {
                name: np.datetime64(each, "D").item() if name.endswith("_date") and each is not None else each
                for name, each in (leg.row | leg.columns).items()
            }
            columns.append(kind | exchanges | dated)

        def value(quantlib: QuantLibLegs, spot: float) -> float:
            return sum(leg.value(quantlib) * (spot if leg.currency == "EUR" else 1.0) for leg in made)

        return {"currency": "USD", "legs": columns}, value

    assert_values(Swap(), [case() for _ in range(size)])


@pytest.mark.parametrize("size", SIZES)
def test_caps_and_floors(size: int) -> None:
    legs = RandomLegs(14)

    def case() -> Case:
        start, maturity = legs.life()
        row = shared(legs, start, maturity) | legs.dates(start, maturity, "TERM")
        row |= {"currency": "EUR", "index": "TERM", "discount_curve": legs.pick(["EUR.OIS", "EUR.6M"])}
        row |= {"option_type": legs.pick(["cap", "floor"]), "strike": float(legs.random.normal(0.025, 0.01))}
        row |= {"notional": NOTIONAL, "day_count": "ACT/360", "volatility": "CAPS", "shift": SHIFT}
        row |= {"model": legs.pick(["black", "bachelier"]), "business_day_convention": "modified_following"}

        def value(quantlib: QuantLibLegs, _: float) -> float:
            leg = quantlib.floating(row, row, "TERM", [NOTIONAL], 0.0)
            option = (ql.Cap if row["option_type"] == "cap" else ql.Floor)(leg, [row["strike"]])
            curve, count = quantlib.curves[row["discount_curve"]], ql.Actual365Fixed()
            if row["model"] == "bachelier":
                engine = ql.BachelierCapFloorEngine(curve, ql.QuoteHandle(ql.SimpleQuote(VOLATILITY)))
            else:
                engine = ql.BlackCapFloorEngine(curve, ql.QuoteHandle(ql.SimpleQuote(0.2)), count, SHIFT)
            option.setPricingEngine(engine)
            return float(option.NPV())

        return {name: each for name, each in row.items() if name != "business_day_convention"}, value

    assert_values(CapFloor(), [case() for _ in range(size)])


@pytest.mark.parametrize("size", SIZES)
def test_swaptions(size: int) -> None:
    legs = RandomLegs(15)

    def case() -> Case:
        start, maturity = legs.life(8)
        index, expiry = legs.pick(OF_CURRENCY["EUR"]), start - int(legs.random.integers(0, 7))
        fixed, floating = legs.dates(start, maturity), legs.dates(start, maturity, index)
        row = shared(legs, start, maturity) | {"expiry_date": expiry, "settlement": "physical"}
        row |= {"currency": "EUR", "index": index, "discount_curve": legs.pick(["EUR.OIS", "EUR.6M"])}
        row |= {"notional": NOTIONAL, "direction": legs.pick(["pay", "receive"]), "float_spread": 0.001}
        row |= {"fixed_rate": float(legs.random.normal(0.025, 0.01)), "volatility": "CUBE", "shift": SHIFT}
        row |= {"fixed_day_count": "ACT/365F", "float_day_count": "ACT/360", "model": legs.pick(["black", "bachelier"])}

        def value(quantlib: QuantLibLegs, _: float) -> float:
            curve = row["discount_curve"]
            annuity = quantlib.value(quantlib.fixed(row, fixed, [NOTIONAL], 1.0, ql.Actual365Fixed()), curve)
            rate = quantlib.value(quantlib.floating(row, floating, index, [NOTIONAL], 0.0), curve)
            both = quantlib.value(quantlib.floating(row, floating, index, [NOTIONAL], 0.001), curve)
            forward, strike = rate / annuity, row["fixed_rate"] - (both - rate) / annuity
            side = ql.Option.Call if row["direction"] == "pay" else ql.Option.Put
            root = float(np.sqrt((expiry - AS_OF) / 365.0))
            if row["model"] == "bachelier":
                return float(ql.bachelierBlackFormula(side, strike, forward, VOLATILITY * root, annuity))
            return float(ql.blackFormula(side, strike, forward, 0.2 * root, annuity, SHIFT))

        return row | prefixed("fixed_", fixed) | prefixed("float_", floating), value

    assert_values(Swaption(), [case() for _ in range(size)])


def test_observations_of_swaptions() -> None:
    """Without volatility, the swap where it is worth something: lookbacks, averages and fixing calendars too."""
    market, rows = make_market(), []
    for index, said in (
        ("ESTR", {"lookback": 5.0}),
        ("ESTR", {"averaging": "averaged"}),
        ("TERM", {"fixing_calendar": "USNY"}),
    ):
        row = days_of(start_date=date(2027, 1, 18), maturity_date=date(2032, 1, 20), calendar="TARGET")
        row |= {"business_day_convention": "following", "currency": "EUR", "index": index, "notional": NOTIONAL}
        row |= {"discount_curve": "EUR.OIS", "direction": "pay", "fixed_rate": 0.01, "float_spread": 0.0}
        row |= {"fixed_frequency": "1Y", "fixed_day_count": "ACT/365F", "float_day_count": "ACT/360"}
        row |= prefixed(
            "float_", {"frequency": "6M", **dict.fromkeys(("lookback", "averaging", "fixing_calendar")), **said}
        )
        rows += [row | {f"float_{name}": None for name in said}, row]
    terms = {"expiry_date": AS_OF + 10, "settlement": "physical", "volatility": "NONE", "model": "bachelier"}
    point = {"factor": "normal_vol:NONE:1Y:5Y", "kind": "normal_vol", "name": "NONE", "value": 1e-14}
    point |= {"tenor": iso(AS_OF + 365), "underlying_tenor": "5Y", "strike_type": "atm"}
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    table = pa.concat_tables([table, pa.Table.from_pylist([point], table.schema)])
    model, every = MarketModel(MarketSnapshot.from_table(table, AS_OF), CONVENTIONS), np.arange(6, dtype=np.int32)
    swaps, options = trades_of(InterestRateSwap(), rows), trades_of(Swaption(), [row | terms for row in rows])
    assert Swaption().missing_points(options, model) == []
    expected = InterestRateSwap().prepare(swaps, model).price(every, model.base)[:, 0]
    found = Swaption().prepare(options, model).price(every, model.base)[:, 0]
    assert expected.min() > 1e6
    assert np.abs(found - expected).max() < TOLERANCE * NOTIONAL
    assert np.abs(found[1::2] - found[::2]).min() > 1.0


def test_a_leg_lives_until_its_last_coupon_is_paid() -> None:
    """It ended on Thursday; the notional was exchanged then, the coupon comes on Tuesday."""
    market, rate = make_market(), 0.03
    leg = {"direction": "receive", "leg_type": "fixed", "currency": "EUR", "notional": NOTIONAL, "fixed_rate": rate}
    leg |= {"frequency": "1Y", "day_count": "30/360", "calendar": "TARGET", "business_day_convention": "following"}
    leg |= {"start_date": date(2024, 11, 19), "maturity_date": date(2026, 11, 19), "exchange_final": True}
    trades = trades_of(Swap(), [{"currency": "EUR", "legs": [leg | {"payment_lag": 3.0, "discount_curve": "EUR.OIS"}]}])
    model = market.model(CONVENTIONS)
    (value,) = Swap().prepare(trades, model).price(np.zeros(1, np.int32), model.base)[0]
    tuesday = QuantLibLegs(market).curves["EUR.OIS"].discount(ql.Date(24, 11, 2026))
    assert value == pytest.approx(rate * NOTIONAL * tuesday, rel=1e-12)
