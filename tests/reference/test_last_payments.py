"""Trades are alive until their last cash flow, which a holiday may move beyond maturity: London's Christmas of 2026.

The 25th is a Friday, Saturday is Boxing Day, its substitute is Monday the 28th; what falls due on the 25th is paid on
Tuesday the 29th. Known amounts discounted by hand.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.bond import Bond
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.floating_rate_note import FloatingRateNote
from riskpipe.products.fx_barrier_option import FxBarrierOption
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.fx_option import FxOption
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.swaption import Swaption
from riskpipe.products.trades import Trades

CALENDARS = {
    "weekends": ql.WeekendsOnly(),
    "TARGET": ql.TARGET(),
    "GBLO": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    "JPTO": ql.Japan(),
    "SOFR": ql.UnitedStates(ql.UnitedStates.SOFR),
}
MATURITY, LAST_DAY, PAID = date(2026, 12, 25), date(2026, 12, 28), date(2026, 12, 29)
RATE, FIXING, FACE = 0.04, 0.05, 1e6
DISCOUNT = float(np.exp(-RATE / 365.0))
INDICES = {
    "TERM": IndexConvention("TERM", "CURVE", day_count="30/360"),
    "DAILY": IndexConvention("DAILY", "CURVE", overnight=True, day_count="ACT/365F", calendar="GBLO"),
}
START = date(2026, 6, 25)
DATES = {"start_date": START, "maturity_date": MATURITY, "calendar": "GBLO"}
ROLLS = {"business_day_convention": "following"}


def market(rates: Any, as_of: int, horizon: int = 0, **conventions: Any) -> MarketModel:
    days = range(rates.day_number(date(2026, 6, 1)), as_of)
    known = dict.fromkeys(days, FIXING)
    curves = {("zero_rate", name): ([as_of + 365], [RATE]) for name in ("CURVE", "GBP.OIS", "USD.OIS", "EUR.OIS")}
    curves["hazard_rate", "ACME"] = ([as_of + 365], [0.02])
    table = rates.Market(as_of, curves, fixings={"TERM": known, "DAILY": known}).snapshot().factors
    table = table.drop_columns(["days", "underlying_days"])
    points: list[dict[str, Any]] = [
        {"factor": f"spot:{pair}", "kind": "spot", "name": pair, "value": value}
        for pair, value in (("GBPUSD", 1.25), ("EURUSD", 1.1))
    ]
    points += [
        {"factor": f"{kind}:{name}:1Y", "kind": kind, "name": name, "tenor": "1Y", "strike_type": "atm", "value": 0.1}
        for kind, name in (("fx_vol", "EURUSD"), ("black_vol", "VOLS"))
    ]
    points += conventions.pop("points", [])
    table = pa.concat_tables([table, pa.Table.from_pylist(points, table.schema)])
    return MarketModel(MarketSnapshot.from_table(table, as_of), Conventions(indices=INDICES, **conventions), horizon)


def trades_of(rates: Any, product: Product, *rows: dict[str, Any]) -> Trades:
    def plain(each: Any) -> Any:
        return rates.day_number(each) if isinstance(each, date) else each

    return rates.trades(product, {name: [plain(row[name]) for row in rows] for name in rows[0]})


def value(rates: Any, product: Product, row: dict[str, Any], as_of: date, **market_: Any) -> float:
    trades, day = trades_of(rates, product, row), rates.day_number(as_of)
    model = market(rates, day, **market_)
    assert product.validate(trades, day) == []
    assert product.missing_points(trades, model) == []
    prepared = product.prepare(trades, model)
    return float(prepared.price(np.zeros(1, np.int32), model.snapshot.x0[:, None].copy())[0, 0])


BOND = {
    "currency": "GBP", "discount_curve": "CURVE", "quantity": 1.0, "face": FACE, "coupon": 0.05, "frequency": "6M",
    "day_count": "30/360", "issue_date": START, "maturity_date": MATURITY, "calendar": "GBLO", **ROLLS,
}  # fmt: skip
NOTE = {**BOND, "index": "TERM", "spread": 0.0}
SWAP = {
    "currency": "GBP", "index": "TERM", "discount_curve": "CURVE", "notional": FACE, "direction": "pay",
    "fixed_rate": 0.0, "float_spread": 0.0, "fixed_frequency": "6M", "fixed_day_count": "30/360",
    "float_frequency": "6M", "float_day_count": "30/360", **DATES, **ROLLS,
}  # fmt: skip
CROSS = {
    **{f"{side}_{name}": each for side in ("receive", "pay") for name, each in {
        "notional": FACE, "index": None, "spread": None, "discount_curve": "CURVE", "frequency": "6M",
        "day_count": "30/360"}.items()},
    "receive_currency": "GBP", "pay_currency": "USD", "receive_fixed_rate": 0.05, "pay_fixed_rate": 0.0,
    "exchange_notionals": True, **DATES, **ROLLS,
}  # fmt: skip
CAP = {
    "currency": "GBP", "index": "TERM", "discount_curve": "CURVE", "notional": FACE, "option_type": "cap",
    "strike": 0.02, "frequency": "6M", "day_count": "30/360", "volatility": "VOLS", "model": "black", **DATES,
}  # fmt: skip
CDS = {
    "reference_entity": "ACME", "currency": "GBP", "discount_curve": "CURVE", "notional": FACE, "protection": "sell",
    "spread": 0.05, "upfront": 0.0, "recovery": 0.4, "frequency": "6M", "day_count": "30/360", **DATES,
}  # fmt: skip
# Coupons of swaps and notes run to the adjusted end: the 29th is four days later by 30/360.
LONGER = 184 / 360
CASES = {
    "bond": (Bond(), BOND, 1.025 * FACE),
    "floating_rate_note": (FloatingRateNote(), NOTE, FACE * (1.0 + FIXING * LONGER)),
    "interest_rate_swap": (InterestRateSwap(), SWAP, FACE * FIXING * LONGER),
    "cross_currency_swap": (CrossCurrencySwap(), CROSS, FACE * (1.25 * (1.0 + 0.05 * LONGER) - 1.0)),
    "cap": (CapFloor(), {**CAP, "frequency": "6M"}, FACE * (FIXING - 0.02) * LONGER),
}


@pytest.mark.parametrize("case", CASES)
def test_alive_until_it_has_paid(rates: Any, case: str) -> None:
    product, row, amount = CASES[case]
    assert abs(value(rates, product, row, LAST_DAY) - amount * DISCOUNT) < 1e-6
    assert value(rates, product, row, PAID) == 0.0
    faults = product.validate(trades_of(rates, product, row), rates.day_number(date(2026, 12, 30)))
    assert [(fault.column, fault.rule) for fault in faults] == [("maturity_date", "not_past")]


def test_the_bond_of_the_report(rates: Any) -> None:
    assert round(value(rates, Bond(), BOND, LAST_DAY), 2) == 1_024_887.68


def test_compounded_in_arrears_and_to_be_paid(rates: Any) -> None:
    """A daily index: the last rate is still to come on the 28th of a period that ends on the 29th, none on the 29th."""
    row = {**SWAP, "index": "DAILY", "float_day_count": "ACT/365F"}
    growth, day = 1.0, START
    open_days = [START, *(START.fromordinal(k) for k in range(START.toordinal() + 1, PAID.toordinal() + 1))]
    holidays = {date(2026, 8, 31), MATURITY, LAST_DAY}
    open_days = [each for each in open_days if each.weekday() < 5 and each not in holidays]
    for day, following in pairwise(open_days):
        growth *= 1.0 + FIXING * (following - day).days / 365.0
    assert abs(value(rates, InterestRateSwap(), row, LAST_DAY) - FACE * (growth - 1.0) * DISCOUNT) < 1e-6


@pytest.mark.parametrize("model", ["midpoint", "isda"])
def test_the_last_premium(rates: Any, model: str) -> None:
    """Protection has ended; the premium is owed unless the name defaults before it is paid."""
    found = value(rates, CreditDefaultSwap(), CDS, LAST_DAY, credit_model=model)
    premium = FACE * 0.05 * 0.5
    assert premium * DISCOUNT * (1.0 - 0.02 / 365.0) - 1e-4 < found <= premium * DISCOUNT + 1e-9


def test_preceding_has_paid_before_maturity(rates: Any) -> None:
    """Nothing is left on the day of maturity itself, and the trade is no fault."""
    row = {**BOND, "business_day_convention": "preceding"}
    assert value(rates, Bond(), row, date(2026, 12, 24)) == 0.0
    assert value(rates, Bond(), row, MATURITY) == 0.0
    assert value(rates, Bond(), row, date(2026, 12, 23)) > FACE


@pytest.mark.parametrize("case", [*CASES, "cds"])
def test_alive_to_the_day_and_no_longer(rates: Any, case: str) -> None:
    """At any maturity, calendar and convention: a fault after it and QuantLib's day of payment, worth until then."""
    product, row, _ = CASES.get(case, (CreditDefaultSwap(), CDS, 0.0))
    column = "issue_date" if "issue_date" in row else "start_date"
    always = {"cap": "modified_following", "cds": "following"}.get(case)
    random = np.random.default_rng(7)
    around = (date(2026, 12, 31), date(2026, 4, 30), date(2027, 3, 28))  # New Year, Golden Week, Easter
    for _ in range(12):
        maturity = rates.day_number(around[random.integers(3)]) + int(random.integers(-8, 8))
        calendar, rule = (str(random.choice(list(names))) for names in (CALENDARS, rates.conventions))
        terms = {**row, "maturity_date": maturity, column: maturity - 150, "calendar": calendar}
        terms |= {"business_day_convention": rule} if "business_day_convention" in row else {}
        moved = CALENDARS[calendar].adjust(rates.ql_date(maturity), rates.conventions[always or rule])
        paid = moved.serialNumber() - rates.ql_date(0).serialNumber()
        trades = trades_of(rates, product, terms)
        for day in range(min(paid, maturity) - 1, max(paid, maturity) + 2):
            faults = product.validate(trades, day)
            assert [fault.rule for fault in faults] == (["not_past"] if day > max(paid, maturity) else [])
            if not faults:
                assert (_priced(rates, product, trades, day) != 0.0) == (day < paid)


