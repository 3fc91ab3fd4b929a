"""The end of a run: at most 15 lines, every count, the next command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.summary import MOST_LINES, summary
from riskpipe.plan.accounting import Counts, RunStatus

MakeStatus = Callable[..., RunStatus]
RUN = "20261120-193055-3f9a1c"


def test_a_complete_run(status: MakeStatus) -> None:
    whole = Counts(planned=120, ok=120)
    assert summary(status(blocks=whole), Invocation()) == [
        "run 20261120-193055-3f9a1c of 2026-11-20: complete in 1:20; 200,000 trades, 100.0M valuations (1.25M/s)",
        "",
        "         planned     ok  reused  failed  not applicable  cancelled",
        "blocks       120    120       0       0               0          0",
        "numbers    1.20M  1.20M       0       0           1,000          0",
        "",
        "published; results under /srv/output/runs/20261120-193055-3f9a1c",
        "next: riskpipe report 20261120-193055-3f9a1c",
    ]


def test_figures_phases_and_the_report(status: MakeStatus) -> None:
    told = status(
        headline={"pv": 2980735029.4, "var_99": 35074292.2, "es_97_5": 38715431.0},
        currency="USD",
        phases={"plan": 2.4, "value": 83.0, "publish": 0.04},
    )
    lines = summary(told, Invocation(), "/srv/output/runs/x/report.html")
    assert "all books, USD: PV 2,980,735,029, VaR 99 % 35,074,292, ES 97.5 % 38,715,431" in lines
    assert "plan 2.4 s, value 1:23, publish 40 ms" in lines
    assert lines[-1] == "report: /srv/output/runs/x/report.html"


def test_no_rate_when_a_part_was_done_before(status: MakeStatus) -> None:
    assert summary(status(), Invocation())[0].endswith("complete in 1:20; 200,000 trades")


@pytest.mark.parametrize(
    ("state", "blocks"),
    [
        ("interrupted", Counts(planned=120, ok=5, cancelled=115)),
        ("partial", Counts(planned=120, ok=100, failed=20)),
        ("partial", Counts(planned=120, ok=100, cancelled=20)),
    ],
)
def test_no_rate_of_what_was_not_valued(status: MakeStatus, state: str, blocks: Counts) -> None:
    assert "valuations" not in summary(status(state=state, blocks=blocks), Invocation())[0]


def test_a_run_that_another_one_replaced_says_so(status: MakeStatus) -> None:
    lines = summary(status(published=False, superseded_by="20261120-201500-000000-8"), Invocation())
    assert lines[-2].startswith("superseded by run 20261120-201500-000000-8; results under")


def test_the_way_out_at_a_messages_end_is_read(status: MakeStatus) -> None:
    message = (
        f"not published: run {RUN} lacks {'bucketed_delta, ' * 12}and would replace the day; --replace-day allows it"
    )
    assert message in summary(status(published=False, messages=(message,)), Invocation())


def test_never_more_than_15_lines(status: MakeStatus) -> None:
    worst = status(
        state="partial",
        failures_by_reason={f"REASON_{k}": k + 1 for k in range(13)},
        messages=tuple(f"message {k}\nwith {'a long ' * 100} tail" for k in range(50)),
        published=False,
    )
    lines = summary(worst, Invocation())
    assert len(lines) <= MOST_LINES
    assert all("\n" not in line for line in lines)
    assert "REASON_12 13, REASON_11 12, REASON_10 11, REASON_9 10, REASON_8 9, 8 other reasons 36" in lines[6]
    assert lines[-3] == "and 47 more messages"
    assert lines[-1] == "next: riskpipe retry 20261120-193055-3f9a1c"


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"state": "running", "published": False}, "runs show 20261120-193055-3f9a1c --watch"),
        ({"state": "interrupted", "published": False}, f"run --resume {RUN}"),
        ({"state": "interrupted", "published": False, "blocks": Counts()}, "run"),
        ({"state": "partial", "failures_by_reason": {"WORKER_LOST": 1}}, f"retry {RUN}"),
        (
            {"state": "partial", "failures_by_reason": {"INVALID_TRADE": 1, "NUMERICAL": 1}},
            "retry 20261120-193055-3f9a1c",
        ),
        ({"state": "partial", "failures_by_reason": {"INVALID_TRADE": 1}}, "check"),
        ({"state": "partial", "blocks": Counts(planned=2, ok=1, cancelled=1)}, f"retry {RUN}"),
        ({"state": "complete", "published": False}, f"publish {RUN}"),
        ({"state": "complete", "published": False, "refused": True}, f"report {RUN}"),
        ({"state": "complete", "published": False, "selection": (("book:fx",),)}, f"report {RUN}"),
        ({"state": "complete", "published": False, "superseded_by": "later"}, f"report {RUN}"),
        ({"state": "complete"}, f"report {RUN}"),
    ],
)
def test_the_next_command(status: MakeStatus, changes: dict[str, object], step: str) -> None:
    assert summary(status(**changes), Invocation())[-1] == f"next: riskpipe {step}"


def test_the_next_command_means_the_same_configuration(status: MakeStatus) -> None:
    invocation = Invocation(config="my desk/a.yaml", as_of="2026-11-19", assignments=("retry.storage=1",))
    assert summary(status(), invocation)[-1].endswith(
        "3f9a1c -c 'my desk/a.yaml' --as-of 2026-11-19 --set retry.storage=1"
    )


def test_second_starts(status: MakeStatus) -> None:
    told = summary(status(second_starts=3, second_starts_won=2), Invocation())
    assert "3 second starts of blocks that took too long, of which 2 came first" in told
