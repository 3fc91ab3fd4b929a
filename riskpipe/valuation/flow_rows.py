"""Cash flows of trades as rows: what each pays, and what is left of its value without a payment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.measures.measure_names import CASH_FLOWS
from riskpipe.products.base import Product
from riskpipe.products.cash_flows import CashFlows, joined, undated
from riskpipe.products.trades import Trades
from riskpipe.valuation.part import FAILED, OK, Part
from riskpipe.valuation.spec import ValuationSpec


def add_cash_flows(part: Part, product: Product, model: MarketModel, pv: FloatArray, bad: NDArray[np.bool_]) -> None:
    """Put the cash flows of a part's trades into it.

    :param model: today's, by flow. :param pv: float64[n], today's values. :param bad: bool[n], trades that have none.
    """
    part.statuses[CASH_FLOWS] = np.where(bad, FAILED, OK)
    part.flows = cash_flows(product, part.trades, model, pv).of_trades(~bad)


def cash_flows(product: Product, trades: Trades, model: MarketModel, pv: FloatArray) -> CashFlows:
    """Of each trade they add up to its value; trades without payments that can be told have that alone."""
    found = product.prepare(trades, model).cash_flows(model.base.copy())
    without = np.ones(len(trades), np.bool_)
    if found is None:
        return undated(pv)
    without[found.trade] = False
    return joined([found, undated(np.where(without, pv, 0.0))])


def flow_columns(flows: CashFlows, spec: ValuationSpec, currency: list[str | None]) -> dict[str, pa.Array]:
    """Columns of the table `cashflows` beside those that every table of trades has.

    :param currency: of each trade's value.
    """
    own = pa.array(currency, pa.string()).take(pa.array(flows.trade))
    given = pa.array([*flows.currency.names, None], pa.string()).take(
        pa.array(flows.currency.codes % (len(flows.currency.names) + 1))
    )
    # What has no date, and a balance whose value date has passed, is there today.
    today = np.int32((np.datetime64(spec.as_of) - np.datetime64("1970-01-01")).astype(np.int64))
    return {
        "leg": pa.DictionaryArray.from_arrays(pa.array(flows.leg.codes), pa.array(flows.leg.names, pa.string())),
        "pay_date": pa.array(np.maximum(flows.day, today)).cast(pa.date32()),
        "currency": pa.compute.coalesce(given, own),
        "amount": pa.array(flows.amount),
        "kind": pa.array(np.where(flows.projected, "projected", "known"), pa.string()),
        "discount_factor": pa.array(flows.discount),
        "value": pa.array(flows.value),
    }