def _priced(rates: Any, product: Product, trades: Trades, day: int) -> float:
    table = rates.Market(
        day,
        {("zero_rate", "CURVE"): ([day + 365], [RATE]), ("hazard_rate", "ACME"): ([day + 365], [0.02])},
        fixings={"TERM": dict.fromkeys(range(day - 200, day), FIXING)},
    ).snapshot()
    points = [
        {"factor": "spot:GBPUSD", "kind": "spot", "name": "GBPUSD", "value": 1.25},
        {"factor": "black_vol:VOLS:1Y", "kind": "black_vol", "name": "VOLS", "tenor": "1Y", "strike_type": "atm",
         "value": 0.1},
    ]  # fmt: skip
    factors = table.factors.drop_columns(["days", "underlying_days"])
    factors = pa.concat_tables([factors, pa.Table.from_pylist(points, factors.schema)])
    model = MarketModel(MarketSnapshot.from_table(factors, day), Conventions(indices=INDICES))
    assert product.missing_points(trades, model) == []
    x = model.snapshot.x0[:, None].copy()
    return float(product.prepare(trades, model).price(np.zeros(1, np.int32), x)[0, 0])


# --- options on exchange rates, between expiry and delivery ---

EXPIRY, DELIVERY = date(2026, 11, 18), date(2026, 11, 23)
TODAY = date(2026, 11, 20)
OPTION = {
    "pair": "EURUSD", "option_type": "call", "strike": 1.08, "notional": -FACE, "expiry_date": EXPIRY,
    "delivery_date": DELIVERY,
}  # fmt: skip


