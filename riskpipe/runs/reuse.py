"""What a new run takes over of an earlier one: trade by trade, when the portfolio has been surveyed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.inputs.opened import OpenedInputs
from riskpipe.plan.block import BlockState
from riskpipe.plan.dependants import Dependants
from riskpipe.plan.survey import Survey
from riskpipe.plan.trade_contents import trade_digests
from riskpipe.products.validation import read_trade_ids
from riskpipe.runs.earlier_run import EarlierRun
from riskpipe.runs.run_changes import Difference, RunChanges, factor_differences
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import read_parquet, write_parquet
from riskpipe.store.portfolio import TradeFile, read_rows
from riskpipe.store.records import BlockDone
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.trade_rows import ProductRows
from riskpipe.structs import asdict
from riskpipe.valuation.reuse_terms import REUSED_BLOCKS, REUSED_FILES, ReuseTerms, read_reuse
from riskpipe.valuation.spec import ValuationSpec

# What reading a trade's numbers and writing them again takes.
SECONDS_A_TRADE = 8e-6
_NAMED_EACH = 1000
"""Trades that are new, gone or amended are named one by one, up to so many of each."""

BLOCK_COLUMNS = (
    "block_id", "product", "path", "row_start", "row_stop", "scenario_start", "scenario_stop", "measures",
)  # fmt: skip


class ReusePlan(Struct, frozen=True):
    """:param taken: trades that are taken over; `priced`: the others that are to be valued."""

    earlier: EarlierRun
    changes: RunChanges
    differences: tuple[Difference, ...]
    taken: int
    priced: int
    blocks: pa.Table
    files: pa.Table

    @property
    def run_id(self) -> str:
        return self.earlier.folder.run_id

    def write(self, folder: RunFolder) -> dict[str, str]:
        """Put it beside the plan; name of the file -> SHA-256."""
        terms = ReuseTerms(
            self.run_id,
            self.changes.taken,
            {name: _first(self.earlier, name) for name in self.earlier.market.scenarios.sets},
            self.earlier.spec.stored_pnl,
        )
        value = {**self.to_json(), "terms": asdict(terms)}
        written = {
            folder.reused_blocks: write_parquet(folder.store, folder.reused_blocks, self.blocks).sha256,
            folder.reused_files: write_parquet(folder.store, folder.reused_files, self.files).sha256,
        }
        text = sealed(value)
        folder.store.write_bytes(folder.reuse, text)
        written[folder.reuse] = hashlib.sha256(text).hexdigest()
        return {path.rpartition("/")[2]: sha256 for path, sha256 in written.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.run_id,
            "taken_over": self.taken,
            "priced": self.priced,
            "differences": [asdict(each) for each in self.differences],
        }


def reuse_lines(reuse: ReusePlan, most: int = 12) -> Iterator[str]:
    """What is told before a run starts. :param most: so many differences by name."""
    yield f"{reuse.taken:,} trades are taken over of run {reuse.run_id}, {reuse.priced:,} are priced"
    for each in reuse.differences[:most]:
        name = f"{each.what} {each.name}".rstrip()
        yield f"{name}: {each.why} ({each.trades:,} trades)"
    if len(reuse.differences) > most:
        yield f"and {len(reuse.differences) - most:,} more differences: `riskpipe plan --since {reuse.run_id}` has all"


def reuse_table(folder: RunFolder, spec: ValuationSpec) -> pa.Table | None:
    """The table `reuse` of a run; None: it took nothing over."""
    if not spec.files_sha256.get(folder.reuse.rpartition("/")[2]):
        return None
    value = read_reuse(folder)
    constant = {"as_of_date": spec.as_of, "run_id": spec.run_id, "since_run_id": value["since"]}
    return pa.Table.from_pylist([{**constant, **each} for each in value["differences"]], SCHEMAS["reuse"])


def _first(earlier: EarlierRun, set_name: str) -> int:
    return int(earlier.market.scenarios.columns_of(set_name).start)


class Matching(Struct, dict=True):
    """The trades of a survey beside those of an earlier run.

    :param dependants: that were told by the survey.
    """

    earlier: EarlierRun
    changes: RunChanges
    inputs: OpenedInputs
    dependants: Dependants
    survey: Survey
    _rows: dict[str, ProductRows] = field(default_factory=dict)

    @cached_property
    def _earlier_rows(self) -> dict[str, ProductRows]:
        files = self.earlier.spec.files.values()
        return {name: ProductRows(f for f in files if f.product == name) for name in {f.product for f in files}}

    def _rows_of(self, product: str) -> ProductRows:
        if product not in self._rows:
            self._rows[product] = ProductRows(file for file in self.inputs.files if file.product == product)
        return self._rows[product]

    # -- trades

    @cached_property
    def _now(self) -> pa.Table:
        return self.survey.contents

    @cached_property
    def _touched(self) -> NDArray[np.bool_]:
        """bool[rows], as the survey came by them: it depends on a change, or is in quarantine."""
        found = np.concatenate([np.zeros(0, np.bool_), *(mask for _, mask in self.dependants.found)])
        return found | bool(self.changes.everything) | (not self.changes.taken)

    @cached_property
    def _place(self) -> NDArray[np.int64]:
        """int64[rows]: the row of the earlier contents with the same id; -1: there is none."""
        before, now = self.earlier.contents["trade"].to_numpy(), self._now["trade"].to_numpy()
        order = np.argsort(before, kind="stable")
        at = np.searchsorted(before[order], now)
        there = at < len(before)
        place = np.full(len(now), -1, np.int64)
        place[there] = np.where(before[order[at[there]]] == now[there], order[at[there]], -1)
        return place

    @cached_property
    def _amended(self) -> NDArray[np.bool_]:
        """bool[rows], of those that there were before."""
        before, now = self.earlier.contents["content"].to_numpy(), self._now["content"].to_numpy()
        known = self._place >= 0
        amended = np.zeros(len(now), np.bool_)
        amended[known] = before[self._place[known]] != now[known]
        return amended

    @cached_property
    def _failed(self) -> NDArray[np.bool_]:
        """bool[rows]: the earlier run lacks numbers of it."""
        ids = self.earlier.failed.drop_null()
        return np.isin(self._now["trade"].to_numpy(), trade_digests(ids) if len(ids) else np.empty(0, np.uint64))

    @cached_property
    def taken(self) -> NDArray[np.bool_]:
        """bool[rows]: their numbers are taken over."""
        known = (self._place >= 0) & ~self._amended & ~self._failed & ~self._touched
        rows = np.flatnonzero(known)
        for blocks in self._earlier_blocks.values():
            known[rows] &= blocks.holding(self._earlier_numbers[rows]) >= 0
        return known

    @cached_property
    def _earlier_numbers(self) -> NDArray[np.int64]:
        """int64[rows]: the row's number in the earlier run, through all products; -1 where there is none."""
        contents = self.earlier.contents
        paths = contents["path"].combine_chunks()
        codes = paths.indices.to_numpy()
        start = np.searchsorted(codes, np.arange(len(paths.dictionary)))  # file after file
        first = np.array([self._offset(path) for path in paths.dictionary.to_pylist()], np.int64)
        numbers = first[codes] + np.arange(len(codes)) - start[codes]
        return np.where(self._place >= 0, np.append(numbers, -1)[self._place], -1)

    def _offset(self, path: str) -> int:
        """The number of an earlier file's first row: products follow each other."""
        product = path.partition("/")[0]
        return self._product_offset[product] + self._earlier_rows[product].first_of(path)

    @cached_property
    def _product_offset(self) -> dict[str, int]:
        names = sorted(self._earlier_rows)
        sizes = [len(self._earlier_rows[name]) for name in names]
        return dict(zip(names, np.concatenate([[0], np.cumsum(sizes)]).tolist(), strict=False))

    @cached_property
    def _earlier_blocks(self) -> dict[int, _Blocks]:
        """Blocks of the earlier run whose outputs are whole and in place, by their first column."""
        state, plan = self.earlier.run.state, self.earlier.run.plan
        table = plan.columns(*BLOCK_COLUMNS)
        ids = table["block_id"].to_pylist()
        starts = table["scenario_start"].to_numpy()
        first = np.array([self._offset(path) for path in table["path"].to_pylist()], np.int64)
        low, high = first + table["row_start"].to_numpy(), first + table["row_stop"].to_numpy()
        sound = state.status == BlockState.DONE
        sound &= np.array([name not in state.children and name not in self.earlier.lost for name in ids], np.bool_)
        wanted = set(self.changes.taken)
        useful = np.array([bool(wanted & set(measures)) for measures in table["measures"].to_pylist()], np.bool_)
        found = {}
        for start in np.unique(starts[useful]).tolist():
            mine = np.flatnonzero((starts == start) & sound)
            mine = mine[np.argsort(low[mine])]
            found[start] = _Blocks(mine, low[mine], high[mine])
        return found

    # -- the plan's blocks

    @cached_property
    def _numbers_of_files(self) -> dict[str, int]:
        """Where, among the survey's rows, each file's begin."""
        found: dict[str, int] = {}
        at = 0
        for piece, mask in self.dependants.found:
            found.setdefault(piece.file.path, at)
            at += len(mask)
        return found

    def _range(self, product: str, path: str, start: int, stop: int) -> NDArray[np.int64]:
        """int64[stop - start]: positions among the survey's rows of a block's."""
        rows = self._rows_of(product)
        first = rows.first_of(path)
        pieces = rows.pieces(first + start, first + stop)
        parts = [np.arange(piece.start, piece.stop) + self._numbers_of_files[piece.file.path] for piece in pieces]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def scaled(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Blocks that are projected to take as long as their trades that are priced."""
        for table in tables:
            seconds = table["projected_seconds"].to_numpy().copy()
            columns = (table[name].to_pylist() for name in ("product", "path", "row_start", "row_stop"))
            for k, block in enumerate(zip(*columns, strict=True)):
                taken = int(self.taken[self._range(*block)].sum())
                share = taken / max(block[3] - block[2], 1)
                seconds[k] = seconds[k] * (1.0 - share) + taken * SECONDS_A_TRADE
            index = table.schema.get_field_index("projected_seconds")
            yield table.set_column(index, table.schema.field(index), pa.array(seconds))

    def plan(self, blocks: pa.Table) -> ReusePlan:
        """:param blocks: of the plan, `BLOCK_COLUMNS`."""
        rows: dict[str, list[Any]] = {name: [] for name in REUSED_BLOCKS.names}
        used: set[int] = set()
        columns = [blocks[name].to_pylist() for name in ("block_id", "product", "path", "row_start", "row_stop")]
        ranges = zip(blocks["scenario_start"].to_pylist(), blocks["scenario_stop"].to_pylist(), strict=True)
        measures = blocks["measures"].to_pylist()
        for (block_id, *where), asked, scenarios in zip(zip(*columns, strict=True), measures, ranges, strict=True):
            at = self._range(*where)
            mask = self.taken[at]
            if not mask.any() or not set(asked) & set(self.changes.taken):
                continue
            numbers = self._earlier_numbers[at[mask]]
            held = self._holding(numbers, asked)
            did_all = [k for k in held if self._same(k, numbers, asked, scenarios)] if mask.all() else []
            held = did_all or held
            used.update(held)
            rows["block_id"].append(block_id)
            rows["earlier"].append([self.earlier.run.plan.id_at(k) for k in held])
            rows["taken"].append(np.packbits(mask).tobytes())
            rows["trades"].append(int(mask.sum()))
            rows["whole"].append(bool(did_all))
        taken = int(self.taken.sum())
        return ReusePlan(
            self.earlier,
            self.changes,
            tuple(self._differences()),
            taken,
            self.survey.selected - len(self.survey.quarantine.table()) - taken,
            pa.table(rows, schema=REUSED_BLOCKS),
            self._files(used),
        )

    def _holding(self, numbers: NDArray[np.int64], asked: Sequence[str]) -> list[int]:
        """Earlier blocks, ascending, that made some of these measures of some rows, under whatever columns.

        :param numbers: int64[n], of the rows in the earlier run.
        """
        found = (np.unique(blocks.holding(numbers)) for blocks in self._earlier_blocks.values())
        wanted = set(asked) & set(self.changes.taken)
        held = {int(k) for some in found for k in some if k >= 0}
        return sorted(k for k in held if wanted & set(self._earlier_ranges[k][-1]))

    def _same(self, index: int, numbers: NDArray[np.int64], asked: Sequence[str], scenarios: tuple[int, int]) -> bool:
        """Whether an earlier block has these rows, measures and columns, and no others, and left the same tables.

        :param numbers: int64[n], of rows in the earlier run. :param scenarios: first and last (exclusive) column.
        """
        if not self._tables_alike or not set(asked) <= set(self.changes.taken):
            return False
        low, high, start, stop, did = self._earlier_ranges[index]
        if (start, stop) != scenarios or list(did) != list(asked) or len(numbers) != high - low:
            return False
        return bool(numbers[0] == low and (np.diff(numbers) == 1).all())

    @cached_property
    def _tables_alike(self) -> bool:
        """Columns lie where they lay, and every table has the columns that it had."""
        before, now = self.earlier.market.scenarios, self.inputs.scenarios.columns
        columns = [{name: each.columns_of(name) for name in each.sets} for each in (before, now)]
        spec = self.earlier.spec
        kept = spec.stored_pnl == self.changes.stored and spec.trade_columns == self.inputs.trade_columns
        # Some leave rows of their own beside those of the block's measures.
        return kept and columns[0] == columns[1] and set(spec.measures) == set(self.inputs.settings.measures)

    @cached_property
    def _earlier_ranges(self) -> list[tuple[int, int, int, int, list[str]]]:
        """Rows, by their number in the earlier run, columns and measures of its blocks."""
        table = self.earlier.run.plan.columns(*BLOCK_COLUMNS)
        first = [self._offset(path) for path in table["path"].to_pylist()]
        names = ("row_start", "row_stop", "scenario_start", "scenario_stop", "measures")
        of_blocks = zip(first, *(table[name].to_pylist() for name in names), strict=True)
        return [(at + low, at + high, start, stop, did) for at, low, high, start, stop, did in of_blocks]

    def _files(self, used: Collection[int]) -> pa.Table:
        """The files of blocks of the earlier run, as its ledger has them."""
        run = self.earlier.run
        starts = run.plan.columns("scenario_start")["scenario_start"].to_numpy()
        wanted = {run.plan.id_at(index): int(starts[index]) for index in used}
        done = {
            record.block_id: record
            for record in read_ledger(run.folder)
            if isinstance(record, BlockDone) and record.block_id in wanted
        }
        rows = []
        for block_id in sorted(done):
            record = done[block_id]
            numbers = {"ok": record.ok, "not_applicable": record.not_applicable}
            common = {"block_id": block_id, "scenario_start": wanted[block_id], **numbers}
            for table, file in record.outputs.items():
                rows.append({**common, "table": table, **asdict(file)})
            rows += ({**common, "table": "scenario_pnl", **asdict(piece)} for piece in record.vectors)
        return pa.Table.from_pylist(rows, REUSED_FILES)

    # -- what is told

    def _differences(self) -> Iterator[Difference]:
        everything = len(self._now)
        for name, why in self.changes.everything.items():
            yield Difference("convention", name, why, everything)
        for product, why in self.changes.products.items():
            yield Difference("convention", f"product {product}", why, self.dependants.by_product.get(product, 0))
        for name in self.changes.conventions:
            yield Difference("convention", name, "changed", self.dependants.by_cause.get(name, 0))
        for measure, why in self.changes.fresh.items():
            yield Difference("measure", measure, why, everything)
        for measure in self.changes.dropped:
            yield Difference("measure", measure, "not asked for any more", 0)
        yield from factor_differences(self.changes, self.inputs, self.dependants.counts)
        for number in self.changes.market.gone:
            group = self.earlier.market.snapshot.groups[number]
            trades = int(self.dependants.gone_counts[number])
            yield Difference("factor", f"{group.kind}:{group.name}", "gone", trades)
        yield from self._trades()

    def _trades(self) -> Iterator[Difference]:
        new, sound = self._place < 0, self._place >= 0
        yield from self._named(np.flatnonzero(new), "new")
        yield from self._named(np.flatnonzero(self._amended), "amended")
        yield from self._named(np.flatnonzero(self._failed & sound & ~self._amended), "without some number before")
        gone = ~np.isin(self.earlier.contents["trade"].to_numpy(), self._now["trade"].to_numpy())
        yield from _gone(self.earlier, np.flatnonzero(gone))

    def _named(self, rows: NDArray[np.int64], why: str) -> Iterator[Difference]:
        if len(rows) > _NAMED_EACH:
            yield Difference("trade", "", why, len(rows))
            return
        if not len(rows):
            return
        starts = np.array(list(self._numbers_of_files.values()))
        paths = list(self._numbers_of_files)
        files = {file.path: file for file in self.inputs.files}
        which = np.searchsorted(starts, rows, side="right") - 1
        for k in np.unique(which).tolist():
            mine = rows[which == k] - starts[k]
            for trade_id in _ids(self.inputs, files[paths[k]], mine):
                yield Difference("trade", trade_id, why, 1)


def _ids(inputs: OpenedInputs, file: TradeFile, rows: NDArray[np.int64]) -> list[str]:
    table = read_rows(inputs.portfolio, file, int(rows[0]), int(rows[-1]) + 1, ["trade_id"])
    return [str(name or "") for name in read_trade_ids(table.take(pa.array(rows - rows[0])))]


def _gone(earlier: EarlierRun, rows: NDArray[np.int64]) -> Iterator[Difference]:
    """Trades that there are no more: named by the earlier run's own rows, for their files may be gone."""
    if not len(rows):
        return
    if len(rows) <= _NAMED_EACH:
        digests = earlier.contents["trade"].to_numpy()[rows]
        run, found = earlier.run, []
        for index, _, sha256 in run.state.files.files("valuations"):
            if isinstance(index, str):
                continue
            path = run.folder.block_output("valuations", run.plan.id_at(index))
            ids = pc.unique(read_parquet(run.folder.store, path, ["trade_id"], sha256)["trade_id"])
            found += ids.filter(pa.array(np.isin(trade_digests(pa.chunked_array([ids])), digests))).to_pylist()
        if len(set(found)) == len(rows):
            for trade_id in sorted(set(found)):
                yield Difference("trade", trade_id, "gone", 1)
            return
    yield Difference("trade", "", "gone", len(rows))


class _Blocks(Struct, frozen=True):
    """Blocks of one range of scenarios. :param index: in the plan. :param low, high: rows, half open, ascending."""

    index: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def holding(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[n]: which block holds each row; -1: none."""
        if not len(self.index):
            return np.full(len(numbers), -1, np.int64)
        at = np.searchsorted(self.low, numbers, side="right") - 1
        inside = (at >= 0) & (numbers < self.high[at])
        return np.where(inside, self.index[at], -1)
