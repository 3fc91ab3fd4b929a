"""The model of scale: small cases that can be done by hand, and the laws that large ones keep."""

from dataclasses import replace

import pytest

from benchmarks.scale_model import Run, simulate, workers_needed
from riskpipe.store.growing_copy import PIECE_BYTES

EVEN = Run(compute_hours=100 * 10.0 / 3600.0, workers=5, block_seconds=10.0, block_spread=0.0, finer=False)


def test_nothing_but_work():
    """100 blocks of 10 s on 5 workers."""
    outcome = simulate(EVEN)
    assert outcome.value_s == pytest.approx(200.0)
    assert outcome.efficiency == pytest.approx(1.0)
    assert (outcome.blocks, outcome.lost) == (100, 0)


def test_the_last_round_is_not_full():
    """After 14 rounds two blocks are left for seven workers: five have nothing to do for 10 s."""
    outcome = simulate(replace(EVEN, workers=7))
    assert outcome.value_s == pytest.approx(150.0)
    assert outcome.idle_s == pytest.approx(50.0 / 7)


def test_last_blocks_that_are_cut_finer():
    """14 blocks of 20 s for 7 workers: the first has no part, the others are of 10, and, four of them, 5 s."""
    run = Run(14 * 20.0 / 3600.0, 7, block_seconds=20.0, block_spread=0.0)
    lengths = list(run.lengths())
    assert lengths == [20.0, *[10.0] * 14, *[5.0] * 24]
    outcome = simulate(run)
    assert outcome.value_s == pytest.approx(40.0, abs=5.0)
    assert outcome.idle_s < 5.0


def test_the_gap_between_blocks():
    assert simulate(replace(EVEN, gap_s=0.5)).value_s == pytest.approx(210.0)


def test_a_driver_that_is_slower_than_its_workers_sets_the_pace():
    """3 s for each of 100 blocks, one after the other."""
    outcome = simulate(replace(EVEN, driver_s=3.0))
    assert outcome.value_s == pytest.approx(300.0)
    assert outcome.driver_share == pytest.approx(1.0)
    assert simulate(replace(EVEN, driver_s=3.0, shards=2, workers=10)).value_s == pytest.approx(150.0, abs=5.0)


def test_what_the_first_driver_learns_holds_up_the_end_alone():
    """3 s for each of 100 blocks, in the order in which they end; the first does after 10 s."""
    outcome = simulate(replace(EVEN, learn_s=3.0, shards=2, workers=10))
    assert outcome.value_s == pytest.approx(100.0)
    assert outcome.total_s == pytest.approx(310.0)
    assert simulate(replace(EVEN, learn_s=0.1, shards=2, workers=10)).total_s == pytest.approx(101.0)


def test_a_scheduler_that_is_slower_than_its_workers_sets_the_pace_of_its_shard():
    slow = replace(EVEN, scheduler_s=3.0)
    one, two = simulate(slow), simulate(replace(slow, shards=2, workers=10))
    assert one.value_s == pytest.approx(310.0, abs=5.0)
    assert two.value_s == pytest.approx(160.0, abs=5.0)


def test_heartbeats_slow_the_scheduler():
    assert simulate(replace(EVEN, scheduler_s=3.0, heartbeats=0.5)).value_s > 590.0


def test_workers_that_come_one_after_the_other():
    """One every 10 s: after 40 s all are there, and 1+2+3+4 blocks are done."""
    assert simulate(replace(EVEN, ready_rate=0.1)).value_s == pytest.approx(40.0 + 90.0 / 5 * 10.0)


def test_registration_is_the_schedulers_work():
    assert simulate(replace(EVEN, register_s=2.0)).value_s == pytest.approx(202.0 + 18.0 / 5 * 2.0, abs=8.0)


@pytest.mark.parametrize(
    ("node_rate", "store_rate", "seconds"),
    [(10.0, float("inf"), 10.0), (1e9, 100.0, 10.0), (10.0, 50.0, 20.0)],
)
def test_the_snapshot_takes_as_long_as_the_narrowest_link(node_rate, store_rate, seconds):
    """10 nodes of 2 workers fetch 100 bytes each from the store, all at once."""
    run = replace(EVEN, workers=20, workers_a_node=2, snapshot_bytes=100.0, hand_on=False)
    found = simulate(replace(run, node_rate=node_rate, store_rate=store_rate))
    assert found.snapshot_s == pytest.approx(seconds, rel=1e-6)


