"""Rows that are wrong: those trades fail by name, with a reason; every other number is what it would have been."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from spoiled import Answer, Book, assert_only_these_fail, rewrite, rows_where, run_directory, with_cells

from riskpipe.config import load_settings
from riskpipe.inputs.opened import open_inputs
from riskpipe.plan.piece_files import PieceFiles
from riskpipe.plan.survey import Survey
from riskpipe.plan.survey_piece import Portfolio
from riskpipe.products.base import RowFaults
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.trades import Trades
from riskpipe.store.location import open_store

INVALID, MISSING = "INVALID_TRADE", "MISSING_MARKET_DATA"


def ids(book: Book, product: str) -> list[str]:
    return pq.read_table(book.trades(product), columns=["trade_id"]).column("trade_id").to_pylist()


class Spoiler:
    """Spoils one cell after the other, and remembers what is expected of each."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.failed: dict[str, tuple[str, str]] = {}
        self.renamed: set[str] = set()
        self.doubled: list[str] = []
        self.faults: list[tuple[str, str, str, int, list[str]]] = []

    def cell(self, product: str, row: int, column: str, value: object, rule: str, reason: str, message: str) -> None:
        trade = ids(self.book, product)[row]
        rewrite(self.book.trades(product), with_cells(column, {row: value}))
        if column == "trade_id":
            self.renamed.add(trade)
            trade = str(value or f"{product}/part-000.parquet#{row}")
        self.failed[trade] = (reason, message)
        self.faults.append((f"{product}/part-000.parquet", column, rule, 1, [trade]))

    def duplicate(self, product: str, row: int, of: tuple[str, int]) -> None:
        """A row gets the id of another; in the results each of the two stands for itself."""
        trade = ids(self.book, of[0])[of[1]]
        self.renamed |= {ids(self.book, product)[row], trade}
        rewrite(self.book.trades(product), with_cells("trade_id", {row: trade}))
        for place in ((product, row), of):
            self.failed[f"{trade}#{place[0]}/part-000.parquet#{place[1]}"] = (INVALID, "occurs more than once")
        self.doubled.append(trade)


@pytest.fixture
def spoiler(spoilt: Book) -> Spoiler:
    """One fault of every kind, each in trades of its own, and duplicates within a file and between products."""
    spoiler = Spoiler(spoilt)
    cell = spoiler.cell
    cell("bond", 1, "coupon", float("nan"), "finite", INVALID, "coupon is not a finite number")
    cell("bond", 2, "face", float("inf"), "finite", INVALID, "face is not a finite number")
    cell("fx_option", 3, "expiry_date", date(2026, 11, 19), "fixing", MISSING, "rate that decided whether the option")
    cell("equity_option", 12, "expiry_date", date(2026, 11, 19), "not_past", INVALID, "expiry in the past")
    cell("equity_option", 13, "expiry_date", date(9999, 12, 31), "date_range", INVALID, "stands for none")
    cell("fx_forward", 10, "delivery_date", date(1900, 1, 1), "date_range", INVALID, "in the years 1901 to 2199")
    cell("fx_option", 4, "option_type", "cal", "choice", INVALID, "option_type 'cal' is unknown; is it 'call'?")
    cell("fx_option", 5, "strike", -1.0, "positive", INVALID, "strike must be above zero")
    cell("fx_forward", 6, "buy_currency", "EURO", "currency", INVALID, "not an ISO currency code")
    cell("fx_forward", 7, "buy_amount", None, "not_null", INVALID, "buy_amount is null")
    cell("fx_forward", 8, "trade_id", None, "not_null", INVALID, "trade_id is null")
    cell("fx_forward", 9, "book", " ", "not_empty", INVALID, "book is empty")
    cell("equity_option", 10, "currency", "ZZZ", "currency", INVALID, "the trade takes it in ZZZ")
    cell("equity_option", 11, "underlying", "SPX1", "market_data", MISSING, "spot:SPX1; did you mean 'SPX'?")
    cell("interest_rate_swap", 12, "maturity_date", date(2001, 1, 1), "date_order", INVALID, "is not after start_date")
    cell("bond", 4, "maturity_date", date(2026, 11, 19), "not_past", INVALID, "maturity in the past")
    cell("interest_rate_swap", 13, "calendar", "MARS", "calendar", INVALID, "unknown calendar")
    cell("credit_default_swap", 3, "recovery", 1.0, "below_one", INVALID, "recovery")
    spoiler.duplicate("commodity_option", 5, of=("commodity_option", 2))
    spoiler.duplicate("equity_option", 20, of=("bond", 7))
    return spoiler


