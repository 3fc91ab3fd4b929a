"""A trade that makes its product's code raise fails alone; a retry after the cause is mended does just that trade."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corrected import correct_level, rewritten
from published import assert_same_bits, published
from selections import one_in

PRODUCT = textwrap.dedent(
    """
    import numpy as np
    from riskpipe.products.fx_forward import FxForward

    class DeskForward(FxForward):
        name = "desk_forward"
        version = 1

        def prepare(self, trades, model):
            {broken}
            return super().prepare(trades, model)
    """
)
RAISES = 'assert "FXF-BAD" not in trades.trade_ids.to_pylist(), "desk bug"'


RAISED = {
    "FXF-EXIT": ("SystemExit(0)", "SystemExit: 0"),
    "FXF-CTRL-C": ("KeyboardInterrupt()", "KeyboardInterrupt"),
    "FXF-GENERATOR": ("GeneratorExit()", "GeneratorExit"),
    "FXF-OWN": ("Own('of the desk')", "Own: of the desk"),
    "FXF-UNPRINTABLE": ("Unprintable()", "Unprintable (its message cannot be read: SystemExit)"),
    "FXF-NUL": ("ValueError('a\\0b\\ud800c')", "ValueError: a\\x00b\\xd800c"),
}
HOSTILE = "\n".join(
    [
        "import os, sys",
        "from riskpipe.products.fx_forward import FxForward",
        "class Own(BaseException): pass",
        "class Unprintable(Exception):",
        "    def __str__(self): sys.exit(3)",
        "class DeskForward(FxForward):",
        "    name, version = 'desk_forward', 1",
        "    def {where}(self, trades, second):",
        "        print('hello from the desk')",
        "        os.write(1, b'hello from a library')",
        "        ids = trades.trade_ids.to_pylist()",
        *(f"        if {name!r} in ids: raise {raised}" for name, (raised, _) in RAISED.items()),
        "        {then}",
        "        return super().{where}(trades, second)",
    ]
)


@pytest.fixture
def desk_book(book: Path) -> Path:
    """The small book with its FX forwards as the desk's product, one of them with the name that breaks it."""
    return with_names(book, ["FXF-BAD"])


