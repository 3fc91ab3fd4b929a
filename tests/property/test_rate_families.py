"""Products with schedules against each other, for trades of one day to fifty years, seasoned or not, at any rates.

A cap less a floor, a payer less a receiver, a floating note, a bond, a cross-currency swap in one currency and a
forward rate agreement are swaps in disguise; each is built by its own code.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from curve_market import CurveMarket, Rates, iso
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.bond import Bond
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.floating_rate_note import FloatingRateNote
from riskpipe.products.fra import ForwardRateAgreement
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.swaption import Swaption

Array = np.ndarray[Any, np.dtype[np.float64]]
Terms = dict[str, Any]
AS_OF = Rates.day_number(date(2026, 11, 20))
PILLARS = [AS_OF + days for days in (1, 91, 365, 1826, 3652, 18262)]
CONVENTIONS = Conventions(
    indices={
        "TERM": IndexConvention("TERM", "PROJECTION", day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
        "ESTR": IndexConvention("ESTR", "DISCOUNT", overnight=True, day_count="ACT/360", calendar="TARGET"),
        "LATE": IndexConvention("LATE", "PROJECTION", True, day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
    }
)
SHIFT, NOTIONAL, TOLERANCE = 0.5, 1e6, 1e-11  # where curves are steep, forward rates fall to -20 %
BOOK = 4


def snapshot() -> MarketSnapshot:
    days = np.arange(AS_OF - 1200, AS_OF, dtype=np.int32)
    known = {int(day): 0.01 * np.sin(day / 40) for day in days[is_business_day(days, "TARGET")]}
    curves = {("zero_rate", name): (PILLARS, [0.02] * len(PILLARS)) for name in ("DISCOUNT", "PROJECTION")}
    curves["hazard_rate", "SAFE"] = (PILLARS[2:3], [0.01])
    table = CurveMarket(AS_OF, curves, fixings=dict.fromkeys(("TERM", "ESTR", "LATE"), known)).snapshot().factors
    table = table.drop_columns(["days", "underlying_days"])
    points = [
        {"factor": f"{kind}:VOLS", "kind": kind, "name": "VOLS", "tenor": iso(AS_OF + 365), "value": value,
         "strike_type": "atm"}
        for kind, value in (("black_vol", 0.2), ("normal_vol", 0.008))
    ] + [{"factor": "spot:EURUSD", "kind": "spot", "name": "EURUSD", "value": 1.1}]  # fmt: skip
    return MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist(points, table.schema)]), AS_OF)


MODEL = MarketModel(snapshot(), CONVENTIONS)
FACTORS = np.array(MODEL.snapshot.factors.column("factor").to_pylist())

RATES = st.one_of(st.sampled_from([-0.03, 0.0, 0.15]), st.floats(-0.03, 0.15))
CURVES = st.lists(RATES, min_size=len(PILLARS), max_size=len(PILLARS))
VOLS = st.one_of(st.sampled_from([1e-6, 1.0]), st.floats(0.01, 1.0))


@st.composite
def markets(draw: st.DrawFn) -> Array:
    """float64[factors, 1]: two curves and volatilities at their corners, and a name that cannot default."""
    x = MODEL.snapshot.x0[:, None].copy()
    for name in ("DISCOUNT", "PROJECTION"):
        x[np.char.startswith(FACTORS, f"zero_rate:{name}"), 0] = draw(CURVES)
    vol = draw(VOLS)
    x[FACTORS == "black_vol:VOLS", 0], x[FACTORS == "normal_vol:VOLS", 0] = vol, 0.05 * vol
    x[np.char.startswith(FACTORS, "hazard_rate"), 0] = 0.0
    return x


LENGTHS = st.one_of(st.sampled_from([1, 18250]), st.integers(2, 5000))
STARTS = st.one_of(st.sampled_from([-1, 0, 1]), st.integers(-1000, 700))


@st.composite
def books(draw: st.DrawFn, earliest: int = -1000) -> Terms:
    """Terms that swaps, and what is like them, have in common."""

    def several(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(strategy, min_size=BOOK, max_size=BOOK))

    start = np.maximum(AS_OF + np.array(several(STARTS)), AS_OF + earliest)
    maturity = np.maximum(start + np.array(several(LENGTHS)), AS_OF)
    return {
        "currency": ["USD"] * BOOK,
        "index": several(st.sampled_from(["TERM", "ESTR", "LATE"])),
        "discount_curve": several(st.sampled_from(["DISCOUNT", "PROJECTION"])),
        "notional": [NOTIONAL] * BOOK,
        "direction": ["pay"] * BOOK,
        "fixed_rate": several(st.floats(-0.02, 0.15)),
        "float_spread": several(st.sampled_from([0.0, 0.01])),
        "start_date": start,
        "maturity_date": np.maximum(maturity, start + 1),
        "fixed_frequency": several(st.sampled_from(["3M", "1Y", "1T"])),
        "fixed_day_count": several(st.sampled_from(list(Rates.day_counts))),
        "float_frequency": several(st.sampled_from(["3M", "6M", "1T"])),
        "float_day_count": several(st.sampled_from(list(Rates.day_counts))),
        "calendar": ["TARGET"] * BOOK,
        "business_day_convention": several(st.sampled_from(list(Rates.conventions))),
    }


def value(product: Product, terms: Terms, x: Array) -> Array:
    columns = {name: terms[name] for name in (column.name for column in product.columns) if name in terms}
    trades = Rates.trades(product, columns)
    assert product.validate(trades, AS_OF) == []
    assert product.missing_points(trades, MODEL) == []
    values = product.prepare(trades, MODEL).price(np.arange(BOOK, dtype=np.int32), x)[:, 0]
    assert np.all(np.isfinite(values))
    return np.asarray(values)


def swap(terms: Terms, x: Array, **more: Any) -> Array:
    return value(InterestRateSwap(), {**terms, **{name: [each] * BOOK for name, each in more.items()}}, x)


def assert_same(found: Array, expected: Array) -> None:
    # Discount factors of fifty years at -3 % are above four.
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * NOTIONAL * 10.0)


some = examples(40)


@some
@given(books(), markets())
def test_a_cap_less_a_floor_is_a_swap(terms: Terms, x: Array) -> None:
    strike = terms["fixed_rate"]
    same = {f"fixed_{name}": terms[f"float_{name}"] for name in ("frequency", "day_count")}
    swapped = {**terms, **same, "business_day_convention": ["modified_following"] * BOOK, "float_spread": [0.0] * BOOK}
    options = {
        **terms, "strike": strike, "frequency": terms["float_frequency"], "day_count": terms["float_day_count"],
        "volatility": ["VOLS"] * BOOK, "shift": [SHIFT] * BOOK, "model": ["black", "bachelier"] * (BOOK // 2),
    }  # fmt: skip
    cap, floor = (value(CapFloor(), {**options, "option_type": [kind] * BOOK}, x) for kind in ("cap", "floor"))
    assert_same(cap - floor, swap(swapped, x))
    assert np.all(np.minimum(cap, floor) >= -1e-9)


@some
@given(books(earliest=1), markets(), st.integers(0, 900))
def test_a_payer_less_a_receiver_is_a_swap(terms: Terms, x: Array, before: int) -> None:
    model = ["black", "bachelier"] * (BOOK // 2)
    # Over a weekend a day has no length, and a swap no rate. A spread that one late payment of the fixed leg stands
    # against is worth any rate, also one that is too low for lognormal rates.
    spread = [0.0 if name == "black" else value for name, value in zip(model, terms["float_spread"], strict=True)]
    maturity = np.maximum(terms["maturity_date"], terms["start_date"] + 5)
    terms = {**terms, "maturity_date": maturity, "float_spread": spread}
    options = {
        **terms, "expiry_date": np.maximum(terms["start_date"] - before, AS_OF), "settlement": ["physical"] * BOOK,
        "volatility": ["VOLS"] * BOOK, "shift": [SHIFT] * BOOK, "model": model,
    }  # fmt: skip
    payer, receiver = (value(Swaption(), {**options, "direction": [side] * BOOK}, x) for side in ("pay", "receive"))
    assert_same(payer - receiver, swap(terms, x))
    assert np.all(np.minimum(payer, receiver) >= -1e-9)


@some
@given(books(), markets())
def test_options_fall_or_rise_with_the_strike_and_are_convex_in_it(terms: Terms, x: Array) -> None:
    # One trade at four strikes, evenly spaced.
    one = {name: [column[0]] * BOOK for name, column in terms.items()}
    strikes = [-0.01, 0.01, 0.03, 0.05]
    caps = {
        **one, "strike": strikes, "frequency": one["float_frequency"], "day_count": one["float_day_count"],
        "volatility": ["VOLS"] * BOOK, "shift": [SHIFT] * BOOK,
    }  # fmt: skip
    for model in ("black", "bachelier"):
        for kind, sign in (("cap", -1.0), ("floor", 1.0)):
            values = value(CapFloor(), {**caps, "model": [model] * BOOK, "option_type": [kind] * BOOK}, x)
            slack = 1e-8 + 1e-14 * np.abs(values).max()
            assert np.all(sign * np.diff(values) >= -slack)
            assert np.all(np.diff(values, 2) >= -slack)


@some
@given(books(), markets())
def test_a_floating_note_is_a_swap_and_a_zero_bond(terms: Terms, x: Array) -> None:
    note = {
        **terms, "quantity": [1.0] * BOOK, "face": [NOTIONAL] * BOOK, "issue_date": terms["start_date"],
        "spread": terms["float_spread"], "frequency": terms["float_frequency"], "day_count": terms["float_day_count"],
    }  # fmt: skip
    expected = swap(terms, x, fixed_rate=0.0) + value(Bond(), {**note, "coupon": [0.0] * BOOK}, x)
    assert_same(value(FloatingRateNote(), note, x), expected)
    for product in (FloatingRateNote(), Bond()):  # a name that cannot default
        whole = {**note, "coupon": terms["fixed_rate"]}
        safe = value(product, {**whole, "credit_curve": ["SAFE"] * BOOK}, x)
        assert_same(safe, value(product, whole, x))


@some
@given(books(), markets())
def test_coupons_of_a_bond_are_the_fixed_leg_of_a_swap(terms: Terms, x: Array) -> None:
    terms = {**terms, "business_day_convention": ["unadjusted"] * BOOK}
    bond = {
        **terms, "quantity": [1.0] * BOOK, "face": [NOTIONAL] * BOOK, "issue_date": terms["start_date"],
        "frequency": terms["fixed_frequency"], "day_count": terms["fixed_day_count"],
    }  # fmt: skip
    dear, plain = (value(Bond(), {**bond, "coupon": coupon}, x) for coupon in (terms["fixed_rate"], [0.0] * BOOK))
    fixed = swap(terms, x, direction="receive") - swap(terms, x, direction="receive", fixed_rate=0.0)
    assert_same(dear - plain, fixed)


@some
@given(books(), markets())
def test_a_swap_within_one_currency(terms: Terms, x: Array) -> None:
    """As a cross-currency swap, the notionals exchanged or not."""
    sides: Terms = {"receive_index": terms["index"], "pay_index": [None] * BOOK}
    for side, leg in (("receive", "float"), ("pay", "fixed")):
        sides |= {
            f"{side}_currency": terms["currency"], f"{side}_notional": terms["notional"],
            f"{side}_fixed_rate": terms["fixed_rate"], f"{side}_spread": terms["float_spread"],
            f"{side}_discount_curve": terms["discount_curve"], f"{side}_frequency": terms[f"{leg}_frequency"],
            f"{side}_day_count": terms[f"{leg}_day_count"],
        }  # fmt: skip
    exchanged = {"exchange_notionals": [True, False] * (BOOK // 2)}
    assert_same(value(CrossCurrencySwap(), {**terms, **sides, **exchanged}, x), swap(terms, x))


@some
@given(books(earliest=1), markets())
def test_a_forward_rate_agreement_is_a_swap_of_one_period(terms: Terms, x: Array) -> None:
    """Settled at its start by the rate that discounts, by the index's day count."""
    one: Terms = {
        **terms, "business_day_convention": ["unadjusted"] * BOOK, "float_spread": [0.0] * BOOK,
        "discount_curve": ["PROJECTION"] * BOOK, "index": ["PROJECTION"] * BOOK, "day_count": ["ACT/360"] * BOOK,
        "rate": terms["fixed_rate"],
    }  # fmt: skip
    one |= {f"{leg}_{name}": [each] * BOOK for leg in ("fixed", "float")
            for name, each in (("frequency", "1T"), ("day_count", "ACT/360"))}  # fmt: skip
    assert_same(value(ForwardRateAgreement(), one, x), swap(one, x))