def test_each_fails_by_name_and_no_other(spoiler: Spoiler, clean: Path) -> None:
    book = spoiler.book
    answer = book.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    reasons = answer.json["failures_by_reason"]
    assert reasons == {INVALID: 20, MISSING: 2}  # the two duplicated ids stand in two rows each
    assert answer.json["published"] is True
    assert_only_these_fail(clean, book.output, spoiler.failed, spoiler.renamed)
    checks = pq.read_table(run_directory(book.output) / "checks.parquet").to_pylist()
    assert_listed(spoiler, checks)
    assert f"{len(checks)} faults in the inputs" in answer.stderr
    assert "checks.parquet" in answer.stderr


def test_check_lists_them_all_and_plan_counts_them(spoiler: Spoiler) -> None:
    book = spoiler.book
    answer = book.check()
    assert answer.code == 3
    assert answer.stderr == ""
    report = answer.json
    assert (report["trades"], report["quarantined"], report["blocking"]) == (400, 22, False)
    assert report["exit_code"] == 3
    assert_listed(spoiler, report["faults"])
    assert pq.read_table(book.output / "meta" / "checks.parquet").num_rows == report["errors"] == len(report["faults"])
    plan = book.riskpipe("plan", "--json")
    assert plan.code == 0
    assert plan.json["quarantined"] == 22
    assert plan.json["trades"] == 400
    assert "22 trades will fail with a reason" in plan.stderr


def assert_listed(spoiler: Spoiler, faults: list[dict[str, object]]) -> None:
    listed = {(f["file"], f["column"], f["rule"], f["rows"], *f["sample"]) for f in faults}
    by_place = {(f["file"], f["rule"], *f["sample"]): f for f in faults}
    duplicated = "trade_id occurs more than once in the portfolio; give each trade one row"
    commodity, bond = spoiler.doubled
    for file, rows, sample in (
        ("commodity_option/part-000.parquet", 2, [commodity, commodity]),
        ("bond/part-000.parquet", 1, [bond]),
        ("equity_option/part-000.parquet", 1, [bond]),
    ):
        fault = by_place[(file, "unique", *sample)]
        assert (fault["column"], fault["rows"], fault["message"]) == ("trade_id", rows, duplicated)
    for file, column, rule, rows, sample in spoiler.faults:
        if rule == "market_data":
            assert any(f["file"] == file and f["rule"] == rule and f["sample"] == sample for f in faults), sample
        else:
            assert (file, column, rule, rows, *sample) in listed
    assert all(fault["level"] == "error" and fault["table"] == "portfolio" for fault in faults)


def test_text_for_people_names_place_rows_and_trades(spoiler: Spoiler) -> None:
    answer = spoiler.book.riskpipe("check")
    lines = answer.stdout.splitlines()
    at = lines.index("error: portfolio fx_option/part-000.parquet strike: positive (1 row): strike must be above zero")
    assert lines[at + 1] == f"    such as {ids(spoiler.book, 'fx_option')[5]}"
    assert lines[-3].startswith("400 trades, 22 quarantined; ")
    assert lines[-2] == f"all of them: {spoiler.book.output}/meta/checks.parquet"
    assert lines[-1].startswith("next: riskpipe plan -c ")


def refused(answer: Answer, book: Book, code: int) -> list[str]:
    """The lines of an answer that refuses to price; nothing is left behind."""
    assert answer.code == code, answer.stdout + answer.stderr
    assert book.nothing_was_done()
    return answer.errors


