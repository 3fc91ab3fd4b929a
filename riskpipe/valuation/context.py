"""What a worker process opens once: snapshot, scenarios, catalogue, quarantine; nothing bulky is sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Failure, Reason
from riskpipe.kernels.sums import BYTES_A_SUM
from riskpipe.market.model import MarketModel
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.families import Family
from riskpipe.measures.summed_columns import all_summed, summed_columns
from riskpipe.plan.block import Block
from riskpipe.plan.selection import Selection, parse_selection
from riskpipe.products.base import Product
from riskpipe.products.catalogue import catalogue
from riskpipe.store.local_files import local_file
from riskpipe.store.location import open_store
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.trade_rows import ProductRows
from riskpipe.valuation.bumps import FirstBumps
from riskpipe.valuation.recent_rows import RecentRows
from riskpipe.valuation.recent_vectors import RecentVectors
from riskpipe.valuation.reuse_terms import Reuse, ReuseTerms, read_reuse
from riskpipe.valuation.spec import read_spec

LEVELS_BYTES = 64 << 20


class ColumnClass(Struct, frozen=True):
    """Columns of one scenario set that touch the same factor groups: priced for the trades that depend on any of them.

    :param columns: int64[k], positions in the ScenarioSet, ascending.
    :param groups: int64[g], factor groups touched.
    :param horizon: calendar days forward; when not 0 every trade is touched.
    """

    columns: NDArray[np.int64]
    groups: NDArray[np.int64]
    horizon: int

    def missing(self, lanes: int) -> int:
        """Columns to a multiple of `lanes`."""
        return -len(self.columns) % lanes


class Context:
    """The opened inputs of one run."""

    def __init__(self, folder: RunFolder) -> None:
        self.store = folder.store
        self.folder = folder
        self.spec = read_spec(folder)
        self.portfolio = open_store(self.spec.portfolio)
        self.recent_rows = RecentRows(self.portfolio)
        self.recent_vectors = RecentVectors()
        self.snapshot = MarketSnapshot.open(self._local(folder.market))
        self.scenarios = ScenarioSet.open(self._local(folder.scenarios))
        self.products: Mapping[str, Product] = catalogue()
        self._models: dict[int, MarketModel] = {}
        self._rows: dict[str, ProductRows] = {}
        self._numbered: dict[str, tuple[NDArray[np.int64], pa.Table]] = {}
        self._classes: dict[bytes, tuple[ColumnClass, ...]] = {}
        self._levels: dict[bytes, FloatArray] = {}
        self._levels_bytes = 0

    def _local(self, path: str) -> str:
        pieces = self.spec.pieces_sha256.get(path.rpartition("/")[2], ())
        return local_file(self.store, path, self._sha256(path), pieces)

    def _sha256(self, path: str) -> str:
        return self.spec.files_sha256.get(path.rpartition("/")[2], "")

    def verify(self) -> None:
        """Look again at the files that everything rests on. :raises StorageError: one is not what was written."""
        read_spec(self.folder)
        for path in (self.folder.market, self.folder.scenarios):
            self._local(path)
        read_parquet(self.store, self.folder.quarantine, [], self._sha256(self.folder.quarantine))

    def model(self, horizon: int = 0) -> MarketModel:
        if horizon not in self._models:
            self._models[horizon] = MarketModel(self.snapshot, self.spec.conventions, horizon)
        return self._models[horizon]

    @cached_property
    def bumps(self) -> FirstBumps:
        return FirstBumps(self.scenarios, self.snapshot)

    @cached_property
    def flow_model(self) -> MarketModel:
        """Today's market, for cash flows."""
        return MarketModel(self.snapshot, self.spec.conventions, by_flow=True)

    @cached_property
    def reuse(self) -> Reuse | None:
        """What is taken over of an earlier run; None: nothing is."""
        if not self._sha256(self.folder.reuse):
            return None
        found = read_reuse(self.folder)
        value = found["terms"]
        terms = ReuseTerms(value["run_id"], tuple(value["measures"]), value["sets"], tuple(value["stored"]))
        counts = {name: found[name] for name in ("since", "taken_over", "priced")}
        return Reuse(self.folder, terms, counts, self._sha256)

    @cached_property
    def selection(self) -> Selection:
        return parse_selection([",".join(terms) for terms in self.spec.selection])

    @cached_property
    def _quarantine(self) -> pa.Table:
        return read_parquet(self.store, self.folder.quarantine, sha256=self._sha256(self.folder.quarantine))

    def rows_of(self, product: str) -> ProductRows:
        """The rows of a product's trade files, numbered through."""
        if product not in self._rows:
            files = (file for file in self.spec.files.values() if file.product == product)
            self._rows[product] = ProductRows(files)
        return self._rows[product]

    def first_row(self, block: Block) -> int:
        """The number in `rows_of` of the row that a block counts its rows from."""
        return self.rows_of(block.product).first_of(block.path)

    def quarantined(self, block: Block) -> dict[int, Failure]:
        """Row of the block, as the block counts them -> why it gets no numbers."""
        rows, table = self._quarantined(block)
        reasons, messages = (table.column(name).to_pylist() for name in ("reason", "message"))
        return {
            row: Failure(Reason(reason), message)
            for row, reason, message in zip(rows.tolist(), reasons, messages, strict=True)
        }

    def doubled(self, block: Block) -> NDArray[np.int64]:
        """Rows of the block whose trade ids are those of other rows too."""
        rows, table = self._quarantined(block)
        return np.asarray(rows[table.column("doubled").to_numpy()])

    def _quarantined(self, block: Block) -> tuple[NDArray[np.int64], pa.Table]:
        """The quarantined rows of a block, ascending, and the table's rows about them."""
        numbers, table = self._quarantine_of(block.product)
        first = self.first_row(block)
        start, stop = np.searchsorted(numbers, [first + block.row_start, first + block.row_stop])
        return numbers[start:stop] - first, table.slice(start, stop - start)

    def _quarantine_of(self, product: str) -> tuple[NDArray[np.int64], pa.Table]:
        """What is quarantined of a product, with the rows' numbers in `rows_of`, ascending."""
        if product not in self._numbered:
            table = self._quarantine.filter(pc.starts_with(self._quarantine.column("path"), f"{product}/"))
            paths = table.column("path").combine_chunks().dictionary_encode()
            first = np.array([self.rows_of(product).first_of(path) for path in paths.dictionary.to_pylist()], np.int64)
            numbers = first[paths.indices.to_numpy()] + table.column("row").to_numpy()
            self._numbered[product] = (numbers, table)  # the table is ordered by path and row
        return self._numbered[product]

    def set_columns(self, set_name: str, start: int, stop: int) -> NDArray[np.int64]:
        """The set's columns within [start, stop) of the ScenarioSet, ascending; none if it has none there."""
        if set_name not in self.scenarios.sets:
            return np.empty(0, np.int64)
        whole = self.scenarios.columns_of(set_name)
        return np.arange(max(whole.start, start), min(whole.stop, stop))

    def has_whole_set(self, set_name: str, start: int, stop: int) -> bool:
        """Whether there is such a set, and all of its columns are in [start, stop)."""
        if set_name not in self.scenarios.sets:
            return False
        whole = self.scenarios.columns_of(set_name)
        return bool(start <= whole.start and whole.stop <= stop)

    def bumped_groups(self, family: Family, start: int, stop: int) -> NDArray[np.int64]:
        """Groups that trades have numbers of a family by, in its columns within [start, stop)."""
        columns = self.set_columns(family.name, start, stop)
        if not family.by_first:
            return np.unique(self.scenarios.touched_groups(columns, self.snapshot)[1]).astype(np.int64)
        return np.unique([self.bumps.group(column) for column in columns[:: family.width]]).astype(np.int64)

    @property
    def bytes_a_book(self) -> int:
        """What the sums of one book take."""
        summed = all_summed(self.scenarios, self.spec.measures)
        return BYTES_A_SUM * sum(summed_columns(self.scenarios, what) for what in summed)

    def levels(self, columns: NDArray[np.int64]) -> FloatArray:
        """float64[n_factors, m]: every factor's level in some columns; not to be written to.

        All blocks ask for the same columns, in the same tiles, and a short block's pricing takes less than filling
        them: they are kept, as far as `LEVELS_BYTES` go.
        """
        name = columns.tobytes()
        known = self._levels.get(name)
        if known is not None:
            return known
        levels = self.scenarios.levels(self.snapshot.x0, columns)
        self._keep(name, levels)
        return levels

    def levels_of(self, classes: tuple[ColumnClass, ...], lanes: int) -> FloatArray:
        """Likewise, in the columns of classes that move different trades: those of all classes side by side in the same
        places, each class's last one again until there is a multiple of `lanes` of them, as many for all.
        """
        filled = [np.append(each.columns, np.repeat(each.columns[-1:], each.missing(lanes))) for each in classes]
        if len(filled) == 1:
            return self.levels(filled[0])
        name = b"together" + b"".join(columns.tobytes() for columns in filled)
        if name not in self._levels:
            x0 = self.snapshot.x0
            levels = self.scenarios.levels(x0, filled[0])
            for columns in filled[1:]:
                own = self.scenarios.levels(x0, columns)
                moved = (own != x0[:, None]).any(axis=1)
                levels[moved] = own[moved]
            self._keep(name, levels)
            return levels
        return self._levels[name]

    def _keep(self, name: bytes, levels: FloatArray) -> None:
        if self._levels_bytes + levels.nbytes <= LEVELS_BYTES:
            self._levels[name] = levels
            self._levels_bytes += levels.nbytes

    def classes(self, columns: NDArray[np.int64]) -> tuple[ColumnClass, ...]:
        """The columns, ascending, by what they touch; those that touch most of the market make one class together."""
        key = columns.tobytes()
        if key not in self._classes:
            self._classes[key] = tuple(self._classify(columns))
        return self._classes[key]

    def _classify(self, columns: NDArray[np.int64]) -> list[ColumnClass]:
        indptr, groups = self.scenarios.touched_groups(columns, self.snapshot)
        members: dict[tuple[int, bytes], list[int]] = {}
        wide = len(self.snapshot.groups) // 2
        for k, column in enumerate(columns):
            touched = groups[indptr[k] : indptr[k + 1]]
            name = b"wide" if len(touched) > wide else touched.tobytes()
            members.setdefault((int(self.scenarios.horizon[column]), name), []).append(k)
        classes = []
        for (horizon, _), ks in members.items():
            touched = np.unique(np.concatenate([groups[indptr[k] : indptr[k + 1]] for k in ks]))
            classes.append(ColumnClass(columns[ks], touched.astype(np.int64), horizon))
        return classes


@lru_cache(maxsize=2)
def open_context(root: str, run_id: str) -> Context:
    """The context of a run, once a process."""
    return Context(RunFolder(open_store(root), run_id))