def test_nodes_hand_the_snapshot_on_as_it_comes():
    """15 nodes, ten pieces: the first has them after 10 s, two that share its link after 20, as if they had begun with
    it, and those below a piece of a shared link later: 2 s each. The store serves one."""
    run = replace(EVEN, workers=15, snapshot_bytes=10.0 * PIECE_BYTES, node_rate=PIECE_BYTES, store_rate=PIECE_BYTES)
    assert simulate(run).snapshot_s == pytest.approx(10.0 + 10.0 + 2.0 + 2.0)
    assert simulate(replace(run, workers=1)).snapshot_s == pytest.approx(10.0)
    assert simulate(replace(run, hand_on=False)).snapshot_s == pytest.approx(150.0)


def test_a_shard_has_its_own_tree_and_those_that_come_later_wait_for_nobody():
    run = replace(EVEN, workers=3, snapshot_bytes=10.0 * PIECE_BYTES, node_rate=PIECE_BYTES, store_rate=PIECE_BYTES)
    assert simulate(replace(run, shards=3)).snapshot_s == pytest.approx(30.0)
    assert simulate(replace(run, ready_rate=0.01)).snapshot_s == pytest.approx(200.0 + 20.0)


def test_an_image_that_nodes_lack_is_pulled_first():
    """10 nodes of 2 workers: 10 s for the image by the registry, 10 s for the snapshot by their own links."""
    run = replace(EVEN, workers=20, workers_a_node=2, snapshot_bytes=100.0, image_bytes=100.0, hand_on=False)
    assert simulate(replace(run, node_rate=10.0, registry_rate=1e9)).snapshot_s == pytest.approx(20.0)
    assert simulate(replace(run, registry_rate=50.0)).snapshot_s == pytest.approx(20.0)


def test_dead_workers_cost_their_blocks_and_the_time_until_they_are_replaced():
    outcome = simulate(replace(EVEN, losses_an_hour=36.0, replace_s=5.0))
    assert outcome.lost > 0
    assert outcome.value_s > 200.0
    assert outcome.efficiency == pytest.approx(1000.0 / (5 * outcome.total_s)), "each block counts once"


def test_what_the_driver_does_alone_counts():
    assert simulate(replace(EVEN, publish_s=7.0)).total_s == pytest.approx(207.0)
    outcome = simulate(replace(EVEN, plan_s=20.0, publish_block_s=0.3))
    assert outcome.total_s == pytest.approx(250.0)
    assert outcome.efficiency == pytest.approx(0.8)


def test_the_last_blocks_of_one_shard_are_mopped_up_by_another():
    """Odd numbers over two shards end within a block and the rebalancing between them."""
    run = replace(EVEN, workers=4, shards=2, compute_hours=101 * 10.0 / 3600.0)
    assert simulate(run).value_s <= 26 * 10.0 + 2.0


def test_the_same_run_has_the_same_outcome():
    run = replace(EVEN, block_spread=0.5, losses_an_hour=5.0, replace_s=1.0)
    assert simulate(run) == simulate(run)
    assert simulate(run) != simulate(replace(run, seed=2))


def test_a_slice_stands_for_the_whole():
    run = Run(
        compute_hours=40.0,
        workers=200,
        shards=10,
        block_seconds=20.0,
        scheduler_s=0.02,
        driver_s=0.01,
        register_s=0.05,
        ready_rate=10.0,
        workers_a_node=4,
        snapshot_bytes=100.0,
        node_rate=50.0,
        store_rate=500.0,
        losses_an_hour=0.1,
        replace_s=30.0,
        learn_s=0.001,
        publish_block_s=0.001,
    )
    whole, part = simulate(run), simulate(run.slice())
    assert part.total_s == pytest.approx(whole.total_s, rel=0.03)
    assert part.efficiency == pytest.approx(whole.efficiency, rel=0.03)
    assert part.driver_share == pytest.approx(whole.driver_share, rel=0.05)
    assert part.first_share == pytest.approx(whole.first_share, rel=0.05)


def test_the_workers_that_are_needed():
    run, outcome = workers_needed(replace(EVEN, compute_hours=10.0, gap_s=1.0), 1_000.0, 10)
    assert (run.shards, run.workers) == (4, 40)
    assert outcome.total_s <= 1_000.0


def test_blocks_that_no_number_of_workers_can_do_in_time():
    with pytest.raises(ValueError, match="too short"):
        workers_needed(replace(EVEN, compute_hours=1.0, publish_block_s=10.0), 1_000.0, 10)
