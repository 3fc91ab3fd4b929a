"""Checks and gates as JUnit XML, which CI systems show: a test case for each rule of an input and for each gate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from riskpipe.errors import Level, UsageError
from riskpipe.plan.accounting import GateResult

INPUTS = ("portfolio", "market", "history", "scenarios", "limits")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, as_of: str, faults: Iterable[Mapping[str, Any]], gates: Sequence[GateResult]) -> None:
    """Errors are failures; warnings pass, and stand in `system-out`.

    :param faults: level, table, file, column, rule, rows, message of each. :raises UsageError: it cannot be written.
    """
    root = ElementTree.Element("testsuites", name=f"riskpipe {as_of}")
    _suite(root, "checks", as_of, list(_checks(faults)))
    if gates:
        _suite(root, "gates", as_of, [("gates", gate.name, gate.result, gate.message) for gate in gates])
    try:
        path.write_bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))
    except OSError as error:
        raise UsageError(f"--junit {path}: cannot be written: {error.strerror or error}") from error


Case = tuple[str, str, str, str]
"""Class, name, result (passed, warning, error), message."""


def _checks(faults: Iterable[Mapping[str, Any]]) -> Iterable[Case]:
    """Every fault, and each input that has none."""
    faulty = set()
    for fault in faults:
        faulty.add(str(fault["table"]).split(".")[0])
        where = " ".join(filter(None, (fault["file"], fault["column"])))
        yield f"checks.{fault['table']}", f"{fault['rule']}: {where}", str(fault["level"]), str(fault["message"])
    for name in INPUTS:
        if name not in faulty:
            yield f"checks.{name}", "no faults", "passed", ""


def _suite(root: ElementTree.Element, name: str, as_of: str, cases: Sequence[Case]) -> None:
    failures = sum(result == Level.ERROR for _, _, result, _ in cases)
    counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0"}
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, "timestamp": as_of, **counts})
    for of, title, result, message in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=_text(of), name=_text(title))
        if result == Level.ERROR:
            ElementTree.SubElement(case, "failure", message=_text(message)).text = _text(message)
        elif message:
            ElementTree.SubElement(case, "system-out").text = _text(f"{result}: {message}")


def _text(value: str) -> str:
    """What XML can hold."""
    return _FORBIDDEN.sub("�", value)
