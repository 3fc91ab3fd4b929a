"""Values of some trades under a block's columns, and what the measures make of them.

Nothing here knows of files or blocks. Each number depends on its own trade and its own columns alone, so any cut of
the trades, and of P&L columns, gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason, described, is_interrupt, out_of_memory
from riskpipe.kernels.pnl import pnl_into
from riskpipe.kernels.sums import LARGEST_TERM, summable
from riskpipe.measures.catalogue import PNL_SETS, families
from riskpipe.measures.families import Family
from riskpipe.products.base import Prepared, Product
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.trades import Trades
from riskpipe.store.process import hold_standard_descriptors
from riskpipe.valuation.bumps import FirstBumps
from riskpipe.valuation.context import ColumnClass, Context
from riskpipe.valuation.part import FAILED, NOT_APPLICABLE, OK, SEVERAL, Part, Sensitivity

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

    :raises Exception: whatever the product's code raises; see `isolate`.
    """
    return _Valuation(context, product, trades, measures, start, stop).run()


def isolate(trades: Trades, value: Callable[[Trades], Part]) -> Iterator[Part]:
    """`value(trades)`; when that raises, the halves of it, down to the trades that raise by themselves.

    Whatever a product raises, `sys.exit()` too; but MemoryError and Ctrl-C are not the trades' fault and are raised.
    """
    failure = ""
    try:
        with np.errstate(all="ignore"):  # what is not finite in the end becomes a failure with its trade's name
            part = value(trades)
    except BaseException as error:
        if out_of_memory(error) or is_interrupt(error):
            raise
        failure = described(error)
    finally:
        hold_standard_descriptors()
    if not failure:
        yield part
        return
    if len(trades) == 1:
        yield _failed(trades, failure)
        return
    middle = len(trades) // 2
    yield from isolate(trades.slice(0, middle), value)
    yield from isolate(trades.slice(middle, len(trades)), value)


def _failed(trades: Trades, message: str) -> Part:
    part = Part(trades, [None] * len(trades), np.full(len(trades), np.nan))
    part.fail(np.arange(len(trades)), "price", Reason.PRICING_ERROR, message)
    return part


def _trouble(value: float, converted: float) -> str:
    """:param converted: `value` in the base currency."""
    number = value if abs(value) > LARGEST_TERM else converted
    if math.isfinite(value) and abs(number) > LARGEST_TERM and math.isfinite(number):
        return f"is {number:.3g}, too large for exact sums, which end at {LARGEST_TERM:.1e}"
    return "is not a finite number"


