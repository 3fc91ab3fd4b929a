"""Local clusters, started for real."""

import os
import signal
from pathlib import Path

import dask
import pytest
from distributed.system import MEMORY_LIMIT

from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.clusters.kind import ClusterRequest
from riskpipe.clusters.local import Local, local
from riskpipe.clusters.settings import ENVIRONMENT, SETTINGS
from riskpipe.clusters.versions import check_versions
from riskpipe.errors import ClusterError


@pytest.fixture(scope="module")
def marks(tmp_path_factory):
    return tmp_path_factory.mktemp("marks")


@pytest.fixture(scope="module")
def client(marks):
    def mark():
        (marks / str(os.getpid())).touch()

    with local(1, memory_limit="500MiB", initialise=mark) as client:
        yield client


def test_workers_are_single_threaded_processes_on_loopback(client):
    (pid,) = client.run(os.getpid).values()
    assert pid != os.getpid()
    assert list(client.nthreads().values()) == [1]
    assert all(address.startswith("tcp://127.0.0.1:") for address in client.nthreads())
    assert client.scheduler.address.startswith("tcp://127.0.0.1:")


def test_the_memory_limit_is_the_worker_s(client):
    (limit,) = client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit).values()
    assert limit == 500 * 2**20


def test_settings_reach_scheduler_and_workers(client):
    def values(dask_scheduler=None, dask_worker=None):
        return {key: dask.config.get(key) for key in SETTINGS}

    assert client.run_on_scheduler(values) == SETTINGS
    assert client.run(values) == dict.fromkeys(client.nthreads(), SETTINGS)
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 0
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.WORKER_SATURATION) == 1.0


def test_libraries_in_workers_start_no_threads(client):
    (environment,) = client.run(lambda: {name: os.environ[name] for name in ENVIRONMENT}).values()
    assert environment == ENVIRONMENT


def test_versions_agree_with_ourselves(client):
    check_versions(client)


def test_every_worker_is_initialised_and_the_restarted_ones_too(client, marks):
    (first,) = client.run(os.getpid).values()
    assert [path.name for path in marks.iterdir()] == [str(first)]
    client.restart()
    (second,) = client.run(os.getpid).values()
    assert second != first
    assert {path.name for path in marks.iterdir()} == {str(first), str(second)}


def test_a_worker_whose_nanny_dask_puts_away_is_replaced():
    """As after two deaths of a worker, the second when dask looks whether it is back from the first."""
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}), local(1) as client:
        (first,) = client.run(os.getpid).values()
        os.kill(first, signal.SIGKILL)
        pids = {first}
        while first in pids or not pids:
            client.wait_for_workers(1, timeout=60)
            pids = set(client.run(os.getpid, on_error="ignore").values())
        assert len(pids) == 1


def test_nothing_is_left_behind():
    before = dask.config.get("distributed.scheduler.work-stealing")
    with local(1) as client:
        (directory,) = client.run(lambda dask_worker: dask_worker.local_directory).values()
        (pid,) = client.run(os.getpid).values()
        assert Path(directory).exists()
        assert dask.config.get("distributed.scheduler.work-stealing") is False
    (temporary,) = (place for place in Path(directory).parents if place.name.startswith("riskpipe-"))
    assert not temporary.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    assert dask.config.get("distributed.scheduler.work-stealing") is before


def test_an_initialisation_that_raises_is_told():
    def fail():
        raise RuntimeError("no licence")

    with pytest.raises(ClusterError, match="no licence"), local(1, initialise=fail):
        pass


def test_open_cluster_by_kind():
    with CLUSTERS["local"].open(ClusterRequest()) as client:
        assert len(client.nthreads()) == 1
        address = client.scheduler.address
        with CLUSTERS["address"].open(ClusterRequest(options=address)) as other:
            assert other.scheduler.address == address
        assert client.status == "running"
        assert len(client.nthreads()) == 1


def test_shards_share_the_workers():
    options = [ClusterRequest(workers=8, shard=number, shards=3) for number in range(3)]
    assert [option.workers_here for option in options] == [3, 3, 2]
    assert ClusterRequest(workers=8).workers_here == 8


@pytest.mark.slow
def test_shards_share_the_memory():
    with Local().open(ClusterRequest(workers=4, shard=3, shards=4)) as client:
        (limit,) = client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit).values()
    assert limit == MEMORY_LIMIT // 4
