"""Fault points: nothing unless this process has said what to do."""

from __future__ import annotations

import pytest
from fault_runs import at_point, out_of_order

from riskpipe.fault_points import FaultPoint, fault_point


def test_nothing_happens_without_a_handler() -> None:
    for point in FaultPoint:
        fault_point(point, object())


def test_a_handler_hears_of_its_point_alone_and_of_what_it_is_about() -> None:
    heard: list[object] = []
    with at_point(FaultPoint.VALUE, heard.append):
        fault_point(FaultPoint.VALUE, "one")
        fault_point(FaultPoint.MERGE, "another")
        fault_point(FaultPoint.VALUE, "two")
    fault_point(FaultPoint.VALUE, "after")
    assert heard == ["one", "two"]


def test_what_a_handler_raises_is_raised_there_at_that_time_alone() -> None:
    with at_point(FaultPoint.VALUE, out_of_order, times=2):
        fault_point(FaultPoint.VALUE)
        with pytest.raises(RuntimeError, match="out of order"):
            fault_point(FaultPoint.VALUE)
        fault_point(FaultPoint.VALUE)
