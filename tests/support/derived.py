"""A market with all that is derived from its quotes, as a run makes it."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.market.checks import canonical_table
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import derive
from riskpipe.market.model import MarketModel
from riskpipe.market.point_table import MARKET_SCHEMA, REQUIRED_COLUMNS
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot


def derived_model(table: pa.Table, as_of: int, conventions: Conventions) -> MarketModel:
    """:param table: of the market, without errors."""
    found = derive(canonical_table(table, MARKET_SCHEMA, REQUIRED_COLUMNS)[0], PRODUCERS, as_of, conventions)
    assert found.faults == ()
    return MarketModel(MarketSnapshot.from_table(found.table, as_of), conventions, left_out=found.left_out)