def test_on_invalid_error_prices_nothing(spoilt: Book) -> None:
    rewrite(spoilt.trades("bond"), with_cells("coupon", {1: float("nan")}))
    first = ids(spoilt, "bond")[1]
    for command in ("run", "plan"):
        errors = refused(spoilt.riskpipe(command, "--set", "on_invalid=error"), spoilt, 3)
        assert errors == [
            f"portfolio: bond/part-000.parquet: coupon: 1 row, finite: coupon is not a finite number (such as {first})",
            "on_invalid is error: mend them, or set on_invalid: quarantine",
        ]
    answer = spoilt.check("--set", "on_invalid=error")
    assert (answer.code, answer.json["blocking"]) == (3, True)
    assert spoilt.riskpipe("check", "--set", "on_invalid=error").stdout.splitlines()[-1].startswith("nothing can be")


def test_warnings_as_errors(spoilt: Book) -> None:
    """A curve point in the past is a warning; check, plan and run agree on what it means."""
    row = rows_where(spoilt.input("market"), factor="zero_rate:USD.SOFR:1W")
    path = spoilt.input("market")
    if not row:
        row = [k for k, r in enumerate(pq.read_table(path).to_pylist()) if r["kind"] == "zero_rate"][:1]
    rewrite(path, with_cells("tenor", {row[0]: "2026-11-01"}))
    gate = ("--set", "warnings_as_errors=true")
    for command in ("run", "plan"):
        errors = refused(spoilt.riskpipe(command, *gate), spoilt, 5)
        assert "market.parquet: tenor: 1 row, point in the past" in errors[0]
        assert errors[-1] == "warnings_as_errors is set: mend them, or unset it"
    checked = spoilt.check(*gate)
    assert checked.code == 5
    assert [(f["level"], f["rule"]) for f in checked.faults] == [("warning", "point in the past")]
    assert checked.json["blocking"] is True
    assert (
        spoilt.riskpipe("check", *gate).stdout.splitlines()[-1].startswith("nothing can be priced: mend the warnings")
    )
    assert spoilt.check().code == 0
    assert spoilt.riskpipe("plan").code == 0


def test_a_selection_leaves_bad_trades_of_others_alone(spoilt: Book) -> None:
    """Bad rows outside --select keep nobody from anything; within, they fail."""
    rewrite(spoilt.trades("bond"), with_cells("coupon", {1: float("nan")}))
    answer = spoilt.riskpipe("run", "--json", "--select", "product:fx_option")
    assert answer.code == 0, answer.stderr
    assert answer.json["numbers"]["failed"] == 0


def test_text_that_is_no_utf_8(spoilt: Book) -> None:
    """A book name in Latin-1, as another program wrote it, is told as such; nothing is guessed."""
    path = spoilt.trades("bond")
    table = pq.read_table(path)
    names = [name.encode() for name in table.column("book").to_pylist()]
    names[4] = "crédit/bonds".encode("latin-1")
    latin = pa.array(names, pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.schema.get_field_index("book"), "book", latin), path)
    answer = spoilt.check()
    assert answer.code == 3, answer.stderr
    (fault,) = answer.faults
    assert (fault["file"], fault["column"]) == ("bond/part-000.parquet", "book")
    assert "UTF-8" in fault["message"]


class Brittle(FxForward):
    """A desk's product whose own check cannot stand one of its trades."""

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        assert "FXF-0000031" not in trades.trade_ids.to_pylist(), "desk bug"
        return super().validate(trades, as_of)


def test_a_product_whose_check_raises_loses_that_trade_alone(sound: Book, tmp_path: Path) -> None:
    inputs = open_inputs(load_settings(sound.config, environment={}))
    forwards = [file for file in inputs.files if file.product == "fx_forward"]
    products = {"fx_forward": Brittle()}
    portfolio, files = Portfolio(forwards, inputs.portfolio, products), PieceFiles(open_store(str(tmp_path)), "pieces")
    survey = Survey(portfolio, inputs.as_of, inputs.model, "USD", files)
    (found,) = survey.rows()
    assert found.selected.all()
    (fault,) = survey.faults
    assert (fault.rule, fault.rows, fault.sample) == ("product raised", 1, ("FXF-0000031",))
    assert "the check of fx_forward raised AssertionError: desk bug" in fault.message
    assert survey.quarantine.row == [30]
