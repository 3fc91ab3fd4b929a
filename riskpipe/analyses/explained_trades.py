"""P&L of trades between two days, line by line: what came and went, what was paid, what each step of the market did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.analyses.analysis import Day
from riskpipe.arrays import FloatArray
from riskpipe.errors import InputError
from riskpipe.market.explain_steps import CARRY, ROLL_DOWN
from riskpipe.market.factors import RISK_CLASSES
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.measures.measure_names import EXPLAIN, PNL_SETS

CHANGES = ("new", "matured", "amended", "cancelled", "cash")
TRANSLATION, UNEXPLAINED, TOTAL = "fx_translation", "unexplained", "total"
LINES = (*CHANGES, CARRY, ROLL_DOWN, *RISK_CLASSES, TRANSLATION, UNEXPLAINED, TOTAL)
SENSITIVITY = "sensitivity_"
"""Begins the lines of what the earlier day's sensitivities say."""

# Products whose cash flows are those of a replication: at the end of a period the bond is bought for its price, which
# begins the next period in truth.
_REPLICATED = ("bond_total_return_swap",)

Mask = NDArray[np.bool_]


class Trades(Struct, frozen=True):
    """n trades that either day has, by book and id.

    :param currency: of their values. :param before, after: float64[n], values in the base currency on either day, NaN
        where there is none. :param was, remains: bool[n], the day has the trade.
    """

    books: pa.Array
    ids: pa.Array
    keys: pa.Array
    currency: Labels
    before: FloatArray
    after: FloatArray
    was: Mask
    remains: Mask

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, table: pa.Table) -> NDArray[np.int64]:
        """int64[rows]: which trade each row of a table is of, -1 of none of them."""
        return np.asarray(pc.fill_null(pc.index_in(_keys(table), value_set=self.keys), -1).to_numpy(), np.int64)


def trades_of(before: Day, after: Day) -> Trades:
    tables = [
        day.table("valuations", ["book", "trade_id", "value_base", "currency"], _is_pv) for day in (before, after)
    ]
    both = pa.concat_tables([table.select(["book", "trade_id"]) for table in tables])
    names = (
        both.group_by(["book", "trade_id"]).aggregate([]).sort_by([("book", "ascending"), ("trade_id", "ascending")])
    )
    keys = _keys(names)
    values, there = np.full((2, len(keys)), np.nan), np.zeros((2, len(keys)), np.bool_)
    currency = np.full(len(keys), None, object)
    for k, table in enumerate(tables):
        at = pc.index_in(_keys(table), value_set=keys).to_numpy()
        there[k, at] = True
        values[k, at] = pc.fill_null(table["value_base"], np.nan).to_numpy()
        known = pc.is_valid(table["currency"]).to_numpy(zero_copy_only=False)
        currency[at[known]] = np.array(table["currency"].to_pylist(), object)[known]
    books, ids = (names[name].combine_chunks() for name in ("book", "trade_id"))
    return Trades(books, ids, keys, Labels.of(currency.tolist()), *values, *there)


def _is_pv(rows: pa.Table) -> pa.Array:
    return pc.equal(rows["measure"], "pv")


def _keys(table: pa.Table) -> pa.Array:
    joined = pc.binary_join_element_wise(table["book"].cast(pa.string()), table["trade_id"].cast(pa.string()), "\0")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


class Rates(Struct, frozen=True):
    """Exchange rates into the base currency of two days; one, where a market does not say."""

    before: MarketModel
    after: MarketModel

    def grown(self, currencies: Labels) -> FloatArray:
        """float64[n]: the later day's rate over the earlier one's."""
        first, second = (self._of(model, currencies.names) for model in (self.before, self.after))
        ratio = np.array([second[name] / first[name] for name in currencies.names] + [1.0])
        return np.where(np.isfinite(ratio), ratio, 1.0)[currencies.codes]

    def earlier(self, currencies: Labels) -> FloatArray:
        """float64[n]: base currency for one, on the earlier day."""
        rate = self._of(self.before, currencies.names)
        return np.array([rate[name] for name in currencies.names] + [np.nan])[currencies.codes]

    def _of(self, model: MarketModel, currencies: Iterable[str]) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for name in currencies:
            try:
                nodes, place = model.fx(Labels.of([name]), Labels.of([model.conventions.base_currency]))
                found[name] = float(nodes.evaluate(model.base)[place[0], 0])
            except InputError:  # left out of the market
                found[name] = np.nan
        return found


