"""Nightly runs on a real cluster: the same bytes as a run on one machine, whatever dies on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from kube import Namespace, exit_code, until
from nightly import DESK, MEASURES, NAME, TRADES, Release
from published import assert_same_bits

pytestmark = pytest.mark.kubernetes


def test_nightly_run(space: Namespace, release: Release, local: Path, tmp_path: Path) -> None:
    job = release.nightly("undisturbed", output="/data/undisturbed")

    assert space.outcome(job) == "Complete", space.told(job)

    assert_same_bits(local, release.published("/data/undisturbed", tmp_path))
    (pod,) = space.pods(job)
    assert exit_code(pod) == 0


def test_a_worker_dies(space: Namespace, release: Release, local: Path, tmp_path: Path) -> None:
    output = "/data/worker"
    job = release.nightly("worker-dies", output=output)
    release.in_the_middle(output, job)
    victim = space.dask_pods("worker")[0]["metadata"]

    space.delete("pod", victim["name"], at_once=True)

    assert space.outcome(job) == "Complete", space.told(job)
    assert_same_bits(local, release.published(output, tmp_path))
    assert len(space.pods(job)) == 1


def test_the_scheduler_dies(space: Namespace, release: Release, local: Path, tmp_path: Path) -> None:
    output = "/data/scheduler"
    job = release.nightly("scheduler-dies", output=output)
    release.in_the_middle(output, job)
    (cluster,) = space.all("daskclusters")
    (victim,) = space.dask_pods("scheduler")

    space.delete("pod", victim["metadata"]["name"], at_once=True)

    name = cluster["metadata"]["name"]
    others = until(
        lambda: [c for c in space.all("daskclusters") if c["metadata"]["name"] != name], "the cluster that follows"
    )
    assert others[0]["metadata"]["labels"]["riskpipe.io/attempt"] == "2"
    assert space.outcome(job) == "Complete", space.told(job)
    assert_same_bits(local, release.published(output, tmp_path))
    assert len(space.pods(job)) == 1


def test_the_driver_dies(space: Namespace, release: Release, local: Path, tmp_path: Path) -> None:
    output = "/data/driver"
    job = release.nightly("driver-dies", output=output)
    release.in_the_middle(output, job)
    (victim,) = space.pods(job)

    space.delete("pod", victim["metadata"]["name"], at_once=True)

    assert space.outcome(job) == "Complete", space.told(job)
    assert_same_bits(local, release.published(output, tmp_path))
    # One run, which the next pod has resumed.
    assert len(space.shell(DESK, f"ls {output}/runs").split()) == 1
    assert release.summary(output)["blocks"]["reused"] > 0
    assert victim["metadata"]["name"] not in {pod["metadata"]["name"] for pod in space.pods(job)}


KILL_A_DRIVER = """
kill -9 $(for process in /proc/[0-9]*; do
    if tr '\\0' ' ' < $process/cmdline | grep -q "spawn[_]main"; then echo ${process#/proc/}; fi
done | sort -n | tail -n 1)
"""
"""In the first driver's pod, which has the shell's `kill` alone; that shell has the pattern among its own words."""


def test_a_shard_s_driver_dies(space: Namespace, release: Release, local: Path, tmp_path: Path) -> None:
    """Its cluster goes, another driver makes another, and no cluster is left."""
    output = "/data/shards"
    job = release.nightly("shard-dies", "--set", "cluster.shards=2", output=output)
    release.in_the_middle(output, job)
    before = {c["metadata"]["name"]: c["metadata"]["labels"]["riskpipe.io/shard"] for c in space.all("daskclusters")}
    assert sorted(before.values()) == ["0", "1"]
    (driver,) = space.pods(job)

    space.shell(driver["metadata"]["name"], KILL_A_DRIVER)

    def others() -> list[str]:
        return [c["metadata"]["name"] for c in space.all("daskclusters") if c["metadata"]["name"] not in before]

    until(lambda: others() or space.ended(job), "the cluster that follows")
    assert space.outcome(job) == "Complete", space.told(job)
    assert "its driver ended with -9" in space.told(job)
    assert_same_bits(local, release.published(output, tmp_path))
    assert len(space.pods(job)) == 1
    until(lambda: not space.all("daskclusters"), "the end of all clusters")


def test_failed_blocks_are_run_again(space: Namespace, release: Release, local: Path, tmp_path: Path) -> None:
    output, trades = "/data/rerun", "/data/book/data/portfolio/bond"
    job = release.nightly("some-fail", "--set", "retry.storage=0", output=output, backoff=0)
    until(lambda: space.shell(DESK, f"ls {output}/runs/*/plan.parquet 2>/dev/null || true"), "the run's plan")
    space.shell(DESK, f"chmod -R a-r {trades}/*.parquet")
    try:
        until(lambda: "STORAGE" in space.told(job), "a block that fails")
    finally:  # the driver names the trades of failed blocks: it reads them, too
        space.shell(DESK, f"chmod -R a+r {trades}/*.parquet")
    assert space.outcome(job) == "Failed"
    (pod,) = space.pods(job)
    assert exit_code(pod) == 4, space.told(job)
    assert release.summary(output)["blocks"]["failed"] > 0
    assert space.shell(DESK, f"ls {output}/published 2>/dev/null || true") == ""

    again = release.rerun("retry", "latest", "--as-of", "2026-11-20", "--set", f"output={output}")

    assert space.outcome(again) == "Complete", space.told(again)
    assert_same_bits(local, release.published(output, tmp_path))


def test_numbers_of_an_earlier_run_are_taken_over(
    space: Namespace, release: Release, local: Path, tmp_path: Path
) -> None:
    """The second run has a measure more, which it prices of every trade."""
    output, fewer = "/data/since", [measure for measure in MEASURES if measure != "vega"]
    first = release.nightly("before", "--set", f"measures=[{', '.join(fewer)}]", output=output)
    assert space.outcome(first) == "Complete", space.told(first)

    second = release.nightly("since", "--set", "reuse=auto", output=output)

    assert space.outcome(second) == "Complete", space.told(second)
    reuse = release.summary(output)["reuse"]
    assert (reuse["taken_over"], reuse["priced"]) == (TRADES, 0)
    assert_same_bits(local, release.published(output, tmp_path))


def test_wrong_image(space: Namespace, release: Release) -> None:
    wrong = ("--set", "cluster.kubernetes.image=nowhere.invalid/riskpipe:none")
    short = ("--set", "cluster.kubernetes.startup_seconds=60")

    job = release.nightly("wrong-image", *wrong, *short, output="/data/wrong-image", backoff=0)

    assert space.outcome(job) == "Failed"
    (pod,) = space.pods(job)
    assert exit_code(pod) == 6
    told = space.told(job)
    assert "ErrImagePull" in told or "ImagePullBackOff" in told or "ErrImageNeverPull" in told
    assert "nowhere.invalid/riskpipe:none" in told
    assert "Traceback" not in told


def test_two_fires_do_not_overlap(space: Namespace, release: Release) -> None:
    """The CronJob is due every minute; a run whose workers find no node lasts longer than that."""
    waits = {"startup_seconds": 150, "worker": {"resources": {"requests": {"cpu": "1000"}}}}
    often = {
        "nightly": {"schedule": "* * * * *", "backoffLimit": 0},
        "config": {"output": "/data/overlap", "cluster": {"kubernetes": waits}},
    }
    release.install(often)
    try:
        job = until(lambda: _of_cron(space), "the first fire")[0]
        until(lambda: _due_again(space, job), "the next fire")
        assert _of_cron(space) == [job]
    finally:
        release.install()

    assert space.outcome(job) == "Failed"
    (pod,) = space.pods(job)
    assert exit_code(pod) == 6
    assert "Insufficient cpu" in space.told(job)


def _of_cron(space: Namespace) -> list[str]:
    jobs = space.all("jobs")
    owned = [j for j in jobs if any(o["kind"] == "CronJob" for o in j["metadata"].get("ownerReferences", []))]
    return [str(job["metadata"]["name"]) for job in owned]


def _due_again(space: Namespace, job: str) -> bool:
    """Whether the clock of the cluster has passed the next minute by some seconds while the Job was at work."""
    assert space.ended(job) is None, f"the run was over before the next fire:\n{space.told(job)}"
    started, now = space.shell(DESK, f"echo {space.one('job', job)['status']['startTime']}; date -u +%s").split()
    seconds = int(space.shell(DESK, f"date -d {started} +%s"))
    return int(now) >= (seconds // 60 + 1) * 60 + 15


def test_an_upgrade_keeps_the_certificates(space: Namespace, release: Release) -> None:
    before = space.one("secret", f"{NAME}-tls")["data"]

    release.install()

    assert space.one("secret", f"{NAME}-tls")["data"] == before


def test_doctor_finds_all_in_place(space: Namespace, release: Release) -> None:
    told = space.helm("test", "risk", "--logs", "--timeout", "5m")

    assert "Phase:          Succeeded" in told
    assert "the driver may do all that it needs" in told
