"""Levels and terms that are possible and odd; every kind of number that is written in per cent is caught."""

from __future__ import annotations

import math
from datetime import date

import pyarrow as pa
import pytest
from derived import derived_model

from riskpipe.errors import ConfigurationError
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.factors import date_of
from riskpipe.market.odd_values import odd_facts, odd_levels
from riskpipe.market.ranges import RANGES
from riskpipe.products.base import Column
from riskpipe.products.catalogue import PRODUCTS, catalogue
from riskpipe.products.term_ranges import check_ranges, odd_terms, range_key
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns


@pytest.mark.parametrize(
    ("kind", "usual", "odd"),
    [
        ("zero_rate", 0.0425, 4.25),
        ("par_rate", -0.005, 95.75),
        ("dividend_yield", 0.013, 1.3),
        ("cds_spread", 0.8, 100.0),
        ("black_vol", 0.2, 20.0),
        ("fx_vol", 0.08, 8.0),
        ("normal_vol", 0.008, 80.0),
        ("fixing", 0.0431, 4.31),
        ("inflation_zero", 0.025, 2.5),
    ],
)
def test_a_level_in_per_cent(point, table_of, kind: str, usual: float, odd: float) -> None:
    good, bad = (point(kind, name, level, "1Y") for name, level in (("A", usual), ("B", odd)))
    (fault,) = odd_levels(table_of([good, bad]), RANGES)
    assert (fault.level, fault.rule, fault.sample) == ("warning", "odd value", (bad["factor"],))
    assert f"levels from {odd:g} to {odd:g} are outside [" in fault.message
    assert f"check.ranges.{kind} sets another" in fault.message


def test_ranges_of_the_users(point, table_of) -> None:
    table = table_of([point("zero_rate", "TRY", 1.2, "1Y"), point("spot", "SPX", 5000.0)])
    assert len(odd_levels(table, RANGES)) == 1
    assert odd_levels(table, {**RANGES, "zero_rate": (-0.1, 2.0)}) == []
    assert [f.sample for f in odd_levels(table, {**RANGES, "spot": (0.0, 1000.0)})] == [
        ("spot:SPX",),
        ("zero_rate:TRY:1Y",),
    ]


def test_normal_volatilities_of_prices_and_spreads_of_volatilities(point, table_of, spread_quotes) -> None:
    priced = [point("forward_price", "WTI", 60.0, "1Y"), point("normal_vol", "WTI", 25.0, "1Y")]
    assert odd_levels(table_of([*priced, *spread_quotes()]), RANGES) == []
    (fault,) = odd_levels(table_of(spread_quotes(reversal=-2.0)), RANGES)
    assert "range of risk_reversal" in fault.message


def test_the_small_market_is_usual(table) -> None:
    assert odd_levels(table, RANGES) == []


def _fixings(point, table_of, as_of: int, level: float, days_before: int):
    day = date_of(as_of - days_before).isoformat()
    rows = [point("zero_rate", "USD.SOFR", rate, tenor) for rate, tenor in ((0.043, "1M"), (0.05, "10Y"))]
    index = IndexConvention("SOFR", curve="USD.SOFR", overnight=True)
    rows += [point("fixing", "SOFR", level, day), point("fixing", "SOFR", 0.2, "2020-01-02")]
    return derived_model(table_of(rows), as_of, Conventions(indices={"SOFR": index}))


@pytest.mark.parametrize(
    ("forward", "tenor", "told"),
    [
        (100.0 * math.exp(0.04 - 0.01), "1Y", False),  # spot, rates and dividends
        (100.0 * math.exp(0.04 - 0.01 - 0.05), "1Y", False),  # lending fees
        (100.0, "1M", False),  # stale by a per cent
        (101.0, "1D", False),
        (90.0, "1Y", True),
        (80.0, "1Y", True),
        (125.0, "1M", True),
        (80.0, "5Y", False),
    ],
)
def test_forward_prices_beside_spot_rates_and_dividends(
    point, table_of, as_of, forward: float, tenor: str, told: bool
) -> None:
    rows = [point("spot", "VOD", 100.0, currency="GBP"), point("dividend_yield", "VOD", 0.01, "1Y")]
    rows += [point("zero_rate", "GBP.OIS", 0.04, "1Y"), point("forward_price", "VOD", forward, tenor)]
    model = derived_model(table_of(rows), as_of, Conventions())
    assert [f.sample for f in odd_facts(model, RANGES)] == ([(f"forward_price:VOD:{tenor}",)] if told else [])
    if told:
        (fault,) = odd_facts(model, RANGES)
        assert (fault.level, fault.rule) == ("warning", "odd value")
        assert f"forward_price:VOD:{tenor} is {forward:g}, spot, rates and dividends make it 10" in fault.message
        assert "check.ranges.forward_less_carry sets another" in fault.message
        assert odd_facts(model, {**RANGES, "forward_less_carry": (-1.0, 1.0)}) == []


def test_the_carry_of_a_forward_price(point, table_of, as_of) -> None:
    """Exactly: what is told begins where ln(F / (S exp((r - q) t))) / t leaves the range."""
    rows = [point("spot", "VOD", 100.0, currency="GBP"), point("dividend_yield", "VOD", 0.01, "2Y")]
    rows += [point("zero_rate", "GBP.OIS", 0.04, "2Y")]
    for yearly, told in ((0.0999, False), (0.1001, True), (-0.0999, False), (-0.1001, True)):
        forward = 100.0 * math.exp((0.04 - 0.01 + yearly) * 730 / 365)
        model = derived_model(
            table_of([*rows, point("forward_price", "VOD", forward, "2026-10-04")]), as_of, Conventions()
        )
        assert bool(odd_facts(model, RANGES)) == told, yearly