class TradeLines:
    """Lines of trades: those of what they are, and of the steps that were priced.

    :ivar lines: name -> float64[n], zero where a trade has none. :ivar known: bool[n], the trade has a total.
    """

    def __init__(self, day: Day, previous: Day, trades: Trades, rates: Rates) -> None:
        self._trades, self._rates = trades, rates
        self.lines = {name: np.zeros(len(trades)) for name in LINES}
        both, gone = trades.was & trades.remains, trades.was & ~trades.remains
        self.known = (np.isfinite(trades.before) | ~trades.was) & (np.isfinite(trades.after) | ~trades.remains)
        before, after = (np.nan_to_num(value) for value in (trades.before, trades.after))
        over, other = _ended(previous, day, trades), both & _amended(previous, day, trades)
        self.kept = both & ~other & self.known
        self.lines["new"] = np.where(trades.remains & ~trades.was, after, 0.0)
        self.lines["matured"] = np.where(gone & over, -before, 0.0)
        self.lines["cancelled"] = np.where(gone & ~over, -before, 0.0)
        self.cash = self._paid(day, previous, both | (gone & over), (gone & over) | (both & (after == 0.0)))
        self.lines[TOTAL] = after - before + self.cash + self.lines[TRANSLATION]
        self._steps(day, np.where(self.known, after, np.nan), other)
        explained = np.sum([self.lines[name] for name in LINES[:-2]], axis=0)
        self.lines[UNEXPLAINED] = self.lines[TOTAL] - explained

    def _paid(self, day: Day, previous: Day, held: Mask, over: Mask) -> FloatArray:
        """The line cash, at the earlier day's rates, float64[n]; what its rates have moved since is translation.

        What falls due after a trade is over, or is worth nothing any more, has been delivered: it counts at the earlier
        day's value.
        """
        flows = _flows(previous)
        at, currencies = self._trades.at(flows), Labels.of(flows["currency"].to_pylist())
        is_paid = pc.less_equal(flows["pay_date"], pa.scalar(day.as_of, pa.date32())).to_numpy(zero_copy_only=False)
        counts = (at >= 0) & is_paid & held[at]
        paid = np.nan_to_num(flows["amount"].to_numpy() * self._rates.earlier(currencies))[counts]
        cash, moved = np.zeros((2, len(self._trades)))
        np.add.at(cash, at[counts], paid)
        np.add.at(moved, at[counts], paid * (self._rates.grown(currencies)[counts] - 1.0))
        counts = (at >= 0) & ~is_paid & over[at]
        rate = np.nan_to_num(self._rates.earlier(self._trades.currency))[at]
        np.add.at(cash, at[counts], (flows["value"].to_numpy() * rate)[counts])
        self.lines["cash"], self.lines[TRANSLATION] = cash, moved
        return cash

    def _steps(self, day: Day, after: FloatArray, other: Mask) -> None:
        """From the vectors: what a trade is worth after a step, less what it is worth today.

        :param after: float64[n], today's values. :param other: bool[n], trades of other terms than before.
        """
        names, vectors = _vectors(day, self._trades)
        if not names:
            return
        worth = after[:, None] + vectors
        priced = np.isfinite(worth).all(axis=1) & self.known & self._trades.was
        worth = np.where(priced[:, None], worth, 0.0)
        before = np.where(priced, np.nan_to_num(self._trades.before), 0.0)
        translated = self._rates.grown(self._trades.currency) - 1.0
        for k, name in enumerate(names):
            start = worth[:, k - 1] if k else before
            moved = worth[:, k] - start
            if name == CARRY:
                self.lines["amended"] = np.where(other, moved, 0.0)
                moved = np.where(other, 0.0, moved)
            if name == "fx":
                self.lines[TRANSLATION] += start * translated
                moved = moved - start * translated
            self.lines[name] = moved


def _flows(previous: Day) -> pa.Table:
    """What was to be paid after the earlier day."""
    columns = ["book", "trade_id", "product", "currency", "amount", "value", "pay_date"]
    first = pa.scalar(previous.as_of, pa.date32())
    flows = previous.table("cashflows", columns, lambda rows: pc.greater(rows["pay_date"], first))
    return flows.filter(pc.invert(pc.is_in(flows["product"], pa.array(_REPLICATED, pa.string()))))


def _vectors(day: Day, trades: Trades) -> tuple[list[str], FloatArray]:
    """Names of the steps, and float64[n, steps], NaN where there are none."""
    explain = PNL_SETS[EXPLAIN]

    def wanted(rows: pa.Table) -> pa.Array:
        return pc.equal(rows["scenario_set"], explain)

    steps = day.table("scenarios", ["index", "scenario"], wanted).sort_by("index")["scenario"].to_pylist()
    found = np.full((len(trades), len(steps)), np.nan)
    for piece in day.read("scenario_pnl"):
        rows = piece.filter(pc.and_(wanted(piece), pc.is_valid(piece["pnl"])))
        at = trades.at(rows)
        pnl = pc.list_flatten(rows["pnl"]).to_numpy().reshape(len(at), len(steps))
        found[at[at >= 0]] = pnl[at >= 0]
    return steps, found


def _ended(previous: Day, day: Day, trades: Trades) -> Mask:
    """bool[n]: trades whose last date had come."""
    terms = previous.table("trade_terms", ["book", "trade_id", "last_date"])
    at = trades.at(terms)
    over = pc.fill_null(pc.less_equal(terms["last_date"], pa.scalar(day.as_of, pa.date32())), False)
    found = np.zeros(len(trades), np.bool_)
    found[at[at >= 0]] = over.to_numpy(zero_copy_only=False)[at >= 0]
    return found


def _amended(previous: Day, day: Day, trades: Trades) -> Mask:
    """bool[n]: trades whose terms differ; of those whose terms are not known, none."""
    digests, known = np.zeros((2, len(trades)), np.int64), np.zeros((2, len(trades)), np.bool_)
    for k, each in enumerate((previous, day)):
        terms = each.table("trade_terms", ["book", "trade_id", "terms"])
        at = trades.at(terms)
        digests[k, at[at >= 0]], known[k, at[at >= 0]] = terms["terms"].to_numpy()[at >= 0], True
    return np.asarray(known.all(axis=0) & (digests[0] != digests[1]))