class _FamilySums:
    """What the numbers of a family's subjects add up to, by the trades' positions.

    :ivar totals: measure that is wanted -> float64[n], NaN where a number of a subject is none.
    :ivar subjects: int64[n], how many subjects the trade depends on.
    :ivar broken: bool[n], trades that have no total: by a subject, or from the beginning.
    """

    def __init__(self, family: Family, measures: tuple[str, ...], bad: NDArray[np.bool_]) -> None:
        self.family = family
        self.totals = {m: np.zeros(len(bad)) for m in family.measures if m in measures}
        self.subjects = np.zeros(len(bad), np.int64)
        self.broken = bad.copy()

    def add(
        self, rows: NDArray[np.int32], numbers: Mapping[str, FloatArray], finite: NDArray[np.bool_]
    ) -> dict[str, FloatArray]:
        """Add one subject's numbers, each by measure float64[m] of the trades at `rows`.

        :param finite: bool[m], trades all of whose numbers are.
        :return: the numbers that were added.
        """
        self.broken[rows[~finite]] = True
        self.subjects[rows] += 1
        added = {measure: np.where(finite, numbers[measure], np.nan) for measure in self.totals}
        for measure, total in self.totals.items():
            total[rows] += added[measure]
        return added

    def status(self) -> NDArray[np.uint8]:
        """uint8[n]"""
        good = np.where(self.subjects == 0, NOT_APPLICABLE, OK)
        if self.family.total == "only":
            good = np.where(self.subjects > 1, SEVERAL, good)
        return np.where(self.broken, FAILED, good)


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
        self._bumps = FirstBumps(context.scenarios, context.snapshot)
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
        for family in families(self._measures):
            self._family(family)
        for measure, set_name in PNL_SETS.items():
            if measure in self._measures:
                self._pnl(measure, set_name)
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
            absent = self._without_level(rows[lost], x[:, 0])
            for k, cause, unknown in zip(lost.tolist(), found, absent, strict=True):
                causes[k] = unknown or cause
        converted = value * self.part.conversion[rows]
        messages = [
            f"{what} {_trouble(*numbers)}{where}" + (f": {cause}" if cause else "")
            for cause, *numbers in zip(causes, value.tolist(), converted.tolist(), strict=True)
        ]
        self.part.fail_each(rows, stage, Reason.NUMERICAL, messages)

    def _without_level(self, rows: NDArray[np.int32], levels: FloatArray) -> list[str]:
        """For each trade a factor that it depends on and that has no level; nothing where all have one.

        :param levels: float64[n_factors].
        """
        absent = np.flatnonzero(np.isnan(levels))
        if not absent.size:
            return [""] * len(rows)
        snapshot = self._context.snapshot
        first = np.full(len(snapshot.groups) + 1, -1)  # the last element is that of trades without a group
        first[snapshot.group_of_factor[absent[::-1]]] = absent[::-1]
        found = np.full(len(rows), -1)
        for column in (*self._needs.pricing, *self._needs.conversion):
            found = np.where(found < 0, first[column[rows]], found)
        ids = snapshot.factor_ids
        return ["" if k < 0 else f"{ids[k]} has no level there, `riskpipe check` says why" for k in found.tolist()]

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
    def _order(self) -> NDArray[np.int32]:
        return self._product.pricing_order(self._trades)

    def _touched(self, columns: ColumnClass, *, converted: bool) -> NDArray[np.int32]:
        """Trades that the columns move, less those without a value, in the order in which they are priced."""
        moved = np.ones(len(self._trades), np.bool_)
        if not columns.horizon:
            groups = len(self._context.snapshot.groups)
            moved = self._needs.touched(columns.groups, groups, converted=converted)
        return self._order[(moved & ~self.bad)[self._order]]

    def _family(self, family: Family) -> None:
        sums = _FamilySums(family, self._measures, self.bad)
        for columns in self._context.classes(self._context.set_columns(family.name, *self._range)):
            rows = self._touched(columns, converted=False)
            if len(rows):
                self._subjects(sums, columns, rows)
            if family.translated:
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

    def _subjects(self, sums: _FamilySums, columns: ColumnClass, rows: NDArray[np.int32]) -> None:
        """The numbers of those subjects whose columns are in one class, for the trades that these touch."""
        family, width = sums.family, sums.family.width
        x = self._context.levels(columns.columns)
        values = self._price(rows, x, columns.horizon)
        for first in range(0, len(columns.columns), width):
            mine = slice(first, first + width)
            subject = columns.columns[mine]
            shift = self._bumps.size(family, subject)
            at = self._own(family, subject[0], rows)
            own, bumped = rows[at], values[at, mine]
            numbers = family.reduce(self.base[own], bumped, shift)
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

    def _translations(self, sums: _FamilySums, columns: ColumnClass, priced: NDArray[np.int32]) -> None:
        """Numbers of the trades that the columns move in the base currency alone.

        :param priced: those that they move in their own.
        """
        rows = np.setdiff1d(self._touched(columns, converted=True), priced)
        if not len(rows):
            return
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

    def _pnl(self, measure: str, set_name: str) -> None:
        within = self._context.set_columns(set_name, *self._range)
        pnl = np.zeros((len(self._trades), within.stop - within.start))
        for columns in self._context.classes(within):
            rows = self._touched(columns, converted=True)
            for first in range(0, len(columns.columns), TILE):
                tile = columns.columns[first : first + TILE]
                self._pnl_tile(pnl, tile - within.start, tile, rows, columns.horizon)
        broken = self.bad | ~summable(pnl)
        lost = np.flatnonzero(broken & ~self.bad)
        within_set = np.arange(within.start, within.stop)
        self._fail_columns(set_name, f"a {set_name} P&L", within_set, lost.astype(np.int32), pnl[lost])
        pnl[broken] = np.nan
        self.part.pnl[set_name] = pnl
        self._set(measure, np.zeros(len(pnl)), np.where(broken, FAILED, OK))

    def _pnl_tile(
        self,
        pnl: FloatArray,
        targets: NDArray[np.int64],
        tile: NDArray[np.int64],
        rows: NDArray[np.int32],
        horizon: int,
    ) -> None:
        """Fill in what the trades at `rows` gain under the scenarios of `tile`, into the columns `targets` of `pnl`."""
        x = self._context.levels(tile)
        fx = self._fx.evaluate(x)
        step = max(1, CHUNK_VALUES // len(tile))
        for begin in range(0, len(rows), step):
            chunk = rows[begin : begin + step]
            values = self._price(chunk, x, horizon)
            pnl_into(values, self.base, fx, self._fx_position, self._fx0[:, 0], chunk, targets, pnl)
