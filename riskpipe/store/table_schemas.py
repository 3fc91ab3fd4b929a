"""The columns of every result table, and the order of its rows."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

_TIMESTAMP = pa.timestamp("us", tz="UTC")
_NUMBERS = pa.list_(pa.float64())
_LIMBS = pa.list_(pa.int64())


def _schema(required: Mapping[str, pa.DataType], **nullable: pa.DataType) -> list[pa.Field]:
    fields = [pa.field(name, type_, nullable=False) for name, type_ in required.items()]
    return fields + [pa.field(name, type_) for name, type_ in nullable.items()]


_STRING = pa.string()
_RUN = {"as_of_date": pa.date32(), "run_id": _STRING}
_TRADE = {**_RUN, "book": _STRING, "trade_id": _STRING, "product": _STRING}
_STATUS = pa.field("status", _STRING, nullable=False)
_VALUE = _schema({}, value=pa.float64(), currency=_STRING, value_base=pa.float64())

_FACTOR = _schema({}, kind=_STRING, name=_STRING, tenor=_STRING, days=pa.int32(), strike=pa.float64())
FACTOR_COLUMNS = tuple(field.name for field in _FACTOR)
"""Of `sensitivities`: what its factor is."""

_ADDED: dict[str, pa.Schema] = {}
SCHEMAS: Mapping[str, pa.Schema] = ChainMap(
    {
        "valuations": pa.schema(
            [
                *_schema({**_TRADE, "measure": _STRING}),
                *_VALUE,
                _STATUS,
                *_schema({}, reason=_STRING, message=_STRING, block_id=_STRING),
            ]
        ),
        "sensitivities": pa.schema(
            [
                *_schema({**_TRADE, "factor": _STRING, "measure": _STRING}),
                *_schema({}, shift=pa.float64(), shift_type=_STRING),
                *_VALUE,
                _STATUS,
                *_FACTOR,
            ]
        ),
        "cashflows": pa.schema(
            [
                *_schema({**_TRADE, "leg": _STRING, "pay_date": pa.date32(), "currency": _STRING}),
                *_schema({"amount": pa.float64(), "kind": _STRING}),
                *_schema({"discount_factor": pa.float64(), "value": pa.float64()}),
            ]
        ),
        "trade_terms": pa.schema(_schema({**_TRADE, "terms": pa.int64()}, last_date=pa.date32())),
        "factors": pa.schema(
            [
                *_schema({**_RUN, "factor": _STRING, "kind": _STRING, "name": _STRING}),
                *_schema({}, currency=_STRING, tenor=_STRING, days=pa.int32(), underlying_tenor=_STRING),
                *_schema({}, strike=pa.float64(), strike_type=_STRING),
                *_schema({"level": pa.float64(), "quoted": pa.bool_()}),
            ]
        ),
        # And the columns that the configuration names (`OPEN`).
        "trades": pa.schema(
            _schema(_TRADE, currency=_STRING, maturity_date=pa.date32(), counterparty=_STRING, netting_set=_STRING)
        ),
        "scenario_pnl": pa.schema([*_schema({**_TRADE, "scenario_set": _STRING}), *_schema({}, pnl=_NUMBERS), _STATUS]),
        "scenarios": pa.schema(
            _schema({**_RUN, "scenario_set": _STRING, "index": pa.int32(), "scenario": _STRING}, date=pa.date32())
        ),
        "aggregates": pa.schema(
            [
                *_schema({**_RUN, "level": pa.int32(), "book": _STRING, "measure": _STRING}),
                *_schema({}, scenario_set=_STRING, scenario=_STRING, value_base=pa.float64()),
                *_schema({"trades": pa.int64(), "failed_trades": pa.int64()}),
            ]
        ),
        "book_pnl": pa.schema(
            [
                *_schema(
                    {**_RUN, "level": pa.int32(), "book": _STRING, "scenario_set": _STRING, "risk_class": _STRING}
                ),
                *_schema({}, pnl=_NUMBERS),
                *_schema({"trades": pa.int64(), "failed_trades": pa.int64()}),
            ]
        ),
        "var": pa.schema(
            [
                *_schema({**_RUN, "level": pa.int32(), "book": _STRING, "name": _STRING, "kind": _STRING}),
                *_schema({"confidence": pa.float64(), "horizon_days": pa.int32()}),
                *_schema({"scenario_set": _STRING, "risk_class": _STRING}),
                *_schema({}, value_base=pa.float64(), lower=pa.float64(), upper=pa.float64()),
                *_schema({}, scenario=_STRING, scenario_date=pa.date32()),
            ]
        ),
        "var_components": pa.schema(
            [
                *_schema({**_RUN, "name": _STRING, "level": pa.int32(), "book": _STRING}),
                *_schema({"component_kind": _STRING, "component": _STRING}),
                *_schema({}, component_base=pa.float64(), marginal_base=pa.float64(), incremental_base=pa.float64()),
            ]
        ),
        "stressed_windows": pa.schema(
            [
                *_schema({**_RUN, "name": _STRING, "level": pa.int32(), "book": _STRING, "scenario_set": _STRING}),
                *_schema({"confidence": pa.float64(), "days": pa.int32()}),
                *_schema({}, first_date=pa.date32(), last_date=pa.date32()),
                *_schema({}, value_base=pa.float64(), latest_base=pa.float64()),
            ]
        ),
        "liquidity_es": pa.schema(
            [
                *_schema({**_RUN, "level": pa.int32(), "book": _STRING, "scenario_set": _STRING}),
                *_schema({"confidence": pa.float64(), "base_days": pa.int32()}),
                *_schema({}, liquidity_horizon=pa.int32(), es_base=pa.float64(), value_base=pa.float64()),
            ]
        ),
        "delta_gamma_var": pa.schema(
            [
                *_schema({**_RUN, "level": pa.int32(), "book": _STRING, "name": _STRING, "kind": _STRING}),
                *_schema({"confidence": pa.float64(), "horizon_days": pa.int32()}),
                *_schema({}, delta_normal_base=pa.float64(), value_base=pa.float64()),
                *_schema({}, monte_carlo_base=pa.float64(), difference_base=pa.float64()),
                *_schema({}, mean_base=pa.float64(), deviation_base=pa.float64()),
                *_schema({}, skewness=pa.float64(), kurtosis=pa.float64()),
            ]
        ),
        "reverse_stress": pa.schema(
            [
                *_schema({**_RUN, "scenario": _STRING}),
                *_schema({}, factor=_STRING, shift_type=_STRING, shift=pa.float64()),
                *_schema({"level": pa.int32(), "book": _STRING, "loss_base": pa.float64()}),
                *_schema({}, distance=pa.float64(), revalued_base=pa.float64(), failed_trades=pa.int64()),
            ]
        ),
        "worst_stress": pa.schema(
            [
                *_schema({**_RUN, "level": pa.int32(), "book": _STRING}),
                *_schema({}, scenario=_STRING, value_base=pa.float64()),
                *_schema({"scenarios": pa.int32()}),
            ]
        ),
        "pnl_explain": pa.schema(
            [
                *_schema({**_RUN, "previous_date": pa.date32(), "previous_run_id": _STRING}),
                *_schema({"level": pa.int32(), "book": _STRING}, trade_id=_STRING),
                *_schema({"line": _STRING, "value_base": pa.float64()}),
            ]
        ),
        "backtests": pa.schema(
            [
                *_schema({"as_of_date": pa.date32(), "level": pa.int32(), "book": _STRING, "name": _STRING}),
                *_schema({"days": pa.int32(), "exceptions": pa.int32()}),
                *_schema({}, kupiec_p=pa.float64(), christoffersen_p=pa.float64(), zone=_STRING),
                *_schema({}, spearman=pa.float64(), kolmogorov_smirnov=pa.float64(), pla_zone=_STRING),
            ]
        ),
        "limit_checks": pa.schema(
            [
                *_schema({**_RUN, "book": _STRING, "measure": _STRING}, name=_STRING, value_base=pa.float64()),
                *_schema({}, warning=pa.float64()),
                *_schema({"limit": pa.float64()}, use=pa.float64()),
                *_schema({"status": _STRING}),
            ]
        ),
        "reuse": pa.schema(
            [
                *_schema({**_RUN, "since_run_id": _STRING, "what": _STRING, "name": _STRING, "why": _STRING}),
                *_schema({"trades": pa.int64()}),
            ]
        ),
        "failures": pa.schema(
            [
                *_schema({"run_id": _STRING}, block_id=_STRING, trade_id=_STRING, product=_STRING),
                *_schema({"stage": _STRING, "reason": _STRING, "message": _STRING, "retryable": pa.bool_()}),
            ]
        ),
        "blocks": pa.schema(
            [
                *_schema({"run_id": _STRING, "block_id": _STRING}, parent_block_id=_STRING),
                *_schema({"attempt": pa.int32(), "product": _STRING}),
                *_schema({"trades": pa.int64(), "scenarios": pa.int64(), "status": _STRING}),
                *_schema({}, reason=_STRING, worker=_STRING, host=_STRING),
                *_schema({}, queued_at=_TIMESTAMP, started_at=_TIMESTAMP, ended_at=_TIMESTAMP),
                *_schema({}, queue_s=pa.float64(), fetch_s=pa.float64(), price_s=pa.float64()),
                *_schema({}, write_s=pa.float64(), cpu_s=pa.float64()),
                *_schema({}, peak_rss_bytes=pa.int64(), projected_bytes=pa.int64(), projected_s=pa.float64()),
                *_schema({}, rows=pa.int64(), bytes_in=pa.int64(), bytes_out=pa.int64(), engine_version=_STRING),
            ]
        ),
        # Internal: a block's sums per book, exact integers in limbs, merged in any order to the same total.
        # `first` is the place of the first element within the scenario set.
        "partials": pa.schema(
            [
                *_schema({"book": _STRING, "scenario_set": _STRING, "measure": _STRING}),
                *_schema({"first": pa.int64(), "trades": pa.int64(), "failed_trades": pa.int64()}),
                *_schema({"high": _LIMBS, "middle": _LIMBS, "low": _LIMBS}),
            ]
        ),
    },
    _ADDED,
)


def add_schema(table: str, schema: pa.Schema) -> None:
    """Make the table of a desk's own analysis known in this process."""
    _ADDED[table] = schema


# The order of published rows. The first two columns are also the order of a block's rows.
SORT_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "valuations": ("book", "trade_id", "measure"),
        "sensitivities": ("book", "trade_id", "measure", "factor"),
        "cashflows": ("book", "trade_id", "leg", "pay_date", "currency"),
        "trade_terms": ("book", "trade_id"),
        "trades": ("book", "trade_id"),
        "scenario_pnl": ("book", "trade_id", "scenario_set"),
    }
)

REPEATING: Mapping[str, tuple[str, ...]] = MappingProxyType({"sensitivities": ("shift", "days", "strike")})
"""Columns of numbers that have few distinct values."""

OPEN = ("trades",)
"""Tables that have further columns, which may be null, as the configuration says: the same in all files of a day."""
