"""Who surveys the pieces of a portfolio: this process, others of this machine, or the workers of the run's cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.clusters.local import Local
from riskpipe.clusters.process_map import process_map
from riskpipe.config.models import Settings
from riskpipe.plan.piece_files import PieceFiles
from riskpipe.plan.portfolio_pieces import Mapper, in_turn
from riskpipe.runs.clusters import cluster_request
from riskpipe.store.layout import PLANNING
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder

#: Surveying fewer takes about as long as starting a process for it does.
ROWS_A_PROCESS = 1_000_000
#: What a process holds at most.
PROCESS_BYTES = 2**30


class PlanningWorkers(Struct, frozen=True):
    """Where a portfolio is surveyed.

    :param rows: of all trade files. :param run: that is planned, whose cluster may do it; None: there is no run yet.
    """

    settings: Settings
    rows: int
    run: RunFolder | None = None

    @contextmanager
    def files(self) -> Iterator[PieceFiles]:
        """Where pieces leave what they find, as long as the context lasts.

        :raises StorageError: the run's output cannot be written to.
        """
        if self.run is None or not self._on_cluster:
            with tempfile.TemporaryDirectory(prefix="riskpipe-pieces-") as directory:
                yield PieceFiles(open_store(directory), "pieces")
            return
        # Under the lease: what is there is of a planning that was killed.
        self.run.store.delete_tree(PLANNING)
        try:
            yield PieceFiles(self.run.store, f"{PLANNING}/{self.run.run_id}")
        finally:
            self.run.store.delete_tree(PLANNING)

    @contextmanager
    def mapper(self) -> Iterator[Mapper]:
        """:raises ClusterError: the cluster does not answer, or processes die."""
        if self.run is not None and self._on_cluster:
            from riskpipe.clusters.client_map import client_map

            cluster = self.settings.cluster
            request = cluster_request(self.settings, run_id=self.run.run_id, projected_seconds=0.0)
            # The first worker begins, others come meanwhile.
            with cluster.runs_on.open(replace(request, workers=1)) as client:
                assert client is not None
                yield client_map(client)
        elif (processes := self._processes()) > 1:
            with process_map(processes) as mapper:
                yield mapper
        else:
            yield in_turn

    def _processes(self) -> int:
        """As many as the rows are worth and the machine, or what there is of it for this container, has room for."""
        cluster, most = self.settings.cluster, self.rows // ROWS_A_PROCESS
        if most < 2 or cluster.kind == "serial":
            return 1
        from dask.system import cpu_count
        from distributed.system import memory_limit

        if isinstance(cluster.runs_on, Local):
            most = min(most, cluster.workers)
        return min(most, int(cpu_count()), int(memory_limit()) // PROCESS_BYTES - 1)  # one is the driver

    @property
    def _on_cluster(self) -> bool:
        return self.settings.cluster.runs_on.standing and self.rows >= 2 * ROWS_A_PROCESS
