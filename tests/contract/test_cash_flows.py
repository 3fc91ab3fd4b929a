"""Cash flows of every product: they add up to the present value, trade by trade, however the trades are cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow.compute as pc
import pytest
from valuations import OpenRun, same_bits

from riskpipe.products.base import Product
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.trades import Trades
from riskpipe.store.parquet import read_parquet
from riskpipe.valuation.flow_rows import cash_flows
from riskpipe.valuation.run_block import run_block

FindTrades = Callable[[Product], Trades]
TOLERANCE = 1e-10
WITHOUT = {
    "swaption",
    "fx_barrier_option",
    "equity_barrier_option",
    "fx_touch",
    "equity_asian_option",
    "variance_swap",
    "quanto_equity_option",
    "equity_position",
    "equity_future",
    "commodity_future",
    "fx_future",
    "future_option",
    "commodity_average_option",
    "interest_rate_future",
    "bond_future",
}
"""Products that pay on no days that can be told: their value stands for it."""

every_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


@every_product
def test_flows_add_up_to_the_value(product: Product, sample: OpenRun, sample_trades: FindTrades) -> None:
    trades, context = sample_trades(product), sample.context
    value = sample.value(product, trades, ("pv",)).values["pv"]
    flows = cash_flows(product, trades, context.flow_model, value)

    total, size = (np.bincount(flows.trade, each, len(trades)) for each in (flows.value, np.abs(flows.value)))
    assert np.all(np.abs(total - value) <= TOLERANCE * np.maximum(size, 1.0))
    assert (set(flows.leg.take(np.arange(len(flows))).to_list()) == {"value"}) == (product.name in WITHOUT)
    today = context.snapshot.as_of + (product.name != "cash_balance")
    assert np.all(flows.day[flows.day != Trades.NO_DATE] >= today)
    converted = flows.value / np.where(flows.amount == 0.0, 1.0, flows.amount * flows.discount)
    own = flows.currency.codes < 0
    np.testing.assert_allclose(converted[own], 1.0, rtol=1e-12)
    assert np.all(converted > 0.0)


@every_product
def test_flows_of_a_trade_do_not_depend_on_others(product: Product, sample: OpenRun, sample_trades: FindTrades) -> None:
    trades, model = sample_trades(product), sample.context.flow_model
    value = sample.value(product, trades, ("pv",)).values["pv"]
    some = np.arange(1, len(trades), 3)
    whole = cash_flows(product, trades, model, value)
    mine = np.isin(whole.trade, some)
    whole = whole.take(np.flatnonzero(mine))
    apart = cash_flows(product, trades.take(some), model, value[some]).of(some)

    order = np.lexsort((whole.day, np.array(whole.leg.to_list(), str), whole.trade))
    whole = whole.take(order)
    apart = apart.take(np.lexsort((apart.day, np.array(apart.leg.to_list(), str), apart.trade)))
    assert whole.leg.to_list() == apart.leg.to_list()
    assert np.array_equal(whole.trade, apart.trade)
    assert np.array_equal(whole.day, apart.day)
    for name in ("amount", "discount", "value"):
        assert same_bits(getattr(whole, name), getattr(apart, name)), name


def test_the_table_of_a_block(sample: OpenRun) -> None:
    block = next(block for block in sample.blocks_of("cross_currency_swap") if "cashflows" in block.measures)
    outputs = run_block(sample.task(block)).outputs
    flows, values = (read_parquet(sample.store, outputs[name].path) for name in ("cashflows", "valuations"))
    worth = values.filter(pc.equal(values["measure"], "pv"))
    totals = flows.group_by("trade_id").aggregate([("value", "sum")]).to_pydict()
    total = dict(zip(totals["trade_id"], totals["value_sum"], strict=True))

    assert set(flows["leg"].to_pylist()) == {"receive", "pay"}
    assert set(flows["kind"].to_pylist()) == {"known", "projected"}
    assert len(set(flows["currency"].to_pylist())) > 2
    for trade, value in zip(worth["trade_id"].to_pylist(), worth["value"].to_pylist(), strict=True):
        assert total.get(trade, 0.0) == pytest.approx(value, rel=1e-7, abs=1e-3)
