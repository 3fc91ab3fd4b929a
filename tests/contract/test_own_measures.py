"""A desk's own measures from a package of their own (the worked example of design.md): asked for, planned, priced and
accounted for as riskpipe's own are, and left out or refused where they are broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from distributions import install
from doc_pages import examples, text
from published import numbers, published

from riskpipe.config.keys import schema_text
from riskpipe.errors import ConfigurationError, UsageError
from riskpipe.inputs.opened import open_inputs
from riskpipe.measures import catalogue
from riskpipe.measures.catalogue import FAMILIES, families, known_families
from riskpipe.plan.selection import Selection
from riskpipe.results import differences
from riskpipe.sample.writer import write_sample
from riskpipe.workflows.plan import plan
from riskpipe.workflows.run import run

FILES = examples(text("design.md"))
PROJECT, CODE = FILES["measures/pyproject.toml"], FILES["desk_measures.py"]
OWN = ("dividend01", "dividend_convexity")
ASKED = "measures=[pv, dividend01, dividend_convexity]"

Put = Callable[..., None]


def _forget() -> None:
    caches = (known_families, catalogue.valuation_measures, catalogue.additive_measures, differences.additive)
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """put(("version = 1", "version = 2"), ...) installs the example, with some of its text changed."""

    def make(*changes: tuple[str, str], target: str = "desk_measures:Dividends") -> None:
        code = CODE
        for old, new in changes:
            assert old in code
            code = code.replace(old, new)
        install(tmp_path / "site", PROJECT.replace("desk_measures:Dividends", target), code, monkeypatch)
        _forget()

    yield make
    _forget()


@pytest.fixture(scope="module")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of the usual one: options that depend on dividend yields, and swaps, which do not."""
    directory = tmp_path_factory.mktemp("options") / "small"
    products = {"equity_option": 0.6, "interest_rate_swap": 0.4}
    write_sample(directory, trades=40, scenarios=5, seed=3, products=products)
    return directory


@pytest.fixture
def shifted(book: Path) -> Path:
    """The small book with all dividend yields 10 bp up and down as its stresses."""
    moves = {"up": 0.001, "down": -0.001}
    rows = [
        {"scenario": name, "factor": "dividend_yield:*", "shift_type": "absolute", "shift": shift}
        for name, shift in moves.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), book / "data" / "scenarios.parquet")
    return book


def _values(output: Path, measure: str) -> dict[str, tuple[str, float | None]]:
    rows = published(output, "valuations").filter(pc.field("measure") == measure).to_pylist()
    return {row["trade_id"]: (row["status"], row["value_base"]) for row in rows}


def _hold_same(one: Path, other: Path) -> None:
    for table in ("valuations", "sensitivities", "aggregates"):
        rows = numbers(one, table)
        assert rows.num_rows
        assert rows.equals(numbers(other, table)), table


def test_from_the_configuration_to_the_published_day(put: Put, settings_of, recorder, shifted, tmp_path: Path) -> None:
    put()
    asked = "measures=[pv, dividend01, dividend_convexity, stress]"
    status = run(settings_of(asked, "inputs.limits=null", book=shifted), Selection(), observer=recorder)
    assert (status.state, status.published, status.messages) == ("complete", True, ())

    output = tmp_path / "output"
    found = {measure: _values(output, measure) for measure in OWN}
    names = {row["scenario"]: row["index"] for row in published(output, "scenarios").to_pylist()}
    pnl = {
        row["trade_id"]: [row["pnl"][names[name]] for name in ("up", "down")]
        for row in published(output, "scenario_pnl").to_pylist()
    }
    moved = {trade for trade, (up, down) in pnl.items() if up or down}
    assert moved
    for trade, (up, down) in pnl.items():
        first, second = found["dividend01"][trade], found["dividend_convexity"][trade]
        if trade in moved:
            assert first == ("ok", pytest.approx((up - down) / 20.0, rel=1e-9, abs=1e-9))
            assert second == ("ok", pytest.approx(up + down, rel=1e-6, abs=1e-6))
        elif first[0] == "ok":
            assert (first[1], second[1]) == (0.0, 0.0)

    rows = published(output, "sensitivities").filter(pc.field("measure") == "dividend01").to_pylist()
    assert {row["factor"].split(":")[0] for row in rows} == {"dividend_yield"}
    assert {row["shift_type"] for row in rows} == {"absolute"}
    assert [row["shift"] for row in rows] == pytest.approx([0.001] * len(rows), rel=1e-9)
    root = published(output, "aggregates").filter((pc.field("level") == 0) & (pc.field("measure") == "dividend01"))
    total = sum(value or 0.0 for _, value in found["dividend01"].values())
    assert root["value_base"].to_pylist() == [pytest.approx(total, rel=1e-12)]


@pytest.mark.slow
def test_workers_of_dask_make_the_same_bits(put: Put, settings_of, recorder, tmp_path: Path) -> None:
    put()
    cut = ("cluster.kind=local", "cluster.workers=2", "partition.max_trades=11")
    for settings in (settings_of(ASKED, output="one"), settings_of(ASKED, *cut, output="two")):
        assert run(settings, Selection(), observer=recorder).state == "complete"

    _hold_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_one_without_the_other(put: Put, settings_of, recorder, tmp_path: Path) -> None:
    put()
    run(settings_of(ASKED, output="both"), Selection(), observer=recorder)
    run(settings_of("measures=[dividend_convexity]", output="one"), Selection(), observer=recorder)

    assert set(published(tmp_path / "one", "valuations")["measure"].to_pylist()) == {"dividend_convexity"}
    assert _values(tmp_path / "one", OWN[1]) == _values(tmp_path / "both", OWN[1])


