"""What a day may be replaced by, what is left as it stands, and what a run says of itself afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_runs import at_point, out_of_order
from published import published

from riskpipe.config import Settings
from riskpipe.errors import Reason, UsageError
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.selection import parse_selection
from riskpipe.runs import opening
from riskpipe.runs.publication import Publication
from riskpipe.store.layout import CURRENT
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed, unsealed
from riskpipe.workflows import run
from riskpipe.workflows.publish import publish
from riskpipe.workflows.retry import retry
from riskpipe.workflows.runs import list_runs, show

Make = Callable[..., Settings]
CUT = ("partition.max_trades=100", "measures=[pv]")
WHOLE, FX = parse_selection([]), parse_selection(["product:fx_*"])


def do(settings: Settings, recorder: Any, selection: Any = WHOLE, **options: Any) -> Any:
    return run.run(settings, selection, resume="never", observer=recorder, **options)


def day(output: Path) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((output / CURRENT).read_text())["days"]["2026-11-20"]
    return entry


def state_of_files(output: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file; the lease comes and goes."""
    found = {path: path.stat() for path in output.rglob("*") if path.is_file()}
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def test_less_does_not_take_the_place_of_more(settings_of: Make, recorder: Any, tmp_path: Path) -> None:
    output, settings = tmp_path / "output", settings_of(*CUT)
    full = do(settings, recorder)
    assert (day(output)["trades"], day(output)["selection"], day(output)["measures"]) == (400, [], ["pv"])

    part = do(settings, recorder, FX)
    assert (part.published, part.refused, part.exit_code) == (False, False, 0)
    assert part.messages == ("not published: it is of a selection (product:fx_*)",)
    less = r"another selection \(product:fx_\*\) and has \d+ trades in place of 400.*--replace-day"
    with pytest.raises(UsageError, match=less):
        publish(settings, "latest")
    asked = do(settings, recorder, FX, publication=Publication("complete"))
    assert (asked.state, asked.published, asked.refused, asked.exit_code) == ("complete", False, True, 2)
    assert len(asked.messages) == 1
    assert f"which is from run {full.run_id}; --replace-day allows it" in asked.messages[0]
    assert retry(settings, "latest", WHOLE, recorder).exit_code == 2
    assert day(output)["run_id"] == full.run_id
    assert len(set(published(output, "valuations")["trade_id"].to_pylist())) == 400

    report = publish(settings, "latest", replace_day=True)

    assert (day(output)["run_id"], day(output)["selection"]) == (asked.run_id, [["product:fx_*"]])
    assert 0 < day(output)["trades"] == report.tables["valuations"] < 400
    again = do(settings, recorder)
    assert again.published, "the whole book takes the place of a part"
    assert retry(settings, full.run_id, WHOLE, recorder).superseded_by == again.run_id


def test_fewer_measures_do_not_take_the_place_of_more(settings_of: Make, recorder: Any, tmp_path: Path) -> None:
    do(settings_of("partition.max_trades=100", "measures=[pv, delta]"), recorder)
    less = do(settings_of(*CUT), recorder)
    assert (less.state, less.published, less.exit_code) == ("complete", False, 2)
    assert "lacks delta, and would replace all of 2026-11-20" in less.messages[0]
    assert do(settings_of(*CUT), recorder, publication=Publication(replace_day=True)).published


def test_a_day_of_which_the_trades_are_not_written_down(settings_of: Make, recorder: Any, tmp_path: Path) -> None:
    """As days were published before: from the run's plan, or else from the root of the aggregates."""
    output, settings = tmp_path / "output", settings_of(*CUT)
    store = open_store(str(output))
    full = do(settings, recorder)
    content = unsealed((output / CURRENT).read_bytes())
    for key in ("trades", "selection", "measures"):
        del content["days"]["2026-11-20"][key]
    (output / CURRENT).write_bytes(sealed(content))
    for _ in range(2):
        assert do(settings, recorder, FX, publication=Publication("always")).refused
        store.delete(RunFolder(store, full.run_id).plan)
    assert do(settings, recorder).published


def test_a_retry_of_an_older_run_leaves_the_later_one(settings_of: Make, recorder: Any) -> None:
    settings = settings_of(*CUT)
    with at_point(FaultPoint.VALUE, out_of_order):
        older = do(settings, recorder)
    newer = do(settings, recorder)
    status = retry(settings, older.run_id, WHOLE, recorder)
    assert (status.state, status.published, status.exit_code) == ("complete", False, 0)
    assert status.messages == (f"not published: 2026-11-20 is from run {newer.run_id}, which came later",)
    assert publish(settings, older.run_id).run_id == older.run_id


