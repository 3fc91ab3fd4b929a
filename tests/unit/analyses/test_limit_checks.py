"""Table `limit_checks`: which values a limit is of, and on which side of it they are."""

from __future__ import annotations

import numpy as np
import pytest
from analysed_days import day, made
from msgspec.structs import replace

from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.analyses.limit_terms import Limit
from riskpipe.measures.tail_definition import TailDefinition

BOOKS = {
    "fx": np.array([-50.0, 10.0, -20.0]),
    "rates/eur": np.array([200.0, -5.0, 0.0]),
    "rates/usd": np.array([-30.0, 1.0, 2.0]),
}


def checked(*limits: Limit) -> list[tuple[str, float | None, float | None, str]]:
    of = day({**BOOKS, "rates/failed": None}, tails=[TailDefinition("var_99", "var", 0.99)])
    rows = made(ANALYSES["limit_checks"], replace(of, terms=replace(of.terms, limits=limits))).to_pylist()
    return [(row["book"], row["value_base"], row["use"], row["status"]) for row in rows]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit("fx", "pv", None, None, 10.0, "upper"), [("fx", -50.0, -5.0, "ok")]),
        (Limit("fx", "pv", None, -60.0, -40.0, "upper"), [("fx", -50.0, 1.25, "warning")]),
        (Limit("fx", "pv", None, -20.0, -60.0, "lower"), [("fx", -50.0, 50 / 60, "warning")]),
        (Limit("fx", "pv", None, None, -50.0, "lower"), [("fx", -50.0, 1.0, "ok")]),
        (Limit("fx", "pv", None, None, -49.0, "lower"), [("fx", -50.0, 50 / 49, "breach")]),
        (Limit("fx", "pv", None, 40.0, 50.0, "absolute"), [("fx", -50.0, 1.0, "warning")]),
        (Limit("fx", "pv", None, None, 0.0, "absolute"), [("fx", -50.0, None, "breach")]),
        (
            Limit("rates/*", "pv", None, None, 100.0, "absolute"),
            [
                ("rates/eur", 200.0, 2.0, "breach"),
                ("rates/failed", None, None, "breach"),
                ("rates/usd", -30.0, 0.3, "ok"),
            ],
        ),
        (Limit("", "pv", None, None, 120.0, "upper"), [("", 120.0, 1.0, "ok")]),
        (Limit("nobody", "pv", None, None, 1.0, "upper"), []),
    ],
)
def test_values_against_a_limit(limit: Limit, expected: list[tuple[str, float | None, float | None, str]]) -> None:
    assert checked(limit) == [(*row[:2], pytest.approx(row[2]), row[3]) for row in expected]
