"""Values of some trades under a block's columns, and what the measures make of them.

Nothing here knows of files or blocks. Each number depends on its own trade and its own columns alone, so any cut of
the trades, and of P&L columns, gives the same bits.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.kernels.pnl import pnl_into
from riskpipe.kernels.sums import LARGEST_TERM, summable
from riskpipe.measures.catalogue import families
from riskpipe.measures.families import Family
from riskpipe.measures.measure_names import CASH_FLOWS
from riskpipe.measures.pnl_sets import pnl_set, pnl_sets
from riskpipe.products.base import Prepared, Product
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.trades import Trades
from riskpipe.valuation.causes import trouble, without_level
from riskpipe.valuation.changes import CHUNK_CHANGES, Moved, add_changes
from riskpipe.valuation.context import ColumnClass, Context
from riskpipe.valuation.family_sums import FamilySums
from riskpipe.valuation.figures import add_figures
from riskpipe.valuation.flow_rows import add_cash_flows
from riskpipe.valuation.part import FAILED, OK, Part, Sensitivity
from riskpipe.valuation.together import together

# Scenarios priced at a time: rows of levels and discount factors of this width stay in the second-level cache.
TILE = 128
# Scenarios in one vector of the widest kind that kernels are compiled for.
LANES = 8
# Values held at a time between pricing and reduction.
CHUNK_VALUES = 4_000_000


def value_trades(
    context: Context, product: Product, trades: Trades, measures: tuple[str, ...], start: int, stop: int
) -> Part:
    """Every measure of every trade from columns [start, stop).

    :raises Exception: whatever the product's code raises; see `isolate.isolate`.
    """
    return _Valuation(context, product, trades, measures, start, stop).run()


def value_columns(
    context: Context, product: Product, trades: Trades, set_name: str, columns: NDArray[np.int64]
) -> Part:
    """P&L of every trade under some columns of a set: the bits that these have beside all others.

    :param columns: of the ScenarioSet, ascending.
    :raises Exception: whatever the product's code raises; see `isolate.isolate`.
    """
    valuation = _Valuation(context, product, trades, (), 0, 0)
    valuation.pnl_under(set_name, columns)
    return valuation.part


class _Valuation:
    """The values in the base scenario, then each measure's, into `part`.

    :ivar base: float64[n], in the trades' currencies. :ivar bad: bool[n], trades that have none.
    """

    def __init__(
        self,
        context: Context,
        product: Product,
        trades: Trades,
        measures: tuple[str, ...],
        start: int,
        stop: int,
    ) -> None:
        self._context = context
        self._bumps = context.bumps
        self._product = product
        self._trades = trades
        self._measures = measures
        self._range = (start, stop)
        self._prepared: dict[int, Prepared] = {}
        self._x0 = context.snapshot.x0
        self._rows = np.arange(len(trades), dtype=np.int32)
        self._base_currency = context.spec.conventions.base_currency
        self._currency = product.currency(trades)
        self._needs: Dependencies = dependencies(product, trades, context.model(), self._base_currency, checked=True)
        base = self._currency.map(lambda _: self._base_currency)
        self._fx, self._fx_position = context.model().fx(self._currency, base)
        self._fx0 = self._fx.evaluate(self._x0[:, None])
        conversion = self._fx0[self._fx_position, 0]
        self.part = Part(trades, self._currency.to_list(), conversion)
        self.base = self._price(self._rows, np.ascontiguousarray(self._x0[:, None]))[:, 0]
        self.bad = ~summable(np.stack([self.base, self.base * conversion], axis=1))

    def run(self) -> Part:
        lost = np.flatnonzero(self.bad).astype(np.int32)
        self._fail("price", "the present value", lost, self.base[lost])
        self._set("pv", self.base, np.where(self.bad, FAILED, OK))
        add_figures(self.part, self._product, self._context.model(), self.base, self.bad, self._measures)
        if CASH_FLOWS in self._measures:
            add_cash_flows(self.part, self._product, self._context.flow_model, self.base, self.bad)
        for family in families(self._measures):
            self._family(family)
        self._pnl()
        return self.part

    def _price(self, rows: NDArray[np.int32], x: FloatArray, horizon: int = 0) -> FloatArray:
        if horizon not in self._prepared:
            self._prepared[horizon] = self._product.prepare(self._trades, self._context.model(horizon))
        columns = x.shape[1]
        if columns < LANES:
            # One or two bumps would run in the scalar tail of a loop over scenarios; a full vector takes less time.
            x = np.concatenate([x, np.repeat(x[:, -1:], LANES - columns, axis=1)], axis=1)
        values = self._prepared[horizon].price(rows, x)
        return values if columns >= LANES else np.ascontiguousarray(values[:, :columns])

    def _set(self, measure: str, value: FloatArray, status: NDArray[np.uint8]) -> None:
        """A number for each trade whose status is OK, if the measure is wanted."""
        if measure in self._measures:
            self.part.values[measure] = np.where(status == OK, value, np.nan)
            self.part.statuses[measure] = status

    # -- failures

    def _fail(
        self, stage: str, what: str, rows: NDArray[np.int32], value: FloatArray, column: int | None = None
    ) -> None:
        """Note numbers that are not finite, or too large to be summed, each with what can be told of its cause.

        :param value: float64[m], the numbers; of the base scenario, or of one column.
        """
        horizon, where, x = 0, "", self._x0[:, None]
        if column is not None:
            scenarios = self._context.scenarios
            horizon, where = int(scenarios.horizon[column]), f" under {scenarios.names[column].as_py()!r}"
            x = scenarios.levels(self._x0, np.array([column]))
        lost = np.flatnonzero(~np.isfinite(value))
        causes = [""] * len(rows)
        if lost.size:
            found = self._prepared[horizon].why_not(rows[lost], np.ascontiguousarray(x))
            absent = without_level(self._context.snapshot, self._needs, rows[lost], x[:, 0])
            for k, cause, unknown in zip(lost.tolist(), found, absent, strict=True):
                causes[k] = unknown or cause
        converted = value * self.part.conversion[rows]
        messages = [
            f"{what} {trouble(*numbers)}{where}" + (f": {cause}" if cause else "")
            for cause, *numbers in zip(causes, value.tolist(), converted.tolist(), strict=True)
        ]
        self.part.fail_each(rows, stage, Reason.NUMERICAL, messages)

    def _fail_columns(
        self,
        stage: str,
        what: str,
        columns: NDArray[np.integer],
        rows: NDArray[np.int32],
        values: FloatArray,
    ) -> None:
        """Likewise in several columns: each trade by the first that is at fault.

        :param values: float64[m, len(columns)].
        """
        first = np.argmax(~(np.abs(values) <= LARGEST_TERM), axis=1)
        for k in np.unique(first).tolist():
            mine = np.flatnonzero(first == k)
            self._fail(stage, what, rows[mine], values[mine, k], int(columns[k]))

    # -- sensitivities

    @cached_property
    def _alive(self) -> NDArray[np.int32]:
        """Trades that have a value, in the order in which they are priced."""
        order = self._product.pricing_order(self._trades)
        return order[~self.bad[order]]

    @cached_property
    def _used(self) -> NDArray[np.bool_]:
        """bool[groups]: some trade depends on the group."""
        return self._needs.used(len(self._context.snapshot.groups))

    def _touched(self, columns: ColumnClass, *, converted: bool) -> NDArray[np.int32]:
        """Those of `_alive` that the columns move."""
        if columns.horizon:
            return self._alive
        groups = len(self._context.snapshot.groups)
        moved = self._needs.touched(columns.groups, groups, converted=converted)
        return self._alive[moved.take(self._alive)]

    def _family(self, family: Family) -> None:
        sums = FamilySums(family, self._measures, self.bad)
        every = self._context.classes(self._context.set_columns(family.name, *self._range))
        classes = [columns for columns in every if columns.horizon or self._used[columns.groups].any()]
        priced = [(columns, self._touched(columns, converted=False)) for columns in classes]
        if family.is_plain and family.total == "none":
            self._points(sums, priced)
        else:
            for columns, rows in priced:
                if len(rows):
                    self._subjects(sums, columns, rows)
        if family.translated:
            for columns, rows in priced:
                self._translations(sums, columns, rows)
        for total in sums.totals.values():
            converted = total * self.part.conversion
            unsummable = ~summable(np.stack([total, converted], axis=1)) & ~sums.broken
            lost = np.flatnonzero(unsummable).astype(np.int32)
            self._fail(family.name, family.name, lost, total[lost])
            sums.broken |= unsummable
        status = sums.status()
        for measure, total in sums.totals.items():
            self._set(measure, total, status)

    def _points(self, sums: FamilySums, priced: list[tuple[ColumnClass, NDArray[np.int32]]]) -> None:
        """As `_subjects`, of all classes of a family of plain changes that has no total: as many at once as may be."""
        touched = [
            (columns, rows, self._touched(columns, converted=True) if sums.family.translated else rows)
            for columns, rows in priced
            if len(rows)
        ]
        for group in together(touched, len(self._trades), LANES, CHUNK_CHANGES):
            x = self._context.levels_of(group.classes, LANES)
            values, fx = self._price(group.rows, x), self._fx.evaluate(x)
            if not np.isfinite(values).all():  # they are told one by one
                for columns, rows in group.members:
                    self._subjects(sums, columns, rows)
                continue
            first = 0
            for columns, rows in group.members:
                self._add_changes(sums, columns, rows, values[first : first + len(rows)], fx)
                first += len(rows)

    def _add_changes(
        self,
        sums: FamilySums,
        columns: ColumnClass,
        rows: NDArray[np.int32],
        values: FloatArray,
        fx: FloatArray,
    ) -> None:
        """:param values: float64[m, k], all finite; `fx`: float64[rates, k]; beyond the class's they do not count."""
        count, step = len(columns.columns), max(1, CHUNK_CHANGES // len(rows))
        for first in range(0, count, step):
            some = slice(first, min(first + step, count))
            moved = Moved(columns.columns[some], rows, values[:, some], self.base[rows])
            add_changes(self.part, sums, self._bumps, moved, (self._fx0, fx[:, some], self._fx_position))

    def _subjects(self, sums: FamilySums, columns: ColumnClass, rows: NDArray[np.int32]) -> None:
        """The numbers of those subjects whose columns are in one class, for the trades that these touch."""
        family, width = sums.family, sums.family.width
        count = len(columns.columns)
        x = self._context.levels_of((columns,), LANES)
        values = self._price(rows, x, columns.horizon)[:, :count]
        if family.is_plain and np.isfinite(values).all():
            self._add_changes(sums, columns, rows, values, self._fx.evaluate(x))
            return
        for first in range(0, count, width):
            mine = slice(first, first + width)
            subject = columns.columns[mine]
            shift = self._bumps.size(family, subject)
            at = self._own(family, subject[0], rows)
            own, bumped = rows[at], values[at, mine]
            numbers = sums.reduced(self.part, own, (self.base[own], bumped, shift))
            finite = np.logical_and.reduce([np.isfinite(v) for v in numbers.values()])
            if not finite.all():
                lost = np.flatnonzero(~finite & ~sums.broken[own])
                self._fail_columns(family.name, family.name, subject, own[lost], bumped[lost])
            added = sums.add(own, numbers, finite)
            if family.horizon:
                continue
            for measure, value in added.items():
                converted = value * self.part.conversion[own]
                if family.translated:
                    converted = self._translated(own, value, bumped[:, 0], converted, x[:, first : first + 1])
                self._keep(family, measure, subject[0], shift, (own, value, converted))

    def _keep(
        self,
        family: Family,
        measure: str,
        column: np.int64,
        shift: float,
        numbers: tuple[NDArray[np.int32], FloatArray, FloatArray],
    ) -> None:
        """A subject's numbers as rows: positions of trades, values in their currencies and in the base currency."""
        own, value, converted = numbers
        # On one point of a curve most trades do not depend: an exact zero has no row.
        kept = (value != 0.0) | (converted != 0.0) if family.total == "none" else np.ones(len(own), np.bool_)
        label = self._context.scenarios.names[int(column)].as_py()
        reported = self._bumps.reported(family, column, shift)
        found = Sensitivity(own[kept], label, measure, reported, family.shift_type, value[kept], converted[kept])
        self.part.sensitivities.append(found)

    def _translations(self, sums: FamilySums, columns: ColumnClass, priced: NDArray[np.int32]) -> None:
        """Numbers of the trades that the columns move in the base currency alone.

        :param priced: those that they move in their own.
        """
        touched = self._touched(columns, converted=True)
        if len(touched) == len(priced):
            return
        rows = np.setdiff1d(touched, priced)
        x = self._context.levels(columns.columns)
        still = np.zeros(len(rows))
        for k, column in enumerate(columns.columns):
            converted = self._translated(rows, still, self.base[rows], still, x[:, k : k + 1])
            shift = self._bumps.size(sums.family, columns.columns[k : k + 1])
            for measure in sums.add(rows, dict.fromkeys(sums.totals, still), np.ones(len(rows), np.bool_)):
                self._keep(sums.family, measure, column, shift, (rows, still, converted))

    def _translated(
        self, rows: NDArray[np.int32], value: FloatArray, bumped: FloatArray, converted: FloatArray, x: FloatArray
    ) -> FloatArray:
        """Changes in the base currency; where the exchange rate stays, and of what failed, as `converted` has them.

        :param value: changes in the trades' currencies. :param bumped: values under x, float64[n_factors, 1].
        """
        before, after = self._fx0[self._fx_position[rows], 0], self._fx.evaluate(x)[self._fx_position[rows], 0]
        moved = (after != before) & np.isfinite(value)
        return np.where(moved, bumped * after - self.base[rows] * before, converted)

    def _own(self, family: Family, column: np.int64, rows: NDArray[np.int32]) -> NDArray[np.int64] | slice:
        """Positions among `rows`, which a subject's columns touch, of the trades that it has numbers for."""
        if not family.by_first:
            return slice(None)
        group, groups = self._bumps.group(column), len(self._context.snapshot.groups)
        return np.flatnonzero(self._needs.touched(np.array([group]), groups, converted=False)[rows])

    # -- P&L

    def _pnl(self) -> None:
        """Of every set that has columns here; a measure of several fails where one of them does."""
        broken: dict[str, NDArray[np.bool_]] = {}
        for each in pnl_sets(self._context.scenarios.sets):
            wanted = self._context.set_columns(each.name, *self._range)
            if each.measure in self._measures and len(wanted):
                lost = self.pnl_under(each.name, wanted)
                broken[each.measure] = broken.get(each.measure, lost) | lost
        for measure, lost in broken.items():
            self._set(measure, np.zeros(len(lost)), np.where(lost, FAILED, OK))

    def pnl_under(self, set_name: str, wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Into `part`: P&L under some columns of a set, ascending; bool[n], of which trades there is none.

        A part of a set has none where the whole, priced before it, has none.
        """
        pnl = np.zeros((len(self._trades), len(wanted)))
        for columns in self._context.classes(wanted):
            priced = self._touched(columns, converted=False)
            translated = np.setdiff1d(self._touched(columns, converted=True), priced)
            if not len(priced) + len(translated):
                continue
            for first in range(0, len(columns.columns), TILE):
                tile = columns.columns[first : first + TILE]
                self._pnl_tile(pnl, np.searchsorted(wanted, tile), tile, (priced, translated), columns.horizon)
        broken = self.bad | ~summable(pnl)
        lost = np.flatnonzero(broken & ~self.bad)
        found = pnl_set(set_name)
        assert found is not None
        self._fail_columns(found.scenario_set, found.title, wanted, lost.astype(np.int32), pnl[lost])
        if found.whole.name in self.part.pnl:
            broken |= ~self.part.has_pnl(found.whole.name)
        pnl[broken] = np.nan
        self.part.pnl[set_name] = pnl
        return broken

    def _pnl_tile(
        self,
        pnl: FloatArray,
        targets: NDArray[np.int64],
        tile: NDArray[np.int64],
        rows: tuple[NDArray[np.int32], NDArray[np.int32]],
        horizon: int,
    ) -> None:
        """Fill in what trades gain under the scenarios of `tile`, into the columns `targets` of `pnl`.

        :param rows: trades that are priced, and those that it moves in the base currency alone: their values stay.
        """
        x = self._context.levels(tile)
        fx = self._fx.evaluate(x)
        step = max(1, CHUNK_VALUES // len(tile))
        for some, is_priced in zip(rows, (True, False), strict=True):
            for begin in range(0, len(some), step):
                chunk = some[begin : begin + step]
                still = self.base[chunk, None]
                values = self._price(chunk, x, horizon) if is_priced else np.repeat(still, len(tile), axis=1)
                pnl_into(values, self.base, fx, self._fx_position, self._fx0[:, 0], chunk, targets, pnl)
