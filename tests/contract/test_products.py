"""What every product of the catalogue must keep, tried on the sample's trades."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from selections import pairs_one_in
from valuations import OpenRun, same_bits, with_levels

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.factors import KINDS
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import COMMON_COLUMNS, Prepared, Product
from riskpipe.products.catalogue import PRODUCTS, catalogue
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows, check_schema
from riskpipe.valuation.part import FAILED, OK

FindTrades = Callable[[Product], Trades]
ALL = slice(None)

every_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


def _rows(n: int) -> NDArray[np.int32]:
    return np.arange(n, dtype=np.int32)


@pytest.fixture(scope="session")
def model(sample: OpenRun) -> MarketModel:
    return sample.context.model()


@pytest.fixture(scope="session")
def levels(sample: OpenRun) -> FloatArray:
    """float64[n_factors, 61]: the base and 60 days of history."""
    scenarios = sample.context.scenarios
    columns = np.r_[0, np.arange(len(scenarios))[scenarios.columns_of("historical")]]
    return scenarios.levels(sample.context.snapshot.x0, columns)


@pytest.fixture(scope="session")
def prepared(model: MarketModel, sample_trades: FindTrades) -> Callable[[Product], Prepared]:
    made: dict[str, Prepared] = {}

    def find(product: Product) -> Prepared:
        if product.name not in made:
            made[product.name] = product.prepare(sample_trades(product), model)
        return made[product.name]

    return find


@pytest.fixture(scope="session")
def prices(
    prepared: Callable[[Product], Prepared], sample_trades: FindTrades, levels: FloatArray
) -> Callable[[Product], FloatArray]:
    """All of a product's trades under all scenarios, in one call."""
    made: dict[str, FloatArray] = {}

    def find(product: Product) -> FloatArray:
        if product.name not in made:
            made[product.name] = prepared(product).price(_rows(len(sample_trades(product))), levels)
        return made[product.name]

    return find


def test_catalogue_is_keyed_by_distinct_names() -> None:
    names = [product.name for product in PRODUCTS]

    assert len(set(names)) == len(names)
    assert list(catalogue())[: len(names)] == names


@every_product
def test_describes_itself(product: Product) -> None:
    names = [column.name for column in product.columns]

    assert re.fullmatch(r"[a-z][a-z0-9_]*", product.name)
    assert product.version >= 1
    assert len(set(names)) == len(names)
    assert {column.name for column in COMMON_COLUMNS} <= {column.name for column in all_columns(product)}
    for column in product.columns:
        assert len(column.description.strip()) > 3, column.name
        assert not column.choices or column.kind == "string"
        assert column.rule == "any" or column.kind == "number"
    assert (type(product).__doc__ or "").strip()


@every_product
def test_sample_trades_are_valid(product: Product, sample_trades: FindTrades, model: MarketModel) -> None:
    trades = sample_trades(product)

    assert check_schema(trades.table.schema, product) == []
    assert check_rows(trades, product) == []
    assert product.validate(trades, model.as_of) == []
    assert dependencies(product, trades, model, "USD").faults == ()
    assert len(trades) >= 20


@every_product
def test_an_empty_block(product: Product, model: MarketModel, levels: FloatArray) -> None:
    schema = pa.schema([(c.name, pa.null()) for c in all_columns(product)])
    trades = Trades(canonical(schema.empty_table(), product))
    needs = dependencies(product, trades, model, "USD")

    assert check_rows(trades, product) == []
    assert product.validate(trades, model.as_of) == []
    assert len(product.currency(trades)) == 0
    assert all(len(need.labels) == 0 for need in product.requirements(trades, model.conventions))
    assert needs.faults == ()
    assert product.weight_in(trades, model).shape == (0,)
    assert product.pricing_order(trades).shape == (0,)
    assert product.prepare(trades, model).price(_rows(0), levels).shape == (0, levels.shape[1])


@every_product
def test_an_order_of_pricing_has_every_trade_once(product: Product, sample_trades: FindTrades) -> None:
    trades = sample_trades(product)
    order = product.pricing_order(trades)

    assert order.dtype == np.int32
    assert sorted(order.tolist()) == list(range(len(trades)))


@every_product
def test_prices_are_finite_and_shaped(
    product: Product, prices: Callable[[Product], FloatArray], sample_trades: FindTrades, model: MarketModel
) -> None:
    values = prices(product)

    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    assert values.shape == (len(sample_trades(product)), 61)
    assert np.isfinite(values).all()
    moving = np.any([column >= 0 for column in dependencies(product, sample_trades(product), model, "USD").pricing], 0)
    assert (np.ptp(values[moving], axis=1) > 0.0).mean() > 0.9, "scenarios hardly move the prices"


@every_product
def test_pricing_leaves_the_levels_as_they_are(
    product: Product, sample_trades: FindTrades, model: MarketModel, levels: FloatArray
) -> None:
    trades, given = sample_trades(product), levels.copy()

    product.prepare(trades, model).price(np.arange(len(trades), dtype=np.int32), given)

    assert np.array_equal(given.view(np.int64), levels.view(np.int64))