def test_forward_prices_of_a_pair_and_covered_parity(point, table_of, as_of) -> None:
    rows = [point("spot", "EURUSD", 1.1, currency="USD"), point("zero_rate", "USD.OIS", 0.05, "1Y")]
    rows += [point("zero_rate", "EUR.OIS", 0.03, "1Y")]
    good, bad = (point("forward_price", "EURUSD", level, "2025-10-04") for level in (1.1 * math.exp(0.02), 0.95))
    assert odd_facts(derived_model(table_of([*rows, good]), as_of, Conventions()), RANGES) == []
    (fault,) = odd_facts(derived_model(table_of([*rows, bad]), as_of, Conventions()), RANGES)
    assert f"is 0.95, spot, rates and dividends make it {1.1 * math.exp(0.02):g}" in fault.message
    # Without one of the curves nothing can be said.
    assert odd_facts(derived_model(table_of([*rows[:2], bad]), as_of, Conventions()), RANGES) == []


def test_convenience_yields(point, table_of, as_of) -> None:
    """Without dividend yields: storage, seasons and shortages may be much of a price, but not everything."""
    rows = [point("spot", "GAS", 3.0, currency="USD"), point("zero_rate", "USD.OIS", 0.05, "1Y")]
    for level, told in ((2.0, False), (4.5, False), (0.9, True), (9.0, True), (-1.0, False)):
        model = derived_model(table_of([*rows, point("forward_price", "GAS", level, "1Y")]), as_of, Conventions())
        assert bool(odd_facts(model, RANGES)) == told, level
        assert all("convenience_yield" in fault.message for fault in odd_facts(model, RANGES))
    alone = derived_model(table_of([point("forward_price", "GAS", 9.0, "1Y")]), as_of, Conventions())
    assert odd_facts(alone, RANGES) == []


def test_a_fixing_far_from_its_curve(point, table_of, as_of) -> None:
    assert odd_facts(_fixings(point, table_of, as_of, 0.0431, 1), RANGES) == []
    (fault,) = odd_facts(_fixings(point, table_of, as_of, 0.0143, 1), RANGES)
    assert fault.sample == (f"fixing:SOFR:{date_of(as_of - 1)}",)
    assert "fixing:SOFR was 0.0143, its curve zero_rate:USD.SOFR begins at 0.043" in fault.message
    assert odd_facts(_fixings(point, table_of, as_of, 0.0143, 40), RANGES) == []  # too old to say anything


def test_a_price_index_that_leaps(point, table_of, as_of) -> None:
    def faults(*levels: float):
        months = [date(2024, month, 1).isoformat() for month in (1, 2, 6, 7)]
        rows = [point("index_fixing", "CPI", v, m) for v, m in zip(levels, months, strict=True)]
        return odd_facts(derived_model(table_of(rows), as_of, Conventions()), RANGES)

    assert faults(310.0, 311.0, 340.0, 341.0) == []
    (fault,) = faults(310.0, 311.0, 116.0, 116.5)  # another base year
    assert fault.sample == ("index_fixing:CPI:2024-06-01",)


# -- terms of trades


DECIMALS = "rates in per cent: every column that is a decimal a year has a range, or its product says why not"


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_every_column_of_decimals_has_a_range(product) -> None:
    for column in all_columns(product):
        if column.kind == "number" and "decimal a year" in column.description:
            assert range_key(column, RANGES) is not None, f"{product.name}.{column.name}: {DECIMALS}"


@pytest.mark.parametrize(
    ("name", "quantity", "key"),
    [
        ("coupon", "", "coupon"),
        ("pay_spread", "", "spread"),
        ("receive_fixed_rate", "", "fixed_rate"),
        ("deposit_rate", "", "rate"),  # of another package's product
        ("strike", "rate", "rate"),
        ("strike", "", None),
        ("notional", "", None),
        ("corporate", "", None),
    ],
)
def test_which_range_a_column_has(name: str, quantity: str, key: str | None) -> None:
    assert range_key(Column(name, "number", "some number", quantity=quantity), RANGES) == key
    assert range_key(Column(name, "string", "no number"), RANGES) is None


def test_a_coupon_of_five() -> None:
    bond = catalogue()["bond"]
    coupons = [0.05, 5.0, None, float("nan"), -0.2]
    (fault,) = odd_terms(Trades(pa.table({"coupon": coupons})), bond, RANGES)
    assert (fault.level, fault.column, fault.rows.tolist()) == ("warning", "coupon", [1, 4])
    assert "coupon is outside [-0.1, 0.5], the range of coupon" in fault.message
    assert odd_terms(Trades(pa.table({"coupon": coupons})), bond, {**RANGES, "coupon": (-1.0, 9.0)}) == []


def test_a_range_of_nothing() -> None:
    check_ranges({"zero_rate": (0.0, 1.0), "strike": (0.0, 1.0), "quantity": (0.0, 1.0)}, catalogue())
    with pytest.raises(ConfigurationError) as error:
        check_ranges({"zero_rat": (0.0, 1.0), "currency": (0.0, 1.0)}, catalogue())
    assert len(error.value.faults) == 2
    assert "check.ranges.zero_rat: neither a kind of factor nor" in error.value.faults[1]
    assert "did you mean 'zero_rate'?" in error.value.faults[1]
