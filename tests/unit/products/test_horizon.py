"""Theta's horizon: the same levels, and every time to expiry that much shorter."""

import math
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

AS_OF = 20777
PILLAR = (date(1970, 1, 1) + timedelta(days=AS_OF + 4000)).isoformat()


@pytest.mark.parametrize("days", [1, 10])
def test_options_are_valued_as_if_it_were_later(days):
    table = pa.table(
        {
            "factor": ["spot:A", "zero_rate:USD.OIS:1Y", "black_vol:A:1Y"],
            "kind": ["spot", "zero_rate", "black_vol"],
            "name": ["A", "USD.OIS", "A"],
            "tenor": [None, PILLAR, PILLAR],
            "value": [100.0, 0.05, 0.2],
        }
    )
    snapshot = MarketSnapshot.from_table(table, AS_OF)
    expiry = np.array([0, 1, 5, 40, 400])
    columns = {
        "trade_id": list("abcde"),
        "book": ["b"] * 5,
        "underlying": ["A"] * 5,
        "currency": ["USD"] * 5,
        "quantity": [1.0] * 5,
        "option_type": ["call"] * 5,
        "strike": [98.0, 98.0, 101.0, 90.0, 110.0],
        "expiry_date": pa.array(AS_OF + expiry, pa.int32()).cast(pa.date32()),
        "exercise": ["european"] * 5,
    }
    trades = Trades(canonical(pa.table(columns), EquityOption()))
    prepared = EquityOption().prepare(trades, MarketModel(snapshot, Conventions(), horizon_days=days))
    values = prepared.price(np.arange(5, dtype=np.int32), np.ascontiguousarray(snapshot.x0[:, None]))[:, 0]
    for value, strike, left in zip(values, columns["strike"], np.maximum(expiry - days, 0) / 365.0, strict=True):
        forward, discount = 100.0 * math.exp(0.05 * left), math.exp(-0.05 * left)
        expected = ql.blackFormula(ql.Option.Call, strike, forward, 0.2 * math.sqrt(left), discount)
        assert value == pytest.approx(expected, abs=1e-11)