def fixed(rate: float) -> dict[str, Any]:
    point = {
        "factor": f"fixing:EURUSD:{EXPIRY}",
        "kind": "fixing",
        "name": "EURUSD",
        "tenor": str(EXPIRY),
        "value": rate,
    }
    return {"points": [point]}


def forward(rates: Any, bought: float, cost: float) -> float:
    row = {"buy_currency": "EUR", "buy_amount": bought, "sell_currency": "USD", "sell_amount": cost}
    return value(rates, FxForward(), {**row, "delivery_date": DELIVERY}, TODAY)


def test_exercised_and_to_be_delivered(rates: Any) -> None:
    """As the forward that it is, wherever the spot has gone since."""
    assert value(rates, FxOption(), OPTION, TODAY, **fixed(1.07)) == 0.0
    assert value(rates, FxOption(), OPTION, TODAY, **fixed(1.08)) == 0.0
    expected = -forward(rates, FACE, 1.08 * FACE)
    assert abs(value(rates, FxOption(), OPTION, TODAY, **fixed(1.09)) - expected) < 1e-8
    put = {**OPTION, "option_type": "put", "strike": 1.3}
    assert abs(value(rates, FxOption(), put, TODAY, **fixed(1.2)) - forward(rates, FACE, 1.3 * FACE)) < 1e-8
    lost = {**OPTION, "option_type": "put", "strike": 1.09}  # in the money when it expired, out of it now
    assert abs(value(rates, FxOption(), lost, TODAY, **fixed(1.07)) - forward(rates, FACE, 1.09 * FACE)) < 1e-8
    assert value(rates, FxOption(), OPTION, DELIVERY, **fixed(1.09)) == 0.0