@every_product
def test_currency_weight_and_needs_are_whole(product: Product, sample_trades: FindTrades, model: MarketModel) -> None:
    trades = sample_trades(product)
    currency, weight = product.currency(trades), product.weight_in(trades, model)

    assert (currency.codes >= 0).all()
    assert all(re.fullmatch(r"[A-Z]{3}", name) for name in currency.names)
    assert weight.shape == (len(trades),)
    assert np.isfinite(weight).all()
    assert (weight > 0.0).all()
    for need in product.requirements(trades, model.conventions):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", need.role), "a word or a few, for people"
        assert set(need.kinds) <= {*KINDS, "fx"}
        assert len(need.labels) == len(trades)


@pytest.mark.parametrize(("product", "first"), pairs_one_in(3, PRODUCTS, range(3)))
def test_a_trade_alone_has_the_price_that_it_has_in_the_batch(
    product: Product,
    first: int,
    prices: Callable[[Product], FloatArray],
    sample_trades: FindTrades,
    model: MarketModel,
    levels: FloatArray,
) -> None:
    trades, values = sample_trades(product), prices(product)

    for row in range(first, len(trades), 3):
        alone = product.prepare(trades.slice(row, row + 1), model)
        assert same_bits(alone.price(_rows(1), levels)[0], values[row]), trades.trade_ids[row]


