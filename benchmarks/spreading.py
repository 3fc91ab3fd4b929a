"""A run's snapshot on its way to many nodes: from the store to each of them, and handed on from node to node.

Nodes are processes with Dask's own worker, each in a network namespace of its own behind a link of limited rate, the
store a server that answers S3's GET and HEAD behind another; TLS between workers. All ask at once. Needs root, `ip`
and `tc`, and on disk the nodes' copies (200 of 200 MB: 40 GB).

Run: python -m benchmarks spreading; other sizes: python -m benchmarks.spreading NODES MEGABYTES NODE_MBIT STORE_MBIT
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NODES, MEGABYTES, NODE_MBIT, STORE_MBIT = 200, 200, 8, 320
HUB, STORE = "10.77.0.1", "10.77.0.2"
PORT = 9000  # of the store, in a namespace that nothing else is in
WAYS = ("handed on", "store")
COLUMNS = ("way", "nodes", "mb", "node_mbit", "store_mbit", "seconds", "half_s", "store_mb", "cpu_s")
_CLONE_NEWNET = 0x40000000


def main() -> list[dict[str, Any]]:
    return _table(NODES, MEGABYTES, NODE_MBIT, STORE_MBIT)


def _table(nodes: int, megabytes: int, node_mbit: int, store_mbit: int) -> list[dict[str, Any]]:
    rows = []
    for way in WAYS:
        with _network(nodes, node_mbit, store_mbit) as prefix:
            sizes = map(str, (nodes, megabytes))
            command = [sys.executable, "-m", "benchmarks.spreading", "hub", prefix, way, *sizes]
            inside = ["ip", "netns", "exec", f"{prefix}hub", *command]
            done = subprocess.run(inside, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        rows.append({"way": way, "nodes": nodes, "mb": megabytes} | found)
        rows[-1] |= {"node_mbit": node_mbit, "store_mbit": store_mbit}
        print(", ".join(f"{column} {rows[-1][column]}" for column in COLUMNS), flush=True)
    return rows


@contextmanager
def _network(nodes: int, node_mbit: int, store_mbit: int) -> Iterator[str]:
    """Namespaces `PREFIXhub` with a switch in it, `PREFIXstore`, and `PREFIX0`, `PREFIX1`, ... of the nodes."""
    prefix = f"spread{os.getpid()}-"
    names = [f"{prefix}{name}" for name in ("hub", "store", *range(nodes))]
    try:
        for name in names:
            _ip("netns", "add", name)
        hub = ("-n", names[0])
        _ip(*hub, "link", "add", "switch", "type", "bridge")
        _ip(*hub, "addr", "add", f"{HUB}/16", "dev", "switch")
        _ip(*hub, "link", "set", "switch", "up")
        _ip(*hub, "link", "set", "lo", "up")
        addresses = [STORE, *(_address(node) for node in range(nodes))]
        for name, address in zip(names[1:], addresses, strict=True):
            port, rate = name.removeprefix(prefix), store_mbit if address == STORE else node_mbit
            # Large packets: a process is not to wake up for each 1.5 kB on a link that is slow only to be measured.
            mtu = ("mtu", "65000")
            _ip(*hub, "link", "add", f"p{port}", *mtu, "type", "veth", "peer", "name", "eth0", "netns", name, *mtu)
            _ip(*hub, "link", "set", f"p{port}", "master", "switch", "up")
            _ip("-n", name, "addr", "add", f"{address}/16", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            for where, device in (
                (names[0], f"p{port}"),
                (name, "eth0"),
            ):  # to it, and from it; some packets of each flow have room
                limit = ("tbf", "rate", f"{rate}mbit", "burst", "128kb", "latency", "2s")
                subprocess.run(["tc", "-n", where, "qdisc", "add", "dev", device, "root", *limit], check=True)
        yield prefix
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _address(node: int) -> str:
    return f"10.77.{1 + node // 250}.{1 + node % 250}"


# -- in the hub's namespace


def _hub(prefix: str, way: str, nodes: int, megabytes: int) -> None:
    """Scheduler and client here; store and nodes in processes of their own, begun before there are any threads."""
    import dask

    from riskpipe.clusters.settings import SETTINGS

    # Two hundred event loops that tick fifty times a second would take both cores. Read when distributed is imported.
    dask.config.set({**SETTINGS, "distributed.admin.tick.interval": "5s", "distributed.admin.tick.limit": "1m"})
    from distributed import Client
    from distributed.security import Security

    from riskpipe.execute.dask_executor import DaskExecutor
    from riskpipe.store import location, object_store  # noqa: F401  # before the nodes are forked, not in each of them
    from riskpipe.store.growing_copy import pieces_sha256

    content = random.Random(1).randbytes(megabytes * 1_000_000)
    sha256, pieces = hashlib.sha256(content).hexdigest(), pieces_sha256(io.BytesIO(content))
    security = Security.temporary()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="riskpipe-spreading-")))
        (directory / "market.arrow").write_bytes(content)
        del content
        began = os.times()
        _begin(stack, f"{prefix}store", lambda: _serve(directory / "market.arrow"))
        address = directory / "scheduler"
        _begin(stack, None, lambda: _schedule(security, address))
        while not address.exists():
            time.sleep(0.1)
        for node in range(nodes):
            place = directory / f"node-{node}"
            place.mkdir()
            _begin(stack, f"{prefix}{node}", lambda n=node, p=place: _work(address.read_text(), security, n, p))
        client = stack.enter_context(Client(address.read_text(), security=security, timeout=120))
        client.wait_for_workers(nodes, timeout=600)
        executor = DaskExecutor(client, {})
        before, start = _sent(), time.perf_counter()
        asked = (sha256, pieces if way == "handed on" else ())
        copies = [client.submit(_copied, *asked, workers=[w], pure=False) for w in client.nthreads()]
        for copy in copies:
            copy.add_done_callback(lambda _: ends.append(time.perf_counter() - start))
        ends: list[float] = []
        client.gather(copies)
        seconds, sent = time.perf_counter() - start, _sent() - before
        executor.close()
        found = {"seconds": round(seconds, 1), "half_s": round(sorted(ends)[len(ends) // 2], 1)}
    times = [now - before for now, before in zip(os.times(), began, strict=True)]
    print(json.dumps(found | {"store_mb": round(sent / 1e6), "cpu_s": round(sum(times[:4]), 1)}), flush=True)


def _begin(stack: ExitStack, namespace: str | None, run: Callable[[], None]) -> None:
    """A child process, in a network namespace; ended with the context. What is imported here it shares."""
    child = os.fork()
    if child == 0:
        try:
            if namespace is not None:
                with open(f"/run/netns/{namespace}", "rb") as there:
                    if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
            run()
        finally:
            os._exit(1)
    stack.callback(os.waitpid, child, 0)
    stack.callback(os.kill, child, signal.SIGKILL)


def _sent() -> int:
    """Bytes that the store has put on its link so far."""
    said = subprocess.run(["ip", "-j", "-s", "link", "show", "pstore"], check=True, capture_output=True, text=True)
    return int(json.loads(said.stdout)[0]["stats64"]["rx"]["bytes"])


def _schedule(security: Any, address: Path) -> None:
    import asyncio

    from distributed import Scheduler

    async def run() -> None:
        async with Scheduler(host=HUB, port=0, security=security, dashboard=False) as scheduler:
            address.with_suffix(".new").write_text(scheduler.address)
            address.with_suffix(".new").rename(address)
            await scheduler.finished()

    asyncio.run(run())


def _work(scheduler: str, security: Any, node: int, place: Path) -> None:
    import asyncio

    from distributed import Worker

    tempfile.tempdir = str(place)
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}

    async def run() -> None:
        options = {"nthreads": 1, "memory_limit": 0, "dashboard": False, "local_directory": str(place)}
        async with Worker(scheduler, host=_address(node), security=security, **options) as worker:
            await worker.finished()

    asyncio.run(run())


def _copied(sha256: str, pieces: tuple[str, ...]) -> None:
    """On a worker."""
    from riskpipe.store.local_files import local_file
    from riskpipe.store.location import open_store

    store = open_store(f"s3://bucket/out?endpoint_override={STORE}:{PORT}&scheme=http&region=us-east-1")
    local_file(store, "market.arrow", sha256, pieces)


# -- the store


class _Answer(BaseHTTPRequestHandler):
    """One object, in ranges, as S3 gives it."""

    protocol_version = "HTTP/1.1"
    file: Path

    def do_HEAD(self) -> None:
        self._headers(200, self.file.stat().st_size)

    def do_GET(self) -> None:
        size = self.file.stat().st_size
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        start, stop = int(first), min(int(last) + 1, size)
        self._headers(206, stop - start, {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})
        with open(self.file, "rb") as source:
            self.connection.sendfile(source, start, stop - start)

    def _headers(self, status: int, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        fixed = {"Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT", "ETag": '"1"', "Accept-Ranges": "bytes"}
        for name, value in (fixed | (more or {}) | {"Content-Length": str(length)}).items():
            self.send_header(name, value)
        self.end_headers()


class _Store(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def _serve(file: Path) -> None:
    _Answer.file = file
    _Store((STORE, PORT), _Answer).serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["hub"]:
        _hub(*sys.argv[2:4], *map(int, sys.argv[4:]))
    else:
        given = [int(word) for word in sys.argv[1:]]
        _table(*given, *(NODES, MEGABYTES, NODE_MBIT, STORE_MBIT)[len(given) :])