def test_a_swap_without_length_has_no_rate() -> None:
    """From a Saturday to the Sunday after it: an option on it has no price, and its neighbours theirs."""
    saturday = Rates.day_number(date(2027, 5, 29))
    length = np.array([1, 2, 365, 18250])
    terms: Terms = {
        "currency": "USD", "index": "TERM", "discount_curve": "DISCOUNT", "notional": NOTIONAL, "direction": "pay",
        "fixed_rate": 0.02, "float_spread": 0.0, "fixed_frequency": "1Y", "fixed_day_count": "30/360",
        "float_frequency": "6M", "float_day_count": "ACT/360", "calendar": "weekends",
        "business_day_convention": "following", "settlement": "physical", "volatility": "VOLS", "shift": SHIFT,
        "model": "black",
    }  # fmt: skip
    columns: Terms = {name: [each] * BOOK for name, each in terms.items()}
    days = {"expiry_date": [saturday - 2] * BOOK, "start_date": [saturday] * BOOK, "maturity_date": saturday + length}
    trades = Rates.trades(Swaption(), {**columns, **days})
    prepared = Swaption().prepare(trades, MODEL)
    values = prepared.price(np.arange(BOOK, dtype=np.int32), MODEL.snapshot.x0[:, None].copy())[:, 0]
    assert np.isnan(values).tolist() == [True, True, False, False]
