"""Credit default swaps of either model and variance swaps at their corners: affine, bounded, additive over time."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from curve_market import CurveMarket, Rates
from flat_market import AS_OF as VARIANCE_DAY
from flat_market import make_trades
from hypothesis import given, settings
from hypothesis import strategies as st
from selections import examples

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.variance_swap import VarianceSwap

Array = np.ndarray[Any, np.dtype[np.float64]]
AS_OF = Rates.day_number(date(2026, 11, 20))
PILLARS = [AS_OF + days for days in (91, 365, 1826, 3652)]
NOTIONAL, RECOVERY, BOOK = 1e6, 0.4, 4
MARKET = CurveMarket(
    AS_OF, {("zero_rate", "USD"): (PILLARS, [0.02] * 4), ("hazard_rate", "NAME"): (PILLARS, [0.01] * 4)}
)
SNAPSHOT = MARKET.snapshot()
FACTORS = SNAPSHOT.factors.column("factor").to_pylist()
MODELS = {name: MARKET.model(Conventions(credit_model=name)) for name in ("midpoint", "isda")}
some = examples(30)

RATES = st.lists(st.one_of(st.sampled_from([-0.03, 0.0, 0.15]), st.floats(-0.03, 0.15)), min_size=4, max_size=4)
HAZARDS = st.lists(st.one_of(st.sampled_from([0.0, 1e-9, 2.0]), st.floats(0.0, 0.3)), min_size=4, max_size=4)
STARTS = st.one_of(st.sampled_from([-1, 0, 1]), st.integers(-1500, 400))
LENGTHS = st.one_of(st.sampled_from([1, 18250]), st.integers(2, 4000))


def levels(rates: list[float], hazards: list[float]) -> Array:
    """Survival never grows: minus its logarithm is the largest so far."""
    x = SNAPSHOT.x0[:, None].copy()
    days = np.array(PILLARS) - AS_OF
    grown = np.maximum.accumulate(np.array(hazards) * days) / days
    for kind, values in (("zero_rate", rates), ("hazard_rate", grown)):
        x[[k for k, name in enumerate(FACTORS) if name.startswith(kind)], 0] = values
    return x


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    starts, lengths = (draw(st.lists(each, min_size=BOOK, max_size=BOOK)) for each in (STARTS, LENGTHS))
    start = AS_OF + np.array(starts)
    # A Saturday and the Sunday after it are one day.
    maturity = np.maximum(np.maximum(start + np.array(lengths), start + 4), AS_OF)
    return {
        "reference_entity": ["NAME"] * BOOK, "currency": ["USD"] * BOOK, "discount_curve": ["USD"] * BOOK,
        "notional": [NOTIONAL] * BOOK, "protection": ["buy"] * BOOK, "spread": [0.0] * BOOK, "upfront": [0.0] * BOOK,
        "recovery": [RECOVERY] * BOOK, "start_date": start, "maturity_date": maturity,
        "frequency": draw(st.lists(st.sampled_from(["3M", "1Y", "1T"]), min_size=BOOK, max_size=BOOK)),
        "day_count": ["ACT/360"] * BOOK, "calendar": ["weekends"] * BOOK,
        "accrual_includes_maturity": [True, False] * (BOOK // 2),
    }  # fmt: skip


def value(model: str, terms: dict[str, Any], x: Array, **more: float) -> Array:
    trades = Rates.trades(CreditDefaultSwap(), {**terms, **{name: [each] * BOOK for name, each in more.items()}})
    assert CreditDefaultSwap().validate(trades, AS_OF) == []
    prepared = CreditDefaultSwap().prepare(trades, MODELS[model])
    values = prepared.price(np.arange(BOOK, dtype=np.int32), x)[:, 0]
    assert np.all(np.isfinite(values))
    return np.asarray(values)


@pytest.mark.parametrize("model", MODELS)
@some
@given(contracts(), RATES, HAZARDS)
def test_protection_is_worth_the_loss_at_most_and_premium_is_affine(
    model: str, terms: dict[str, Any], rates: list[float], hazards: list[float]
) -> None:
    x = levels(rates, hazards)
    highest = np.exp(max(0.0, -min(rates)) * (terms["maturity_date"] - AS_OF) / 365.0)
    protection = value(model, terms, x)
    slack = 1e-9 * NOTIONAL * highest
    assert np.all(protection >= -slack)
    assert np.all(protection <= (1.0 - RECOVERY) * NOTIONAL * highest + slack)
    premium = protection - value(model, terms, x, spread=0.01)
    assert np.all(premium >= -slack)
    assert np.all(np.abs(protection - value(model, terms, x, spread=0.05) - 5.0 * premium) <= slack)
    half = value(model, terms, x, recovery=0.7)
    np.testing.assert_allclose(half, 0.5 * protection, rtol=1e-10, atol=slack.max())


@pytest.mark.parametrize("model", MODELS)
@some
@given(contracts(), RATES)
def test_a_name_that_cannot_default(model: str, terms: dict[str, Any], rates: list[float]) -> None:
    """Protection is worth nothing, and premium what its coupons are, whatever the model."""
    x = levels(rates, [0.0] * 4)
    np.testing.assert_allclose(value(model, terms, x), 0.0, atol=1e-9)
    other = next(name for name in MODELS if name != model)
    np.testing.assert_allclose(value(model, terms, x, spread=0.05), value(other, terms, x, spread=0.05), rtol=1e-12)


@some
@given(contracts(), st.floats(-0.02, 0.06), st.floats(0.0, 0.05))
def test_the_two_models_are_close(terms: dict[str, Any], rate: float, hazard: float) -> None:
    """They see defaults within a quarter at other times, and a day of it: basis points."""
    terms = {**terms, "frequency": ["3M"] * BOOK}
    x = levels([rate] * 4, [hazard] * 4)
    midpoint, isda = (value(model, terms, x, spread=0.01) for model in MODELS)
    years = np.maximum(terms["maturity_date"] - AS_OF, 365) / 365.0
    assert np.all(np.abs(midpoint - isda) <= 4e-4 * NOTIONAL * np.minimum(years, 12.0) * np.exp(0.02 * years))


def variance_model() -> MarketModel:
    points = [("zero_rate", "USD.OIS", "10Y", None, 0.03), ("spot", "E", None, None, 100.0)]
    points += [
        ("black_vol", "E", tenor, strike, 0.2 + slope * (100.0 - strike) / 100.0)
        for tenor, slope in (("6M", 0.2), ("2Y", 0.15), ("10Y", 0.1)) for strike in (60.0, 90.0, 100.0, 110.0, 150.0)
    ]  # fmt: skip
    kind, name, tenor, strike, vol = zip(*points, strict=True)
    columns = {
        "factor": [":".join(str(part) for part in point[:4] if part is not None) for point in points],
        "kind": kind, "name": name, "tenor": pa.array(tenor, pa.string()), "strike": pa.array(strike, pa.float64()),
        "strike_type": pa.array(["absolute" if k is not None else None for k in strike], pa.string()), "value": vol,
    }  # fmt: skip
    return MarketModel(MarketSnapshot.from_table(pa.table(columns), VARIANCE_DAY), Conventions())


VARIANCE = variance_model()
DAYS = st.one_of(st.sampled_from([1, 3650]), st.integers(1, 2000))


@settings(max_examples=25)
@given(DAYS, DAYS, st.integers(0, 500), st.floats(0.0, 0.2))
def test_variance_of_two_periods_is_that_of_both(first: int, then: int, past: int, realised: float) -> None:
    """From the past to today, to a day, and on to the last: each paid on that day."""
    last, strike = first + then, 0.2
    x = VARIANCE.snapshot.x0[:, None].copy()

    def variance(start: int, end: int) -> float:
        terms = {
            "underlying": ["E"], "currency": ["USD"], "vega_notional": [1.0], "strike_vol": [strike],
            "start_date": [VARIANCE_DAY + start], "expiry_date": [VARIANCE_DAY + end], "realised_variance": [realised],
        }  # fmt: skip
        trades = make_trades(VarianceSwap(), terms)
        assert VarianceSwap().validate(trades, VARIANCE_DAY) == []
        paid = VarianceSwap().prepare(trades, VARIANCE).price(np.zeros(1, np.int32), x)[0, 0]
        a_year = strike * strike + paid * np.exp(0.03 * end / 365.0) * 2.0 * strike / 100.0
        return float(a_year * (end - start))

    parts = past * realised + variance(0, first) + variance(first, last)
    assert variance(-past, last) == pytest.approx(parts, rel=1e-10, abs=1e-10)
