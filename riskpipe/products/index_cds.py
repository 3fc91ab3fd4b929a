"""Credit default swaps on an index of names (CDX, iTraxx)."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.credit_contracts import CURVE_COLUMNS, TERM_COLUMNS, contract_faults, contracts_of, valued
from riskpipe.products.credit_models import added_up
from riskpipe.products.flows import Integers, offsets_of
from riskpipe.products.schedule_columns import by_coupon_phase, remaining_periods
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault

_NAMES, _WEIGHTS, _RECOVERIES = "constituents", "constituent_weights", "constituent_recoveries"
_ADDS_UP: Final = 1e-6


class IndexCds(Product):
    """A swap on what is left of an index: notional x factor, as one name on the index's curve or as its constituents.

    Terms and models are those of `credit_default_swap`. The factor is the share of the notional whose names have not
    defaulted. On constituents the value is the sum of swaps on their curves, each with its weight of the notional and
    the coupon of the index; nothing makes up for the difference to the index's own quotes (the index basis). The
    upfront is a fraction of notional x factor, paid whether or not names survive.
    """

    name = "index_cds"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("index", "string", "names a hazard_rate curve"),
        *CURVE_COLUMNS,
        Column("notional", "number", "of the index at its start; below zero turns the protection round"),
        Column(
            "factor",
            "number",
            "share of the notional whose names have not defaulted; null: 1",
            required=False,
            rule="positive",
        ),
        *TERM_COLUMNS,
        Column(
            "valued_on",
            "string",
            "curve of the index, or those of its constituents; null: index",
            required=False,
            choices=("index", _NAMES),
        ),
        Column(_NAMES, "string", "names that have not defaulted: hazard_rate curves", required=False, many=True),
        Column(
            _WEIGHTS,
            "number",
            "share of the notional that each name has, together the factor; null: all the same",
            required=False,
            rule="positive",
            many=True,
        ),
        Column(
            _RECOVERIES,
            "number",
            "of each name; null: recovery",
            required=False,
            rule="nonnegative",
            quantity="recovery",
            many=True,
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        factor = _factors(trades)
        return [
            *contract_faults(trades, as_of),
            *rows_fault("factor", "not_above_one", factor > 1.0, "factor must not be above one"),
            *_constituent_faults(trades, factor),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        apart = trades.is_one("valued_on", _NAMES)
        names = trades.nested(_NAMES)
        labels, count = names.rows.labels(_NAMES), np.diff(names.offsets) * apart
        needs = [Need("credit", ("hazard_rate",), trades.labels("index").where(~apart))]
        for k in range(int(count.max(initial=0))):
            at = np.where(count > k, names.offsets[:-1] + k, 0)
            needs.append(Need("credit", ("hazard_rate",), labels.take(at).where(count > k)))
        return (Need("discount", ("zero_rate",), trades.labels("discount_curve")), *needs)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        apart = trades.is_one("valued_on", _NAMES)
        names = np.where(apart, np.diff(trades.nested(_NAMES).offsets), 1)
        return np.asarray(0.3 + 0.25 * names * remaining_periods(trades, "start_date", "frequency", as_of))

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        n, factor = len(trades), _factors(trades)
        scale = np.where(trades.is_one("protection", "buy"), factor, -factor)
        whole = contracts_of(trades, model, trades.labels("index"), np.ones(n), scale)
        parts = _parts(trades, factor)
        split = whole.split(parts.trade, parts.credit, parts.share, 1.0 - parts.recovery)
        return added_up(valued(split, model), offsets_of(parts.trade, n))


def _factors(trades: Trades) -> FloatArray:
    return trades.numbers("factor", 1.0)


def _constituent_faults(trades: Trades, factor: FloatArray) -> list[RowFaults]:
    names, weights, recoveries = (trades.nested(column) for column in (_NAMES, _WEIGHTS, _RECOVERIES))
    count = np.diff(names.offsets)
    faults = rows_fault(
        _NAMES,
        "not_empty",
        trades.is_one("valued_on", _NAMES) & (count == 0),
        f"{_NAMES} are not given, on which the index is to be valued",
    )
    for column, given in ((_WEIGHTS, weights), (_RECOVERIES, recoveries)):
        uneven = np.diff(given.offsets)
        message = f"{column} and {_NAMES} are not as many"
        faults += rows_fault(column, "one_each", (uneven > 0) & (uneven != count), message)
    total = np.bincount(weights.trades, weights.rows.numbers(_WEIGHTS), len(trades))
    wrong = (np.diff(weights.offsets) > 0) & (np.abs(total - factor) > _ADDS_UP)
    certain = np.zeros(len(trades), np.bool_)
    certain[recoveries.trades[recoveries.rows.numbers(_RECOVERIES) >= 1.0]] = True
    return [
        *faults,
        *rows_fault(_WEIGHTS, "add_up", wrong, f"{_WEIGHTS} do not add up to the factor of the index"),
        *rows_fault(_RECOVERIES, "below_one", certain, f"{_RECOVERIES} must be below one"),
    ]


class _Parts(Struct, frozen=True):
    """The swaps of which indices are made: one on the index, or one on each constituent.

    :param trade: int64[m], ascending. :param share: float64[m], of what is left of the index.
    """

    trade: Integers
    credit: Labels
    share: FloatArray
    recovery: FloatArray


def _parts(trades: Trades, factor: FloatArray) -> _Parts:
    apart = trades.is_one("valued_on", _NAMES)
    names, weights, recoveries = (trades.nested(column) for column in (_NAMES, _WEIGHTS, _RECOVERIES))
    count = np.where(apart, np.diff(names.offsets), 1)
    trade = np.repeat(np.arange(len(trades)), count)
    position = np.arange(len(trade)) - (np.cumsum(count) - count)[trade]
    share, recovery = 1.0 / count[trade], trades.numbers("recovery")[trade]
    weighted = np.flatnonzero(apart[trade] & (np.diff(weights.offsets) > 0)[trade])
    at = weights.offsets[trade[weighted]] + position[weighted]
    share[weighted] = weights.rows.numbers(_WEIGHTS)[at] / factor[trade[weighted]]
    own = np.flatnonzero(apart[trade] & (np.diff(recoveries.offsets) > 0)[trade])
    recovery[own] = recoveries.rows.numbers(_RECOVERIES)[recoveries.offsets[trade[own]] + position[own]]
    single = np.flatnonzero(apart[trade])
    listed = Labels(np.full(len(trade), -1, np.int32), names.rows.labels(_NAMES).names)
    listed.codes[single] = names.rows.labels(_NAMES).codes[names.offsets[trade[single]] + position[single]]
    return _Parts(trade, listed.otherwise(trades.labels("index").take(trade)), share, recovery)
