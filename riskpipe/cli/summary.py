"""How a run ended, in at most 15 lines; the last names the next command to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, count, duration, plural
from riskpipe.plan.accounting import RunLifecycle

if TYPE_CHECKING:
    from riskpipe.plan.accounting import Counts, RunStatus

MOST_LINES = 15
MOST_MESSAGES = 3
TITLES = {"pv": "PV", "var_99": "VaR 99 %", "es_97_5": "ES 97.5 %"}
MOST_REASONS = 5
# Room for a message's way out, which stands at its end.
MOST_CHARACTERS = 400


def summary(status: RunStatus, invocation: Invocation, report: str | None = None) -> list[str]:
    """Lines for a person; everything is also in the status' JSON.

    :param report: where the run's page is, which then stands last.
    """
    lines = [_title(status), "", *_table(status), ""]
    if status.headline:
        lines.append(_headline(status))
    if status.failures_by_reason:
        lines.append(f"failed: {_reasons(status)}")
    if status.second_starts:
        lines.append(_second_starts(status))
    lines += [_shortened(text) for text in status.messages[:MOST_MESSAGES]]
    if len(status.messages) > MOST_MESSAGES:
        lines.append(f"and {plural(len(status.messages) - MOST_MESSAGES, 'more message')}")
    if status.phases:
        lines.append(", ".join(f"{name} {duration(seconds)}" for name, seconds in status.phases.items()))
    if status.deadline is not None and status.state.ended:
        lines.append(f"deadline {status.deadline}: {'missed' if status.at_risk else 'met'}")
    lines.append(_where(status))
    step = next_step(status)
    if report is not None:
        lines.append(f"report: {report}")
    elif step:
        lines.append(f"next: {invocation.next_command(step)}")
    return lines


def next_step(status: RunStatus) -> str:
    """The command that helps now; none that would replace a day by less."""
    if status.state is RunLifecycle.RUNNING:
        return f"runs show {status.run_id} --watch"
    if status.state is RunLifecycle.INTERRUPTED:
        return f"run --resume {status.run_id}" if status.blocks.planned else "run"
    if status.state is RunLifecycle.PARTIAL:
        return f"retry {status.run_id}" if _worth_a_retry(status) else "check"
    if status.published:
        return f"report {status.run_id}"
    if status.superseded_by or status.refused or status.selection:
        return f"report {status.run_id}"
    return f"publish {status.run_id}"


def _worth_a_retry(status: RunStatus) -> bool:
    """Trades that are invalid or lack market data fail again until the inputs are mended."""
    from riskpipe.errors import Reason

    known = {reason.value for reason in Reason if not reason.retryable}
    return status.blocks.cancelled > 0 or not set(status.failures_by_reason) <= known


def _title(status: RunStatus) -> str:
    title = f"run {status.run_id} of {status.as_of}: {status.state} in {duration(status.elapsed_seconds)}"
    if status.trades:
        title += f"; {plural(status.trades, 'trade')}"
    # The valuations are those of the plan: a session that did not do all of it has no rate.
    if status.valuations and status.elapsed_seconds > 0 and status.blocks.ok == status.blocks.planned:
        rate = round(status.valuations / status.elapsed_seconds)
        title += f", {plural(status.valuations, 'valuation')} ({count(rate)}/s)"
    return title


def _table(status: RunStatus) -> list[str]:
    def row(name: str, counts: Counts) -> list[str]:
        values = (
            counts.planned,
            counts.ok,
            counts.reused,
            counts.failed,
            counts.not_applicable,
            counts.cancelled,
        )
        return [name, *map(count, values)]

    header = ["", "planned", "ok", "reused", "failed", "not applicable", "cancelled"]
    return columns(header, [row("blocks", status.blocks), row("numbers", status.numbers)], range(1, 7))


def _headline(status: RunStatus) -> str:
    figures = (f"{TITLES.get(name, name)} {value:,.0f}" for name, value in status.headline.items())
    return f"all books, {status.currency}: {', '.join(figures)}"


def _reasons(status: RunStatus) -> str:
    ordered = sorted(status.failures_by_reason.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{reason} {count(number)}" for reason, number in ordered[:MOST_REASONS])
    rest = ordered[MOST_REASONS:]
    return f"{text}, {plural(len(rest), 'other reason')} {count(sum(n for _, n in rest))}" if rest else text


def _second_starts(status: RunStatus) -> str:
    blocks = plural(status.second_starts, "second start")
    return f"{blocks} of blocks that took too long, of which {count(status.second_starts_won)} came first"


def _where(status: RunStatus) -> str:
    published = "published" if status.published else "not published"
    if status.superseded_by is not None:
        published = f"superseded by run {status.superseded_by}"
    return f"{published}; results under {status.output}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 3]}..."
