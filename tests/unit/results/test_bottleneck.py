"""Which key is to be turned, where the rows of a small table cannot show it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from riskpipe.results.bottleneck import KINDS, PART_NAMES, Evidence, Parts, bottleneck
from tests.support.block_tables import settings_of
from tests.support.doc_tables import DOCS

WAITING = Parts(price=50.0, wait=50.0)
EVIDENCE = Evidence(
    blocks=60_000, workers=2_000, block_seconds=3.0, span=100.0, finishing=1.0, lost_most="", last_product="swap",
    last_seconds=3.0, last_expected=3.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("blocks", "shards", "key", "words"),
    [
        (60_000, 1, "cluster.shards", "600 blocks a second are much for a scheduler"),
        (60_000, 2, "partition.target_seconds", "3 s on the mean, 600 of them a second: longer"),
        (120_000, 2, "cluster.shards", "600 blocks a second are much"),  # each shard has a driver of its own
        (120_000, 3, "partition.target_seconds", "1,200 of them a second: longer"),
        (5_999, 1, "partition.target_seconds", "fewer than 3 blocks a worker"),
    ],
)
def test_workers_that_wait(tmp_path: Path, blocks: int, shards: int, key: str, words: str) -> None:
    settings = settings_of(tmp_path, "cluster.workers=3", f"cluster.shards={shards}")
    found = bottleneck(WAITING, replace(EVIDENCE, blocks=blocks), settings)
    assert (found.kind, found.key, found.share) == ("queueing", key, 0.5)
    assert words in found.sentence


def test_a_tenth_is_named_and_less_is_not(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert bottleneck(Parts(price=90.0, tail=10.0), EVIDENCE, settings).kind == "tail"
    assert bottleneck(Parts(price=90.1, tail=9.9), EVIDENCE, settings).kind == "pricing"
    assert bottleneck(Parts(other=100.0), EVIDENCE, settings).kind == "pricing"


def test_lost_workers_ask_for_shorter_blocks(tmp_path: Path) -> None:
    found = bottleneck(Parts(price=1.0, retries=1.0), replace(EVIDENCE, lost_most="WORKER_LOST"), settings_of(tmp_path))
    assert found.key == "partition.target_seconds"
    assert "most by WORKER_LOST" in found.sentence


def test_every_part_has_a_name_and_all_but_one_a_bottleneck() -> None:
    parts = set(Parts.__struct_fields__)
    assert set(PART_NAMES) == parts
    assert {name for names, _ in KINDS.values() for name in names} == parts - {"other"}


def test_the_rule_is_written_down() -> None:
    text = (DOCS / "operations.md").read_text()
    section = text[text.index("## Where did the time go?") :]
    section = section[: section.index("\n## ")]
    for kind in KINDS:
        assert f"| `{kind}` |" in section
    for name in PART_NAMES.values():
        assert name in section
