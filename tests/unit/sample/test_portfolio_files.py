"""The trades: counts, files, columns, and terms that a desk could have dealt."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import UsageError
from riskpipe.market.factors import days_of
from riskpipe.market.labels import Labels
from riskpipe.sample import SampleSummary
from riskpipe.sample.portfolio_files import GROUPS_A_FILE, ROWS_A_GROUP, split_trades, write_product
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.recipes import RECIPES
from riskpipe.sample.todays_market import shockable_points
from riskpipe.sample.universe import INDEX_BY_NAME

AS_OF = days_of(date(2026, 11, 20))
QUOTES = Quotes(shockable_points(AS_OF))
COMMON = "trade_id book counterparty netting_set"
CONTRACT = {
    "interest_rate_swap": """currency index discount_curve notional direction fixed_rate float_spread
        start_date maturity_date fixed_frequency fixed_day_count float_frequency float_day_count calendar
        business_day_convention""",
    "fx_forward": "buy_currency buy_amount sell_currency sell_amount delivery_date",
    "fx_option": "pair option_type strike notional expiry_date delivery_date",
    "equity_option": "underlying currency quantity option_type strike expiry_date exercise",
    "bond": """currency discount_curve quantity face coupon frequency day_count issue_date maturity_date
        calendar business_day_convention settlement_days credit_curve ex_coupon_days ex_coupon_calendar market_price
        notionals notional_dates coupons coupon_dates""",
    "credit_default_swap": """reference_entity currency discount_curve notional protection spread upfront
        recovery start_date maturity_date frequency day_count calendar accrual_includes_maturity
        upfront_date trade_date rebates_accrual fixed_recovery notionals notional_dates""",
    "commodity_option": "underlying currency quantity option_type strike expiry_date delivery_date",
}
NUMBERS = {
    "notional", "fixed_rate", "float_spread", "buy_amount", "sell_amount", "strike", "quantity", "face",
    "coupon", "settlement_days", "spread", "upfront", "recovery",
    "ex_coupon_days", "market_price", "fixed_recovery",
}  # fmt: skip

_HELD = {"counterparty", "netting_set", "credit_curve"}
LISTS = {"notionals": pa.float64(), "notional_dates": pa.date32(), "coupons": pa.float64(), "coupon_dates": pa.date32()}
NULLABLE = {
    "bond": {*_HELD, "ex_coupon_days", "ex_coupon_calendar", "market_price"},
    "floating_rate_note": {*_HELD, "cap", "floor", "volatility", "model", "shift", "ex_coupon_days"},
    "inflation_bond": {"counterparty", "netting_set"},
    "repo": {"rate", "index", "spread"},
    "forward_bond": {"credit_curve", "ex_coupon_days", "ex_coupon_calendar", "repo_curve"},
    "bond_total_return_swap": {"ex_coupon_days", "ex_coupon_calendar", "last_price"},
    "cross_currency_swap": {"receive_index", "receive_fixed_rate", "pay_index", "pay_fixed_rate"},
    "cap_floor": {"shift"},
    "swaption": {"shift"},
    "equity_asian_option": {"fixings_done"},
    "variance_swap": {"realised_variance"},
    "cash_balance": {"value_date"},
    "equity_future": {"counterparty", "netting_set", "contract"},
    "commodity_future": {"counterparty", "netting_set"},
    "interest_rate_future": {"counterparty", "netting_set", "contract", "convexity_volatility"},
    "bond_future": {"counterparty", "netting_set", "contract", "repo_curve"},
    "fx_future": {"counterparty", "netting_set", "contract"},
    "future_option": {"counterparty", "netting_set", "reference_price"},
    "index_cds": {"factor", "upfront_date", "trade_date"},
    "credit_default_swap": {"upfront_date", "trade_date", "fixed_recovery"},
    "basis_swap": {"receive_payment_lag", "pay_payment_lag"},
    "equity_swap": {"dividend_factor", "initial_price", "notional", "quantity"},
    "equity_position": {"counterparty", "netting_set", "proxy", "beta", "price"},
}


@cache
def _read(portfolio: Path, product: str) -> pa.Table:
    return pq.read_table(portfolio / product)


@pytest.fixture
def book(sample: SampleSummary) -> Path:
    return sample.directory / "data" / "portfolio"


def _days(table: pa.Table, column: str) -> NDArray[np.int64]:
    return np.asarray(table[column].cast(pa.int32()).to_numpy(), np.int64)


def _labels(table: pa.Table, column: str) -> Labels:
    return Labels.of(table[column].to_pylist())


@pytest.mark.parametrize("trades", [1, 2, len(RECIPES) - 1, len(RECIPES), len(RECIPES) + 1, 100, 20_001])
def test_counts_add_up_and_every_product_is_there(trades: int) -> None:
    counts = split_trades(trades, None)
    assert sum(counts.values()) == trades
    assert len(counts) == len(RECIPES) if trades >= len(RECIPES) else len(counts) <= trades
    assert all(counts.values())


def test_shares_are_kept() -> None:
    wanted = RECIPES["interest_rate_swap"].share / sum(recipe.share for recipe in RECIPES.values())
    assert abs(split_trades(20_000, None)["interest_rate_swap"] - 20_000 * wanted) < 1.0
    assert split_trades(8, {"bond": 3, "fx_option": 1}) == {"fx_option": 2, "bond": 6}
    assert split_trades(5, {"bond": 1, "fx_option": 0}) == {"bond": 5}


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"bonds": 1.0}, "did you mean 'bond'"),
        ({"bond": -1.0}, "share of bond"),
        ({"bond": float("nan")}, "share of bond"),
        ({"bond": 0.0}, "add up to nothing"),
        ({}, "add up to nothing"),
    ],
)
def test_shares_that_mean_nothing_are_refused(shares: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        split_trades(10, shares)


@pytest.mark.parametrize("product", CONTRACT)
def test_columns_are_those_of_the_contract(book: Path, product: str) -> None:
    schema = _read(book, product).schema
    assert schema.names == f"{COMMON} {CONTRACT[product]}".split()
    for field in schema:
        expected = pa.float64() if field.name in NUMBERS else pa.string()
        if field.name in LISTS:
            expected = pa.list_(LISTS[field.name])
        elif field.name in ("accrual_includes_maturity", "rebates_accrual"):
            expected = pa.bool_()
        elif field.name.endswith("_date"):
            expected = pa.date32()
        assert field.type == expected, field


@pytest.mark.parametrize("product", RECIPES)
def test_files_are_sorted_by_book_and_trade_id_without_nulls(book: Path, product: str) -> None:
    table = _read(book, product)
    order = list(zip(table["book"].to_pylist(), table["trade_id"].to_pylist(), strict=True))
    assert order == sorted(order)
    assert order[0][1] == f"{RECIPES[product].prefix}-0000001"
    nullable = NULLABLE.get(product, set())
    assert {name for name in table.schema.names if table[name].null_count} == nullable


def test_trade_ids_are_unique_over_the_whole_book(sample: SampleSummary, book: Path) -> None:
    ids = pa.concat_arrays([_read(book, p)["trade_id"].combine_chunks() for p in RECIPES])
    assert len(pc.unique(ids)) == sample.trades == 20_000


def test_books_are_paths_of_three_levels(book: Path) -> None:
    books = {name for p in RECIPES for name in _read(book, p)["book"].unique().to_pylist()}
    assert books == {desk.book for recipe in RECIPES.values() for desk in recipe.desks}
    assert all(name.count("/") == 2 for name in books)


def test_big_products_are_several_files_of_whole_row_groups(tmp_path: Path) -> None:
    rows = ROWS_A_GROUP * GROUPS_A_FILE
    summary = write_product(tmp_path / "fx_option", "fx_option", rows + ROWS_A_GROUP + 5, QUOTES, AS_OF, 7)
    assert summary.files == 2
    assert summary.trades == rows + ROWS_A_GROUP + 5
    first, second = (pq.ParquetFile(tmp_path / "fx_option" / f"part-00{k}.parquet") for k in (0, 1))
    assert first.metadata.num_rows == rows
    assert {first.metadata.row_group(k).num_rows for k in range(GROUPS_A_FILE)} == {ROWS_A_GROUP}
    assert [second.metadata.row_group(k).num_rows for k in range(2)] == [ROWS_A_GROUP, 5]
    assert second.read(["trade_id"])["trade_id"][-1].as_py() == f"FXO-{rows + ROWS_A_GROUP + 5:07d}"


def test_what_is_in_a_row_group_does_not_depend_on_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 2 * ROWS_A_GROUP + 9
    write_product(tmp_path / "one", "bond", rows, QUOTES, AS_OF, 7)
    monkeypatch.setattr("riskpipe.sample.portfolio_files.GROUPS_A_FILE", 1)
    assert write_product(tmp_path / "many", "bond", rows, QUOTES, AS_OF, 7).files == 3
    assert pq.read_table(tmp_path / "many").equals(pq.read_table(tmp_path / "one"))


def test_nothing_ends_before_tomorrow(book: Path) -> None:
    ends = {"fx_forward": "delivery_date", "fx_option": "expiry_date", "equity_option": "expiry_date",
            "commodity_option": "expiry_date", "interest_rate_swap": "maturity_date", "bond": "maturity_date",
            "credit_default_swap": "maturity_date"}  # fmt: skip
    for product, column in ends.items():
        days = _days(_read(book, product), column)
        assert days.min() > AS_OF, product
        # Broken dates: ends are spread over the calendar, but for credit, which rolls twice a year.
        if product != "credit_default_swap":
            assert len(np.unique(days)) > 100, product


@pytest.mark.parametrize(
    ("product", "column"),
    [("fx_forward", "delivery_date"), ("fx_option", "expiry_date"), ("fx_option", "delivery_date"),
     ("equity_option", "expiry_date"), ("commodity_option", "expiry_date")],
)  # fmt: skip
def test_options_expire_on_business_days(book: Path, product: str, column: str) -> None:
    assert np.is_busday(_days(_read(book, product), column).astype("datetime64[D]")).all()


def test_dates_are_in_order(book: Path) -> None:
    for product, first, last in (
        ("interest_rate_swap", "start_date", "maturity_date"),
        ("bond", "issue_date", "maturity_date"),
        ("credit_default_swap", "start_date", "maturity_date"),
        ("commodity_option", "expiry_date", "delivery_date"),
        ("fx_option", "expiry_date", "delivery_date"),
    ):
        table = _read(book, product)
        assert (_days(table, first) < _days(table, last)).all(), product


def test_two_fifths_of_the_swaps_are_seasoned_and_some_start_later(book: Path) -> None:
    swaps = _read(book, "interest_rate_swap")
    start = _days(swaps, "start_date")
    assert 0.35 < (start < AS_OF).mean() < 0.45
    assert 0.05 < (start > AS_OF + 20).mean() < 0.20
    both = set(pc.unique(swaps.filter(pc.less(swaps["start_date"], date(2026, 11, 20)))["index"]).to_pylist())
    assert {"USD.SOFR", "EUR.EURIBOR6M"} <= both


def test_swap_legs_are_those_of_their_market(book: Path) -> None:
    swaps = _read(book, "interest_rate_swap").to_pylist()
    for swap in swaps:
        index = INDEX_BY_NAME[swap["index"]]
        assert (swap["currency"], swap["fixed_day_count"]) == (index.currency, index.fixed_day_count)
        assert swap["float_day_count"] == index.float_day_count
        if swap["fixed_frequency"] == "1T":
            assert index.convention.overnight
            assert swap["float_frequency"] == "1T"
        else:
            assert swap["fixed_frequency"] == index.fixed_frequency
            assert swap["float_frequency"] == index.float_frequency


def test_new_swaps_are_near_par(book: Path) -> None:
    swaps = _read(book, "interest_rate_swap")
    start, end = _days(swaps, "start_date"), _days(swaps, "maturity_date")
    curve = _labels(swaps, "index").map(lambda name: INDEX_BY_NAME[name].convention.curve)
    par = QUOTES.par_rate(curve, (start - AS_OF) / 365.0, (end - AS_OF) / 365.0)
    off = swaps["fixed_rate"].to_numpy() - par
    new = start >= AS_OF
    assert np.abs(np.median(off[new])) < 0.0008
    assert np.abs(off[new]).max() < 0.006
    assert np.abs(off[~new]).max() < 0.035
    assert off[~new].std() > 5.0 * off[new].std()


def test_strikes_lie_about_the_forward(book: Path) -> None:
    fx, equity, oil = (_read(book, p) for p in ("fx_option", "equity_option", "commodity_option"))

    def years(table: pa.Table, column: str) -> FloatArray:
        return np.asarray((_days(table, column) - AS_OF) / 365.0)

    pairs, stocks, fuels = _labels(fx, "pair"), _labels(equity, "underlying"), _labels(oil, "underlying")
    for table, names, forward in (
        (fx, pairs, QUOTES.fx_forward(pairs, years(fx, "expiry_date"))),
        (equity, stocks, QUOTES.equity_forward(stocks, years(equity, "expiry_date"))),
        (oil, fuels, QUOTES.commodity_forward(fuels, years(oil, "delivery_date"))),
    ):
        moneyness = np.log(table["strike"].to_numpy() / forward)
        deviations = moneyness / QUOTES.deviation(names, years(table, "expiry_date"))
        assert 0.3 < np.std(deviations) < 1.0
        assert abs(np.median(deviations)) < 0.1
        assert 0.4 < pc.mean(pc.equal(table["option_type"], "call").cast(pa.float64())).as_py() < 0.6


def test_fx_forwards_are_dealt_near_parity(book: Path) -> None:
    trades = _read(book, "fx_forward")
    buy, sell = _labels(trades, "buy_currency"), _labels(trades, "sell_currency")
    fair = QUOTES.fx_forward(buy.combine(sell, lambda a, b: a + b), (_days(trades, "delivery_date") - AS_OF) / 365.0)
    off = np.log(trades["sell_amount"].to_numpy() / trades["buy_amount"].to_numpy() / fair)
    assert np.abs(off).max() < 0.12
    assert 0.02 < off.std() < 0.05
    assert (trades["buy_amount"].to_numpy() > 0.0).all()


def test_the_book_goes_both_ways(book: Path) -> None:
    swaps = _read(book, "interest_rate_swap")
    assert 0.45 < pc.mean(pc.equal(swaps["direction"], "pay").cast(pa.float64())).as_py() < 0.55
    for product, column in (("fx_option", "notional"), ("equity_option", "quantity"), ("bond", "quantity")):
        share = (_read(book, product)[column].to_numpy() > 0.0).mean()
        assert 0.4 < share < 0.65, product


def test_notionals_are_round_and_skewed(book: Path) -> None:
    notional = _read(book, "interest_rate_swap")["notional"].to_numpy()
    mantissa = notional / 10.0 ** (np.floor(np.log10(notional)) - 1.0)
    assert np.allclose(mantissa, np.round(mantissa), atol=1e-9)
    assert np.mean(notional) > 1.3 * np.median(notional)


def test_some_bonds_carry_credit(book: Path) -> None:
    bonds = _read(book, "bond")
    government = np.array([name.endswith(".GOVT") for name in bonds["discount_curve"].to_pylist()])
    assert np.array_equal(government, bonds["credit_curve"].is_null().to_numpy())
    assert 0.2 < (~government).mean() < 0.5


def test_credit_contracts_roll_on_the_twentieth(book: Path) -> None:
    trades = _read(book, "credit_default_swap")
    maturity = trades["maturity_date"].to_pylist()
    assert {(day.month, day.day) for day in maturity} == {(6, 20), (12, 20)}
    start = trades["start_date"].to_pylist()
    assert {(day.month, day.day) for day in start} == {(3, 20), (6, 20), (9, 20), (12, 20)}
    later = np.array(start) > np.datetime64("2026-11-20").astype(object)
    assert 0.01 < later.mean() < 0.08
    assert set(np.array(start)[later].tolist()) == {date(2026, 12, 20)}
    assert np.abs(trades["upfront"].to_numpy()).max() < 0.25
    assert (trades["upfront"].to_numpy() != 0.0).mean() > 0.9
    assert set(trades["spread"].unique().to_pylist()) == {0.01, 0.05}