@every_product
def test_preparation_does_not_depend_on_the_other_trades(
    product: Product,
    prices: Callable[[Product], FloatArray],
    sample_trades: FindTrades,
    model: MarketModel,
    levels: FloatArray,
) -> None:
    trades, values = sample_trades(product), prices(product)
    order = np.random.default_rng(5).permutation(len(trades))

    for rows in (order, order[: len(order) // 3], np.repeat(order[:4], 2)):
        some = product.prepare(trades.take(rows), model)
        assert same_bits(some.price(_rows(len(rows)), levels), values[rows])


@every_product
def test_split_over_rows_does_not_change_a_bit(
    product: Product,
    prices: Callable[[Product], FloatArray],
    prepared: Callable[[Product], Prepared],
    levels: FloatArray,
) -> None:
    values, whole = prices(product), prepared(product)
    order = np.random.default_rng(6).permutation(len(values)).astype(np.int32)

    for rows in (*np.array_split(_rows(len(values)), 5), np.sort(order[:7]), order, order[:1]):
        assert same_bits(whole.price(rows, levels), values[rows])


@pytest.mark.parametrize(("product", "width"), pairs_one_in(4, PRODUCTS, [1, 2, 3, 7, 8, 16, 33, 64]))
def test_split_over_scenarios_does_not_change_a_bit(
    product: Product,
    width: int,
    prices: Callable[[Product], FloatArray],
    prepared: Callable[[Product], Prepared],
    levels: FloatArray,
) -> None:
    values, whole = prices(product), prepared(product)
    rows = _rows(len(values))

    for first in range(0, levels.shape[1], width):
        tile = np.ascontiguousarray(levels[:, first : first + width])
        assert same_bits(whole.price(rows, tile), values[:, first : first + width])


@every_product
def test_scenarios_in_any_order(
    product: Product,
    prices: Callable[[Product], FloatArray],
    prepared: Callable[[Product], Prepared],
    levels: FloatArray,
) -> None:
    values = prices(product)
    order = np.random.default_rng(8).permutation(levels.shape[1])

    shuffled = prepared(product).price(_rows(len(values)), np.ascontiguousarray(levels[:, order]))

    assert same_bits(shuffled, values[:, order])


def _groups_of(needs: Dependencies, row: int) -> set[int]:
    return {int(column[row]) for column in needs.pricing if column[row] >= 0}


@every_product
def test_nothing_beyond_the_stated_needs_is_read(
    product: Product,
    prices: Callable[[Product], FloatArray],
    prepared: Callable[[Product], Prepared],
    sample_trades: FindTrades,
    model: MarketModel,
) -> None:
    """With every factor shocked but those that a trade says it needs, its price is the same to the last bit."""
    trades, values = sample_trades(product), prices(product)
    needs = dependencies(product, trades, model, "USD")
    snapshot = model.snapshot

    for row in range(0, len(trades), 3):
        x = 1.37 * snapshot.x0[:, None] + 0.01
        for group in _groups_of(needs, row):
            factors = slice(snapshot.groups[group].start, snapshot.groups[group].stop)
            x[factors, 0] = snapshot.x0[factors]
        price = prepared(product).price(np.array([row], np.int32), x)
        assert same_bits(price[:, 0], values[row : row + 1, 0]), trades.trade_ids[row]


@every_product
def test_nan_in_a_needed_factor_fails_the_trade_with_a_reason(
    product: Product, sample: OpenRun, sample_trades: FindTrades, model: MarketModel
) -> None:
    """Never a zero, never another number: failed, or a trade that did not read the point and is unchanged."""
    trades = sample_trades(product)
    needs = dependencies(product, trades, model, "USD")
    snapshot = model.snapshot
    sound = sample.value(product, trades, ("pv",)).values["pv"]
    columns = [np.unique(column[column >= 0]).tolist() for column in (*needs.pricing, *needs.today)]
    assert any(columns)
    read: set[int] = set()

    # One of each column that is read: dividends are looked for, and there may be none before a trade's end.
    for index in (index for column in columns for index in column if read.isdisjoint(column)):
        group = snapshot.groups[index]
        broken = snapshot.x0.copy()
        broken[group.start : group.stop] = np.nan
        context = type(sample.context)(sample.folder)
        context.snapshot = with_levels(snapshot, broken)
        part = OpenRun(sample.folder, context, (), (), sample.derivative).value(product, trades, ("pv",))
        failed = part.statuses["pv"] == FAILED
        touched = set(np.flatnonzero(needs.touched(np.array([index]), len(snapshot.groups), converted=True)).tolist())
        touched |= {row for column in needs.today for row in np.flatnonzero(column == index).tolist()}

        if failed.any():
            read.add(index)
        assert set(np.flatnonzero(failed)) <= touched
        assert (part.statuses["pv"][~failed] == OK).all()
        assert same_bits(part.values["pv"][~failed], sound[~failed])
        assert np.isnan(part.values["pv"][failed]).all()
        assert {part.failures[int(k)][1].reason for k in np.flatnonzero(failed)} <= {Reason.NUMERICAL}
    unread = {snapshot.groups[column[0]].kind for column in columns if column and read.isdisjoint(column)}
    assert unread <= {"dividend", "dividend_ratio"}, "said to be needed, and changes nothing"


@cache
def _without(model: MarketModel, groups: frozenset[tuple[int, int]]) -> MarketModel:
    """The market without the points of some groups. Kept: products share most of what they need.

    :param groups: where each begins and ends among the factors.
    """
    snapshot = model.snapshot
    keep = np.ones(len(snapshot), np.bool_)
    for start, stop in groups:
        keep[start:stop] = False
    poorer = snapshot.factors.filter(pa.array(keep)).select(
        [n for n in snapshot.factors.column_names if n not in ("days", "underlying_days")]
    )
    return MarketModel(MarketSnapshot.from_table(poorer, snapshot.as_of), model.conventions)


@every_product
def test_a_missing_need_is_a_failure_of_the_trades_that_have_it(
    product: Product, sample_trades: FindTrades, model: MarketModel
) -> None:
    trades = sample_trades(product)
    snapshot = model.snapshot
    for need in product.requirements(trades, model.conventions):
        if need.optional or (need.labels.codes < 0).all():
            continue
        name = need.labels.names[int(need.labels.codes[need.labels.codes >= 0][0])]
        groups = {snapshot.groups[g] for g in model.resolve(need.kinds, name) or ()}
        if not groups:
            continue  # a currency against itself
        lacking = _without(model, frozenset((group.start, group.stop) for group in groups))

        faults = dependencies(product, trades, lacking, "USD").faults

        who = set(np.flatnonzero(need.labels.codes == need.labels.names.index(name)).tolist())
        # A surface whose quotes are left without what was made of them is there, and of no use.
        told = (Reason.MISSING_MARKET_DATA, Reason.UNSUPPORTED)
        named = {int(row) for fault in faults if fault.reason in told for row in fault.rows}
        if lacking.resolve(need.kinds, name) is None:
            assert who <= named, (need.role, name)


@every_product
def test_a_day_forward_is_a_finite_price(
    product: Product, sample: OpenRun, sample_trades: FindTrades, levels: FloatArray
) -> None:
    trades = sample_trades(product)

    tomorrow = product.prepare(trades, sample.context.model(1)).price(_rows(len(trades)), levels)

    assert np.isfinite(tomorrow).all()


@every_product
def test_pickles(
    product: Product,
    prices: Callable[[Product], FloatArray],
    prepared: Callable[[Product], Prepared],
    sample: OpenRun,
    levels: FloatArray,
) -> None:
    again: Prepared = pickle.loads(pickle.dumps(prepared(product)))

    assert pickle.loads(pickle.dumps(product)).name == product.name
    assert same_bits(again.price(_rows(len(prices(product))), levels), prices(product))
    for block in sample.blocks_of(product.name):
        assert pickle.loads(pickle.dumps(block)) == block
        assert len(pickle.dumps(block)) < 1_000, "a block carries references, never arrays"


@every_product
def test_a_level_that_is_not_there_is_never_a_number(
    product: Product, sample: OpenRun, prepared: Callable[[Product], Prepared], sample_trades: FindTrades
) -> None:
    """Of a curve that cannot be made in a stress no trade has a price that is not its own."""
    snapshot, trades = sample.context.snapshot, sample_trades(product)
    x = np.repeat(snapshot.x0[:, None], len(snapshot.groups) + 1, axis=1)
    for k, group in enumerate(snapshot.groups):
        x[group.start : group.stop, k + 1] = np.nan
    values = prepared(product).price(_rows(len(trades)), np.ascontiguousarray(x))
    bits = values.view(np.uint64)

    assert (np.isnan(values[:, 1:]) | (bits[:, 1:] == bits[:, :1])).all()
    assert np.isnan(values).any(axis=1).all()