def test_another_version_is_another_number(put: Put, settings_of, recorder) -> None:
    put()
    settings = settings_of(ASKED)
    run(settings, Selection(), observer=recorder)
    put(("version = 1", "version = 2"), ("STEP = 0.001", "STEP = 0.002"))

    reuse = plan(settings, Selection(), since="latest").reuse
    assert reuse is not None
    other = {row["name"]: row["why"] for row in reuse["differences"] if row["what"] == "measure"}
    assert other == dict.fromkeys(OWN, "version 2 in place of 1")
    with pytest.raises(UsageError, match="measure dividend01 version 1, here 2"):
        run(settings, Selection(), observer=recorder, resume="latest")
    assert run(settings, Selection(), observer=recorder).numbers.reused == 0


def test_limits_may_name_it(put: Put, settings_of, recorder, book: Path, tmp_path: Path) -> None:
    put()
    limits = {"book": [""], "measure": ["dividend01"], "warning": [0.0], "limit": [0.0], "direction": ["lower"]}
    pq.write_table(pa.table(limits), book / "data" / "limits.parquet")
    settings = settings_of(ASKED, f"inputs.limits={book / 'data' / 'limits.parquet'}", book=book)
    assert run(settings, Selection(), observer=recorder).published

    (row,) = published(tmp_path / "output", "limit_checks").to_pylist()
    assert row["measure"] == "dividend01"


def test_the_schema_for_editors_has_it(put: Put) -> None:
    assert "dividend01" not in schema_text()
    put()
    assert '"dividend01"' in schema_text()


# -- what is broken


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('name = "dividends"', 'name = "vega"'), "the family of measures 'vega' of desk_measures:Dividends"),
        (('("dividend01", ', '("dv01", '), "the measure 'dv01' of desk_measures:Dividends .* is there already"),
        (('("dividend01", ', '("var_99", '), "the measure 'var_99' of desk_measures:Dividends .* is there already"),
        (('("dividend01", ', '("a b", '), "the measure 'a b' of desk_measures:Dividends .* is no name"),
    ],
)
def test_names_that_cannot_be(put: Put, change: tuple[str, str], told: str) -> None:
    put(change)
    with pytest.raises(UsageError, match=told):
        known_families()


def test_one_that_does_not_import_is_named_and_the_others_go_on(put: Put, settings_of, recorder) -> None:
    put(target="desk_measures:Missing")
    why = "the plug-in 'dividends' of the package desk-measures 1.0 is left out: it does not import: AttributeError"
    assert list(known_families()) == [family.name for family in FAMILIES]

    settings = settings_of("measures=[pv, dv01]")
    told = [fault.message for fault in open_inputs(settings).faults if fault.rule == "broken plug-in"]
    assert [message[: len(why)] for message in told] == [why]
    assert run(settings, Selection(), observer=recorder).state == "complete"
    with pytest.raises(ConfigurationError, match=f"(?s)one of pv, delta.*{why}"):
        settings_of(ASKED)
    with pytest.raises(UsageError, match=f"no measure is called 'dividend01' here; {why}"):
        families(("dividend01",))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("width = 2", "width = 3"), "has 2 columns in place of 3"),
        (("kinds = ", "kinds = ('spot',) or "), "bumps dividend_yield, which are not among its `kinds`|no array"),
        (("today - STEP", "today[:0]"), "are not one finite number for each of its factors"),
        (("factors = factors_of(group)", "factors = factors_of(group) + 10_000_000"), "IndexError"),
        (("today = ", "today = 1 / 0 + "), "ZeroDivisionError"),
    ],
)
def test_subjects_that_cannot_be(put: Put, settings_of, change: tuple[str, str], told: str) -> None:
    put(("groups_of(snapshot, self.kinds)", "groups_of(snapshot, ('dividend_yield',))"), change)
    refused = f"the measures dividend01, dividend_convexity of desk_measures cannot be made: .*({told})"
    with pytest.raises(UsageError, match=refused):
        open_inputs(settings_of(ASKED))


@pytest.mark.slow
def test_trades_fail_alone_where_the_function_raises(put: Put, settings_of, recorder, tmp_path: Path) -> None:
    """However the trades are cut, the same ones fail, in these measures alone."""
    put()
    good = settings_of(ASKED, output="good")
    run(good, Selection(), observer=recorder)
    values = np.array([abs(v or 0.0) for _, v in _values(tmp_path / "good", "pv").values()])
    most = float(np.median(values))
    raises = f"        if (abs(base) > {most!r}).any():\n            raise OverflowError('of the desk')\n"
    put(("        up, down = values", f"{raises}        up, down = values"))
    status = run(settings_of(ASKED), Selection(), observer=recorder)
    run(settings_of(ASKED, "partition.max_trades=7", output="cut"), Selection(), observer=recorder)

    assert status.state == "partial"
    _hold_same(tmp_path / "output", tmp_path / "cut")
    output = tmp_path / "output"
    pv, found, sound = _values(output, "pv"), _values(output, OWN[0]), _values(tmp_path / "good", OWN[0])
    assert pv == _values(tmp_path / "good", "pv")
    failed = {trade for trade, (state, _) in found.items() if state == "failed"}
    assert 0 < len(failed) == status.failures_by_reason["PRICING_ERROR"]
    for trade in found.keys() - failed:
        assert found[trade] == sound[trade]
    native = published(output, "valuations").filter(pc.field("measure") == "pv").to_pylist()
    big = {row["trade_id"] for row in native if abs(row["value"]) > most}
    assert failed == {trade for trade in big if sound[trade][0] == "ok"}