def with_names(book: Path, names: list[str]) -> Path:
    """FX forwards as the desk's product, spread among them some with these names."""
    source = book / "data" / "portfolio" / "fx_forward"
    target = source.with_name("desk_forward")
    source.rename(target)
    file = next(target.glob("*.parquet"))
    table = pq.read_table(file)
    ids = table.column("trade_id").to_pylist()
    for k, name in enumerate(names, 1):
        ids[k * len(ids) // (len(names) + 1)] = name
    table = table.set_column(table.schema.get_field_index("trade_id"), "trade_id", pa.array(ids))
    pq.write_table(table, file)
    return book


def riskpipe(book: Path, desk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riskpipe", *words, "-c", str(book / "riskpipe.yaml"), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(desk), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def test_one_trade_fails_alone_and_retry_does_just_it(desk, desk_book) -> None:
    output = desk_book / "output"
    (desk / "desk_product.py").write_text(PRODUCT.format(broken=RAISES))

    first = riskpipe(desk_book, desk, "run")

    assert first.returncode == 4, first.stdout + first.stderr
    status = json.loads(first.stdout)
    assert status["failures_by_reason"] == {"PRICING_ERROR": 1}
    assert status["published"]
    rows = published(output, "valuations")
    failed = duckdb.sql("select distinct trade_id, reason, message, value from rows where status = 'failed'").fetchall()
    assert failed == [("FXF-BAD", "PRICING_ERROR", "AssertionError: desk bug", None)]
    del rows

    (desk / "desk_product.py").write_text(PRODUCT.format(broken="pass"))
    second = riskpipe(desk_book, desk, "retry", "latest")

    assert second.returncode == 0, second.stdout + second.stderr
    status = json.loads(second.stdout)
    measures = len(status["numbers"]) and 9
    assert status["numbers"]["ok"] + status["numbers"]["not_applicable"] >= measures
    assert (
        status["numbers"]["reused"] + status["numbers"]["ok"] + status["numbers"]["not_applicable"]
        == (status["numbers"]["planned"])
    )
    blocks = pq.read_table(next((output / "runs").glob("*/blocks.parquet"))).to_pylist()
    assert [b["trades"] for b in blocks if b["parent_block_id"] is not None] == [1]

    clean = desk_book / "clean"
    third = riskpipe(desk_book, desk, "run", "--set", f"output={clean}")
    assert third.returncode == 0
    assert_same_bits(output, clean)


def test_a_trade_that_fails_where_others_are_taken_over_is_done_by_retry(desk, desk_book) -> None:
    """Of its block some trades are priced and some taken over; the retry is no run that takes numbers over."""
    output, market = desk_book / "output", desk_book / "data" / "market.parquet"
    (desk / "desk_product.py").write_text(PRODUCT.format(broken="pass"))
    assert riskpipe(desk_book, desk, "run").returncode == 0
    (trades,) = (desk_book / "data" / "portfolio" / "desk_forward").glob("*.parquet")
    rewritten(trades, "buy_amount", pq.read_table(trades)["trade_id"].to_pylist().index("FXF-BAD"), lambda n: 2.0 * n)
    correct_level(market, "spot:EURUSD")
    (desk / "desk_product.py").write_text(PRODUCT.format(broken=RAISES))

    since = riskpipe(desk_book, desk, "run", "--since", "latest")

    assert since.returncode == 4, since.stdout + since.stderr
    status = json.loads(since.stdout)
    assert status["failures_by_reason"] == {"PRICING_ERROR": 1}
    assert status["reuse"]["taken_over"] > 0
    assert status["reuse"]["priced"] > 1

    (desk / "desk_product.py").write_text(PRODUCT.format(broken="pass"))
    again = riskpipe(desk_book, desk, "retry", "latest")

    assert again.returncode == 0, again.stdout + again.stderr
    clean = desk_book / "clean"
    assert riskpipe(desk_book, desk, "run", "--set", f"output={clean}").returncode == 0
    assert_same_bits(output, clean)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("serial", marks=pytest.mark.slow), "local"])
def test_whatever_a_product_raises_fails_its_trade_alone(desk, book, kind) -> None:
    """And what it prints, from Python or past it, is no part of the answer."""
    with_names(book, list(RAISED))
    (desk / "desk_product.py").write_text(HOSTILE.format(where="prepare", then="pass"))

    answer = riskpipe(book, desk, "run", "--set", f"cluster.kind={kind}", "--set", "measures=[pv]")

    assert answer.returncode == 4, answer.stdout + answer.stderr
    status = json.loads(answer.stdout)
    assert status["failures_by_reason"] == {"PRICING_ERROR": len(RAISED)}
    assert status["published"]
    assert "hello from the desk" in answer.stderr
    assert "hello from a library" in answer.stderr
    rows = published(book / "output", "valuations")
    failed = duckdb.sql("select trade_id, message from rows where status = 'failed'").fetchall()
    assert dict(failed) == {name: message for name, (_, message) in RAISED.items()}
    del rows


def test_whatever_the_check_of_a_product_raises_fails_its_trade_alone(desk, book) -> None:
    with_names(book, list(RAISED))
    (desk / "desk_product.py").write_text(HOSTILE.format(where="validate", then="pass"))
    answer = riskpipe(book, desk, "check")
    assert answer.returncode == 3, answer.stdout + answer.stderr
    faults = [fault for fault in json.loads(answer.stdout)["faults"] if fault["level"] == "error"]
    assert {fault["sample"][0] for fault in faults} == set(RAISED)
    for fault in faults:
        assert RAISED[fault["sample"][0]][1] in fault["message"]
    assert "hello from a library" in answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("serial", marks=pytest.mark.slow), "local"])
