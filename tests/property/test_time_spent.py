"""The streamed account of a run's time is what plain pandas says of the whole table, wherever it is cut."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskpipe.config import Settings
from riskpipe.results.time_spent import LEAST_BLOCKS, TimeSpent, read_time_spent, time_spent
from riskpipe.store.ledger import LedgerSession
from tests.support.block_tables import BEGIN, done, lost, run_of_many, session, settings_of, table

seconds = st.floats(0.001, 500.0).map(lambda value: round(value, 6))
share = st.floats(0.0, 0.5)


@st.composite
def a_block(draw: Any, begin: float) -> dict[str, Any]:
    took = draw(seconds)
    fetch, write = took * draw(share), took * draw(share)
    return done(
        draw(st.sampled_from("abcde")),
        begin + draw(seconds),
        took,
        product=draw(st.sampled_from(["swap", "bond", "fx_option"])),
        host=draw(st.sampled_from(["h1", "h2", "h3"])),
        parent_block_id=draw(st.sampled_from([None, "p"])),
        fetch_s=fetch,
        write_s=write,
        price_s=took - fetch - write,
        projected_s=draw(seconds),
        cpu_s=draw(seconds),
        peak_rss_bytes=draw(st.integers(0, 10**9)),
    )


attempts = st.builds(
    lost,
    st.sampled_from("abcde"),
    st.sampled_from(["retried", "failed", "outrun"]),
    st.sampled_from(["STORAGE", "OUT_OF_MEMORY"]),
    product=st.sampled_from(["swap", "cash_loan"]),
)


@st.composite
def runs(draw: Any) -> tuple[list[dict[str, Any]], list[LedgerSession]]:
    """Rows of one to three sessions, an hour apart."""
    rows, sessions = [], []
    for k in range(draw(st.integers(1, 3))):
        blocks = draw(st.lists(a_block(3600.0 * k), min_size=k == 0, max_size=40))
        others = draw(st.lists(attempts, max_size=5))
        rows += draw(st.permutations([*blocks, *others]))
        sessions.append(session(3600.0 * k, None, len(blocks)))
    return rows, sessions


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_of(tmp_path_factory.mktemp("settings"), "cluster.price_per_core_hour=2.5")


def streamed(rows: list[dict[str, Any]], sessions: list[LedgerSession], piece: int, plain: Settings) -> TimeSpent:
    whole = table(rows)
    pieces = [whole.slice(k, piece) for k in range(0, len(rows), piece)]
    found = time_spent(pieces, sessions, plain, {})
    assert found is not None
    return found


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for name, each in value.items() for k, v in flat(each, f"{path}.{name}").items()}
    if isinstance(value, list | tuple):
        return {k: v for n, each in enumerate(value) for k, v in flat(each, f"{path}[{n}]").items()}
    return {path: value}


@given(runs(), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_pieces_do_not_matter(
    plain: Settings, run: tuple[list[dict[str, Any]], list[LedgerSession]], piece: int
) -> None:
    rows, sessions = run
    whole, pieces = (flat(streamed(rows, sessions, size, plain).to_json()) for size in (len(rows), piece))
    assert whole.keys() == pieces.keys()
    for key, value in whole.items():
        if isinstance(value, float) and ".busy" not in key:
            assert pieces[key] == pytest.approx(value, rel=1e-9, abs=1e-6), key
        elif isinstance(value, float):
            assert pieces[key] == pytest.approx(value, abs=2e-4), key
        else:
            assert pieces[key] == value, key


@given(runs(), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_it_is_what_pandas_says(
    plain: Settings, run: tuple[list[dict[str, Any]], list[LedgerSession]], piece: int
) -> None:
    rows, sessions = run
    found = streamed(rows, sessions, piece, plain)
    frame = pd.DataFrame([row for row in rows if row["status"] == "ok"])
    frame["session"] = np.repeat(np.arange(len(sessions)), [each.done for each in sessions])
    frame["start"], frame["stop"] = frame["started_at"] - BEGIN, frame["ended_at"] - BEGIN
    frame["seconds"] = frame["stop"] - frame["start"]

    names = ["queue_s", "fetch_s", "price_s", "write_s", "cpu_s", "projected_s", "seconds"]
    for product in found.products:
        mine = frame[frame["product"] == product.product]
        assert product.blocks == len(mine)
        assert product.trades == (mine["trades"][mine["parent_block_id"].isna()].sum() if len(mine) else 0)
        for name in names:
            assert getattr(product, name) == pytest.approx(mine[name].sum(), abs=1e-4)
        for name, quantile in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            exact = np.quantile(mine["seconds"], quantile, method="inverted_cdf") if len(mine) else 0.0
            assert getattr(product, name) == pytest.approx(exact, rel=0.0101, abs=2e-6)
        for status in ("retried", "failed", "outrun"):
            number = sum(row["status"] == status and row["product"] == product.product for row in rows)
            assert getattr(product, status) == number
    assert {each.product for each in found.products} == {row["product"] for row in rows}

    held = idle = busy = unused = 0.0
    by_session = [group for _, group in frame.groupby("session")]
    assert len(found.sessions) == len(by_session)
    for line, group in zip(found.sessions, by_session, strict=True):
        end, last_start = group["stop"].max(), group["start"].max()
        first, last = group.groupby("worker")["start"].min(), group.groupby("worker")["stop"].max()
        line_held, line_idle = (end - first).sum(), (end - last.clip(lower=last_start)).sum()
        line_busy = group["seconds"].sum()
        held, idle, busy = held + line_held, idle + line_idle, busy + line_busy
        unused += len(first) * (end - group["start"].min()) - line_held + max(line_held - line_busy - line_idle, 0.0)
        assert (line.workers, line.blocks) == (len(first), len(group))
        assert line.tail_s == pytest.approx(end - last_start, abs=1e-5)
        assert line.tail_idle_s == pytest.approx(line_idle, abs=1e-4)
        ended = np.sort(group["stop"])[math.ceil(0.99 * len(group)) - 1]
        assert line.last_hundredth_s == pytest.approx(end - ended, abs=line.seconds / 4096 + 2e-3)
        # Bins are at most a 4,096th of the session, and overlapping blocks of a worker count once.
        begin = 3600.0 * group["session"].iloc[0]
        edges = begin + line.step_s * np.arange(len(line.busy) + 1)
        starts, stops = (group[name].to_numpy()[:, None] for name in ("start", "stop"))
        cover = np.clip(np.minimum(stops, edges[1:]) - np.maximum(starts, edges[:-1]), 0.0, None)
        share = np.minimum(cover.sum(axis=0) / (line.step_s * line.workers), 1.0)
        slack = len(group) * (line.seconds / 4096 + 1e-3) / (line.step_s * line.workers)
        assert np.abs(np.array(line.busy) - share).max() <= slack + 1e-4
    assert found.core_hours * 3600 == pytest.approx(held, abs=1e-3)
    assert found.cost == pytest.approx(2.5 * held / 3600, abs=1e-6)
    assert found.cpu_hours * 3600 == pytest.approx(frame["cpu_s"].sum())
    parts = found.parts
    assert parts.tail == pytest.approx(idle, abs=1e-3)
    assert parts.fetch + parts.price + parts.write + parts.other == pytest.approx(busy, abs=1e-3)
    assert parts.late + parts.retries + parts.wait == pytest.approx(unused, abs=1e-3)

    pace = frame.groupby("product")["price_s"].sum() / frame.groupby("product")["projected_s"].sum()
    frame["expected"] = frame["projected_s"] * frame["product"].map(pace)
    hosts = frame.groupby("host")[["price_s", "expected"]].sum()[frame.groupby("host").size() >= LEAST_BLOCKS]
    told = {host.host: host.pace for host in found.hosts}
    assert told == pytest.approx(dict(hosts["price_s"] / hosts["expected"]), rel=1e-6)
    longest = frame["seconds"].round(6).nlargest(10).tolist()
    assert [block.seconds for block in found.slowest] == pytest.approx(longest, abs=1e-5)


def test_files_are_read_in_pieces(tmp_path: Path, plain: Settings) -> None:
    """A real file, of several row groups and dictionaries, is the table that it was written of."""
    folder = run_of_many(tmp_path, 3_000, 100)
    found = read_time_spent(folder, plain, {})
    assert found is not None
    assert found.blocks + found.total.retried == 3_000
    assert found.workers == 100
    assert found.hosts_compared == 2
    assert [each.cause for each in found.lost_attempts] in ([], ["WORKER_LOST"])
    assert 0.5 < found.utilisation <= 1.0
