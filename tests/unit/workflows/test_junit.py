"""JUnit XML of checks and gates."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from riskpipe.errors import UsageError
from riskpipe.plan.accounting import GateResult
from riskpipe.workflows.junit import write_junit

FAULTS = [
    {
        "level": "error",
        "table": "market",
        "file": "m.parquet",
        "column": "value",
        "rule": "missing",
        "message": "\x00<1>",
    },
    {"level": "warning", "table": "inputs.histories.x", "file": "", "column": "", "rule": "odd", "message": "odd"},
]


def test_errors_are_failures_and_what_is_sound_passes(tmp_path: Path) -> None:
    gates = [GateResult("gates.limits", "error", "breached"), GateResult("gates.change[0]", "passed", "near")]
    write_junit(tmp_path / "x.xml", "2026-11-20", FAULTS, gates)
    root = ElementTree.parse(tmp_path / "x.xml").getroot()
    assert {suite.get("name"): suite.get("failures") for suite in root} == {"checks": "1", "gates": "1"}
    failed = [failure.get("message") for failure in root.iter("failure")]
    assert failed == ["\ufffd<1>", "breached"]
    passed = {case.get("classname") for case in root.iter("testcase") if case.get("name") == "no faults"}
    assert passed == {"checks.portfolio", "checks.history", "checks.scenarios", "checks.limits"}


def test_a_place_that_does_not_serve(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--junit"):
        write_junit(tmp_path / "nothing" / "x.xml", "2026-11-20", [], ())