def test_nothing_to_do_touches_nothing(
    monkeypatch: pytest.MonkeyPatch, settings_of: Make, recorder: Any, tmp_path: Path
) -> None:
    output, settings = tmp_path / "output", settings_of(*CUT)
    first = do(settings, recorder)
    before = state_of_files(output)
    monkeypatch.setattr(opening, "open_executor", None)  # whoever starts a cluster fails

    retried = retry(settings, "latest", WHOLE, recorder)
    resumed = run.run(settings, WHOLE, resume=first.run_id, observer=recorder)
    told = retry(settings, "latest", WHOLE, recorder, publication=Publication("always"))
    report = publish(settings, "latest")

    assert retried == resumed == told == first
    assert report.stood
    assert report.tables["valuations"] == 400
    assert recorder.messages.count(("info", f"nothing to do: run {first.run_id} is complete")) == 3
    assert state_of_files(output) == before


def test_a_published_file_that_was_damaged_is_published_again(settings_of: Make, recorder: Any, tmp_path: Path) -> None:
    settings = settings_of(*CUT)
    do(settings, recorder)
    whole = published(tmp_path / "output", "valuations")
    (path,) = (tmp_path / "output/published/valuations/as_of=2026-11-20").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not publish(settings, "latest").stood
    assert published(tmp_path / "output", "valuations").equals(whole)


def test_a_partial_run_whose_failures_stay_is_left_alone(
    book: Path, settings_of: Make, recorder: Any, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = next((book / "data/portfolio/fx_forward").glob("*.parquet"))
    table = pq.read_table(path)
    amounts = [None, *table["buy_amount"].to_pylist()[1:]]
    column = table.schema.get_field_index("buy_amount")
    pq.write_table(table.set_column(column, "buy_amount", pa.array(amounts, pa.float64())), path)
    settings = settings_of(*CUT, book=book)
    first = do(settings, recorder)
    assert (first.state, first.failures_by_reason) == ("partial", {Reason.INVALID_TRADE.value: 1})
    assert day(tmp_path / "output")["trades"] == 400, "a trade that is quarantined is one of the day's"
    before = state_of_files(tmp_path / "output")
    status = retry(settings, "latest", WHOLE, recorder)
    assert (status, status.exit_code) == (first, 4)
    assert state_of_files(tmp_path / "output") == before


def test_a_run_that_was_replaced_says_by_whom(settings_of: Make, recorder: Any) -> None:
    settings = settings_of(*CUT)
    first, second = do(settings, recorder), do(settings, recorder)
    assert [(s.published, s.superseded_by) for s in list_runs(settings)] == [(False, second.run_id), (True, None)]
    publish(settings, first.run_id)
    assert [(s.published, s.superseded_by) for s in list_runs(settings)] == [(True, None), (False, first.run_id)]


def test_a_run_at_work_shows_its_time_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, settings_of: Make, recorder: Any
) -> None:
    settings = settings_of(*CUT)
    seen = []
    monkeypatch.setattr("riskpipe.store.ledger.FLUSH_SECONDS", 0.0)
    monkeypatch.setattr("riskpipe.store.ledger.FLUSH_SHARE", 0.0)
    with at_point(FaultPoint.VALUE, lambda task: seen.append(show(settings, "latest"))):
        do(settings, recorder)
    assert [status.state for status in seen] == ["running"] * len(seen)
    elapsed = [status.elapsed_seconds for status in seen]
    assert elapsed == sorted(elapsed)
    assert 0.0 < elapsed[0] < elapsed[-1]
    assert seen[0].remaining_seconds is None
    assert seen[-1].remaining_seconds > 0.0


def test_a_killed_run_says_how_long_it_was_heard_of(settings_of: Make, recorder: Any) -> None:
    def killed(subject: object) -> None:
        raise KeyboardInterrupt

    settings = settings_of(*CUT)
    with at_point(FaultPoint.PUBLISH, killed), pytest.raises(KeyboardInterrupt):
        do(settings, recorder)
    status = show(settings, "latest")
    assert (status.state, status.remaining_seconds) == ("interrupted", None)
    assert status.blocks.ok == status.blocks.planned
    assert 0.0 < status.elapsed_seconds < 600.0