def test_a_product_that_closes_the_standard_streams_ends_nothing(desk, book, kind) -> None:
    with_names(book, [])
    closes = "[os.close(number) for number in range(3)]"
    (desk / "desk_product.py").write_text(HOSTILE.format(where="prepare", then=closes))
    answer = riskpipe(book, desk, "run", "--set", f"cluster.kind={kind}", "--set", "measures=[pv]")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["published"]
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("command", "where", "signals", "code"),
    one_in(2, [("run", "prepare", [signal.SIGINT, signal.SIGTERM], 143), ("check", "validate", [signal.SIGINT], 130)]),
)
def test_signals_end_what_a_product_holds_up(desk, book, command, where, signals, code) -> None:
    """A product's KeyboardInterrupt is a trade's fault, a person's is not. A run is asked twice: it first waits."""
    with_names(book, [])
    at_work, says = os.pipe()
    waits = f"__import__('os').write({says}, b'.'); [__import__('threading').Event().wait(0.1) for _ in range(600)]"
    (desk / "desk_product.py").write_text(HOSTILE.format(where=where, then=waits))
    with subprocess.Popen(
        [sys.executable, "-m", "riskpipe", command, "-c", str(book / "riskpipe.yaml"), "--set", "cluster.kind=serial"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(desk), "PYTHONDONTWRITEBYTECODE": "1"},
        pass_fds=[says],
    ) as process:
        os.close(says)
        begun = os.read(at_work, 1)  # nothing, where the process has ended
        os.close(at_work)
        for number in signals:
            process.send_signal(number)
        _, stderr = process.communicate(timeout=50)
    assert begun, stderr
    assert process.returncode == code, stderr
    assert b"interrupted" in stderr


@pytest.mark.slow  # most of it waits for the deadline, and test_execute_deaths.py has the same without a book
def test_compiled_code_that_keeps_the_lock_for_ever_fails_its_trade_alone(desk, book) -> None:
    """The worker's watchdog gets no turn; the run was seen to hang for good before."""
    with_names(book, ["FXF-BAD"])
    file = next((book / "data" / "portfolio" / "desk_forward").glob("*.parquet"))
    table = pq.read_table(file)
    at = table.column("trade_id").to_pylist().index("FXF-BAD")
    pq.write_table(table.slice(at - 1, 2), file)
    hangs = 'if "FXF-BAD" in trades.trade_ids.to_pylist(): __import__("ctypes").PyDLL(None).pause()'
    (desk / "desk_product.py").write_text(PRODUCT.format(broken=hangs))
    limits = ["cluster.block_timeout=12", "retry.timeout=0", "partition.max_trades=1", "measures=[pv]"]

    words = [word for limit in limits for word in ("--set", limit)]
    answer = riskpipe(book, desk, "run", "--select", "product:desk_forward", "--publish", "always", *words)

    assert answer.returncode == 4, answer.stdout + answer.stderr
    status = json.loads(answer.stdout)
    assert status["failures_by_reason"] == {"TIMEOUT": 1}
    rows = published(book / "output", "valuations")
    assert duckdb.sql("select trade_id, reason from rows where status = 'failed'").fetchall() == [
        ("FXF-BAD", "TIMEOUT")
    ]
    assert len(rows) == 2
    del rows


def test_a_check_that_runs_out_of_memory_is_the_machine_s_fault(desk, book) -> None:
    with_names(book, [])
    greedy = HOSTILE.format(where="validate", then="import numpy; numpy.empty(2**48)")
    (desk / "desk_product.py").write_text(greedy)
    answer = riskpipe(book, desk, "check")
    assert answer.returncode == 6, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["exit_code"] == 6
    assert "error: out of memory (" in answer.stderr


def test_a_trade_that_takes_all_memory_fails_alone(desk, book) -> None:
    with_names(book, ["FXF-BAD"])
    greedy = 'if "FXF-BAD" in trades.trade_ids.to_pylist(): np.empty(2**48)'
    (desk / "desk_product.py").write_text(PRODUCT.format(broken=greedy))
    answer = riskpipe(book, desk, "run", "--set", "cluster.kind=serial", "--set", "measures=[pv]")
    assert answer.returncode == 4, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["failures_by_reason"] == {"OUT_OF_MEMORY": 1}
