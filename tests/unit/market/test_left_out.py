"""Half a curve is none, also where it is not known of which curve a bad point is."""

from __future__ import annotations

import pyarrow as pa
import pytest

from riskpipe.market.left_out import without_errors

GOOD = [
    ("zero_rate:USD:1Y", "zero_rate", "USD"),
    ("zero_rate:USD:2Y", "zero_rate", "USD"),
    ("zero_rate:USD.SOFR:1Y", "zero_rate", "USD.SOFR"),
    ("spot:USD", "spot", "USD"),
    ("spot:SPX", "spot", "SPX"),
    ("fixing:USD:2026-01-05", "fixing", "USD"),
]


@pytest.mark.parametrize(
    ("point", "gone"),
    [
        (("zero_rate:USD:3Y", None, "USD"), {("zero_rate", "USD")}),
        (("zero_rate:USD:3Y", "zero_rate", None), {("zero_rate", "USD")}),
        (("zero_rate:USD:3Y", None, None), {("zero_rate", "USD")}),
        ((None, "zero_rate", "USD"), {("zero_rate", "USD")}),
        ((None, None, "USD"), {("zero_rate", "USD"), ("spot", "USD")}),
        ((None, "zero_rate", None), {("zero_rate", "USD"), ("zero_rate", "USD.SOFR")}),
        ((None, None, None), set()),  # an empty row
        (("elsewhere", None, None), set()),
    ],
)
def test_what_a_point_may_belong_to(point: tuple[str | None, ...], gone: set[tuple[str, str]]) -> None:
    rows = [*GOOD, point]
    columns = zip(*rows, strict=True)
    table = pa.table({n: pa.array(c, pa.string()) for n, c in zip(("factor", "kind", "name"), columns, strict=True)})
    sound, left_out = without_errors(table, frozenset({point[0] or f"row {len(GOOD)}"}))
    kept = [row for row in GOOD if row[1:] not in gone]
    assert sound.column("factor").to_pylist() == [row[0] for row in kept]
    assert left_out.groups >= gone
    assert {row[0] for row in GOOD if row[1:] in gone} <= left_out.factors


def test_nothing_wrong() -> None:
    table = pa.table({"factor": ["spot:SPX"], "kind": ["spot"], "name": ["SPX"]})
    sound, left_out = without_errors(table, frozenset())
    assert sound is table
    assert not left_out.groups
