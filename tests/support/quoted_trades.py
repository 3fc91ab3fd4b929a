"""Trades on a market of quotes."""

from __future__ import annotations

from typing import Any

import numpy as np
from par_quotes import AS_OF, table_of

from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import derive
from riskpipe.market.model import MarketModel
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product


def model_of(rows: list[dict[str, Any]], conventions: Conventions, as_of: int = AS_OF) -> MarketModel:
    """Of which every quote makes a point."""
    found = derive(table_of(rows), PRODUCERS, as_of, conventions)
    assert [fault.message for fault in found.faults] == []
    return MarketModel(MarketSnapshot.from_table(found.table, as_of), conventions)


def values_of(rates: Any, product: Product, model: MarketModel, columns: dict[str, Any]) -> np.ndarray:
    """Today's."""
    trades = rates.trades(product, columns)
    prepared = product.prepare(trades, model)
    return prepared.price(np.arange(len(trades), dtype=np.int32), model.snapshot.x0[:, None])[:, 0]
