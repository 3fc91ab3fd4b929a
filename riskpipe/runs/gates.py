"""What a day must pass before it is published: limits, failed trades, changes since the day published before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.analyses.limit_checks import LimitChecks
from riskpipe.analyses.limit_terms import AGGREGATED_TAILS, FIGURES_OF_THE_TAIL
from riskpipe.config.gates_section import ChangeGate
from riskpipe.errors import GateError
from riskpipe.measures.measure_names import WHOLE_RISK
from riskpipe.plan.accounting import GateResult
from riskpipe.runs.limits import breaches, read_limits
from riskpipe.runs.session import Session
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.process import who
from riskpipe.store.published import read_current
from riskpipe.store.result_tables import ResultStatus
from riskpipe.store.written_files import WrittenFile
from riskpipe.structs import asdict

SHOWN = 5
_ROWS_AT_A_TIME = 131_072
PASSED, WARNING, ERROR = "passed", "warning", "error"

Staged = Mapping[str, Sequence[WrittenFile]]
Key = tuple[str, str, str]
"""Measure or figure, book, scenario set."""


class Override(Struct, frozen=True):
    """Who lets a day be published in spite of its gates, why and when: kept in meta/CURRENT.json."""

    reason: str
    by: str
    at: str

    @staticmethod
    def now(reason: str) -> Override:
        return Override(reason, who(), datetime.now(UTC).isoformat(timespec="seconds"))


class _Before(Struct, frozen=True):
    """The day that was published before this one."""

    as_of: str
    tables: Mapping[str, Any]

    def paths(self, table: str) -> list[str]:
        return [file["path"] for file in self.tables.get(table, {"files": []})["files"]]


def check_gates(session: Session, staged: Staged, override: Override | None) -> dict[str, Any]:
    """Look at every gate of a day that is put together; what each says is kept in `session.gates`.

    :return: what CURRENT.json is to say: the override, if it was needed.
    :raises GateError: one that is an error does not pass, and nothing overrides it.
    """
    session.gates = [*_limits(session, staged), *_failed_trades(session, staged), *_changes(session, staged)]
    failed = [gate for gate in session.gates if gate.result == ERROR]
    for gate in session.gates:
        if gate.result == WARNING:
            session.note(gate.message)
    if not failed:
        return {}
    told = "; ".join(f"{gate.message} ({gate.name} is error)" for gate in failed)
    if override is None:
        raise GateError(
            f"{told}; `riskpipe publish {session.folder.run_id} --override REASON` publishes the day all the same"
        )
    session.note(f"published in spite of its gates by {override.by} ({override.reason}): {told}")
    return {"override": {**asdict(override), "gates": [gate.message for gate in failed]}}


def _limits(session: Session, staged: Staged) -> Iterator[GateResult]:
    """What is beyond its limit."""
    limits = read_limits(session.folder)
    if not limits:
        return
    tails = (FIGURES_OF_THE_TAIL, *AGGREGATED_TAILS) if "historical_var" in session.plan.header.measures else ()
    missing = sorted({limit.measure for limit in limits}.difference(session.plan.header.measures, tails))
    if missing:
        session.observer.message("info", f"limits are not checked of what this run does not have: {', '.join(missing)}")
    told = breaches(session.folder, staged.get(LimitChecks.name, ()))
    level = session.settings.gates.limits
    yield GateResult("gates.limits", PASSED if told is None else level, told or f"{len(limits)} limits hold")


# -- failed trades


def _failed_trades(session: Session, staged: Staged) -> Iterator[GateResult]:
    gate = session.settings.gates.failed_trades
    if gate.count is None and gate.share is None and gate.pv_share is None:
        return
    store, trades = session.folder.store, int(session.plan.header.totals["trades"])
    failed: set[str] = set()
    for rows in _rows(store, [f.path for f in staged.get("valuations", ())], ["trade_id", "status"]):
        failed.update(rows.filter(pc.equal(rows["status"], ResultStatus.FAILED))["trade_id"].unique().to_pylist())
    share = len(failed) / trades if trades else 0.0
    found: list[tuple[str, float | None, float, str]] = [
        ("count", gate.count, len(failed), f"{len(failed):,} trades failed, at most {gate.count} may"),
        ("share", gate.share, share, f"{share:.2%} of the trades failed, at most {gate.share or 0:.2%} may"),
    ]
    before = _before(session) if gate.pv_share is not None else None
    if before is not None:
        of_pv = _share_of_pv(store, before.paths("valuations"), failed)
        text = f"trades that failed had {of_pv:.2%} of |pv| on {before.as_of}, at most {gate.pv_share or 0:.2%} may"
        found.append(("pv_share", gate.pv_share, of_pv, text))
    for name, most, value, message in found:
        if most is not None:
            yield GateResult(f"gates.failed_trades.{name}", gate.level if value > most else PASSED, message)


def _share_of_pv(store: Store, paths: Sequence[str], trades: set[str]) -> float:
    """Of the sum of |pv| of all trades of a day."""
    those, total, named = 0.0, 0.0, pa.array(sorted(trades), pa.string())
    for rows in _rows(store, paths, ["trade_id", "measure", "value_base"]):
        rows = rows.filter(pc.and_(pc.equal(rows["measure"], "pv"), pc.is_valid(rows["value_base"])))
        sizes = pc.abs(rows["value_base"])
        total += pc.sum(sizes).as_py() or 0.0
        those += pc.sum(sizes.filter(pc.is_in(rows["trade_id"], value_set=named))).as_py() or 0.0
    return those / total if total else 0.0


# -- changes


def _changes(session: Session, staged: Staged) -> Iterator[GateResult]:
    gates = session.settings.gates.change
    before = _before(session) if gates else None
    if before is None:
        return
    store, measures = session.folder.store, [gate.measure for gate in gates]
    today = _figures(store, {name: [file.path for file in files] for name, files in staged.items()}, measures)
    yesterday = _figures(store, {name: before.paths(name) for name in before.tables}, measures)
    for number, gate in enumerate(gates):
        keys = sorted(key for key in {*today, *yesterday} if _is_of(gate, key))
        beyond = [key for key in keys if _beyond(gate, today.get(key, 0.0), yesterday.get(key, 0.0))]
        name = f"gates.change[{number}]"
        if not beyond:
            yield GateResult(name, PASSED, f"{len(keys)} figures ({gate.measure}) are near those of {before.as_of}")
            continue
        told = [_told(key, yesterday.get(key), today.get(key)) for key in beyond[:SHOWN]]
        more = f"; and {len(beyond) - SHOWN} more" if len(beyond) > SHOWN else ""
        message = f"{len(beyond)} figures changed since {before.as_of}: {'; '.join(told)}{more}"
        yield GateResult(name, gate.level, message)


def _is_of(gate: ChangeGate, key: Key) -> bool:
    return fnmatchcase(key[0], gate.measure) and fnmatchcase(key[1], gate.book)


def _beyond(gate: ChangeGate, value: float | None, before: float | None) -> bool:
    """None: the book has the figure, and it is not known."""
    if value is None or before is None:
        return value is not before
    change = abs(value - before)
    far = gate.absolute is None or change > gate.absolute
    return far and (gate.relative is None or change > gate.relative * abs(before))


def _told(key: Key, before: float | None, value: float | None) -> str:
    def number(figure: float | None) -> str:
        return "none" if figure is None else f"{figure:,.0f}"

    measure, book, scenario_set = key
    which = f" ({scenario_set})" if scenario_set else ""
    return f"{book or 'the root'}: {measure}{which} {number(before)} -> {number(value)}"


def _figures(store: Store, tables: Mapping[str, Sequence[str]], measures: Sequence[str]) -> dict[Key, float | None]:
    """Of books: measures of `aggregates`, stresses aside, and whole figures of `var`. None: it is not known."""
    found: dict[Key, float | None] = {}
    columns = ["book", "measure", "scenario_set", "scenario", "value_base"]
    for rows in _rows(store, tables.get("aggregates", ()), columns):
        _add(found, rows.filter(pc.is_null(rows["scenario"])), "measure", measures)
    columns = ["book", "name", "scenario_set", "risk_class", "value_base"]
    for rows in _rows(store, tables.get("var", ()), columns):
        _add(found, rows.filter(pc.equal(rows["risk_class"], WHOLE_RISK)), "name", measures)
    return found


def _add(found: dict[Key, float | None], rows: pa.Table, name: str, measures: Sequence[str]) -> None:
    named = [text for text in rows[name].unique().to_pylist() if any(fnmatchcase(text, glob) for glob in measures)]
    rows = rows.filter(pc.is_in(rows[name], value_set=pa.array(named, pa.string())))
    keys = zip(*(rows[column].to_pylist() for column in (name, "book", "scenario_set", "value_base")), strict=True)
    for measure, book, scenario_set, value in keys:
        found[measure, book, scenario_set or ""] = value


# -- reading


def _before(session: Session) -> _Before | None:
    """The last day published before this one; None, which is told: there is none."""
    today = session.plan.header.as_of
    earlier = {day: entry for day, entry in read_current(session.folder.store).items() if day < today}
    if not earlier:
        session.observer.message("info", "no earlier day is published: gates that compare with it pass")
        return None
    day, mine = max(earlier), session.plan.header.base_currency
    if earlier[day].get("base_currency", mine) != mine:
        session.note(
            f"{day} is published in {earlier[day]['base_currency']}, this day in {mine}: they are not compared"
        )
        return None
    return _Before(day, earlier[day]["tables"])


def _rows(store: Store, paths: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
    for path in paths:
        with open_parquet(store, path) as file:
            for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=list(columns)):
                yield pa.Table.from_batches([batch])