def test_beside_others(rates: Any) -> None:
    """In one block with living options, in any order, under several scenarios, to the last bit."""
    rows = [{**OPTION, "expiry_date": day, "strike": strike} for day in (EXPIRY, TODAY) for strike in (1.0, 1.09)]
    trades = trades_of(rates, FxOption(), *rows)
    model = market(rates, rates.day_number(TODAY), **fixed(1.05))
    prepared = FxOption().prepare(trades, model)
    x = np.repeat(model.snapshot.x0[:, None], 3, axis=1)
    x[np.array(model.snapshot.factors.column("factor").to_pylist()) == "spot:EURUSD", 1:] = [1.0, 1.2]
    values = prepared.price(np.arange(4, dtype=np.int32), x)
    for k in range(4):
        assert np.array_equal(prepared.price(np.array([k], np.int32), x)[0], values[k])
    assert np.array_equal(prepared.price(np.array([3, 0], np.int32), x), values[[3, 0]])
    assert values[1].tolist() == [0.0, 0.0, 0.0]
    assert abs(values[0, 1]) < abs(values[0, 0]) < abs(values[0, 2])


@pytest.mark.parametrize(
    ("kind", "barrier", "knocked", "fixing", "expected"),
    [
        ("up_in", 1.2, True, 1.09, "forward"),
        ("up_in", 1.2, False, 1.09, "rebate"),
        ("up_in", 1.2, None, 1.2, "forward"),  # the last rate reaches it
        ("up_out", 1.2, False, 1.09, "forward"),
        ("up_out", 1.2, True, 1.09, "nothing"),
        ("up_out", 1.2, False, 1.25, "nothing"),
        ("down_out", 1.0, False, 1.09, "forward"),
        ("down_in", 1.0, False, 1.09, "rebate"),
        ("down_in", 1.0, True, 1.07, "nothing"),
    ],
)
def test_barriers(rates: Any, kind: str, barrier: float, knocked: bool | None, fixing: float, expected: str) -> None:
    row = {**OPTION, "barrier_type": kind, "barrier": barrier, "rebate": 0.01, "knocked": knocked}
    found = value(rates, FxBarrierOption(), row, TODAY, **fixed(fixing))
    outcomes = {
        "forward": -forward(rates, FACE, 1.08 * FACE),
        "rebate": -0.01 * FACE * np.exp(-RATE * 3 / 365),
        "nothing": 0.0,
    }
    assert abs(found - outcomes[expected]) < 1e-8


@pytest.mark.parametrize("product", [FxOption(), FxBarrierOption()])
def test_without_the_fixing(rates: Any, product: Product) -> None:
    rows = [OPTION, {**OPTION, "expiry_date": TODAY}, {**OPTION, "delivery_date": TODAY}]
    rows += [{**OPTION, "expiry_date": date(2026, 11, 2)}]
    barrier = {"barrier_type": "up_out", "barrier": 1.2, "rebate": 0.0, "knocked": None}
    if isinstance(product, FxBarrierOption):
        rows = [{**row, **barrier} for row in rows]
    trades = trades_of(rates, product, *rows)
    as_of = rates.day_number(TODAY)
    assert product.validate(trades, as_of) == []
    faults = product.missing_points(trades, market(rates, as_of))
    assert [(fault.rows.tolist(), fault.reason) for fault in faults] == [
        ([3], Reason.MISSING_MARKET_DATA),
        ([0], Reason.MISSING_MARKET_DATA),
    ]
    assert "fixing:EURUSD:2026-11-18" in faults[1].message


def test_what_an_expired_swaption_became_is_booked(rates: Any) -> None:
    row = {**SWAP, "start_date": date(2026, 11, 20), "maturity_date": date(2031, 11, 20), "expiry_date": EXPIRY}
    row |= {"settlement": "physical", "volatility": "VOLS", "model": "black", "shift": 0.0, "fixed_rate": 0.03}
    trades = trades_of(rates, Swaption(), row)
    (fault,) = Swaption().validate(trades, rates.day_number(TODAY))
    assert (fault.column, fault.rule) == ("expiry_date", "not_past")
    assert "interest_rate_swap" in fault.message
