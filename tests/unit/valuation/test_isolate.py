"""A trade that makes its product's code raise fails alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from valuations import OpenRun, trades_of

from riskpipe.errors import Failure, Reason
from riskpipe.products.trades import Trades
from riskpipe.valuation.isolate import isolate
from riskpipe.valuation.part import FAILED, OK, Part


def _trades(n: int) -> Trades:
    return trades_of(Desk(), [{"quantity": float(k)} for k in range(n)])


def _part(trades: Trades) -> Part:
    n = len(trades)
    quantity = trades.numbers("quantity")
    return Part(trades, ["EUR"] * n, np.ones(n), {"pv": quantity}, {"pv": np.zeros(n, np.uint8)})


def _raising_for(bad: set[int], calls: list[int]) -> Callable[[Trades], Part]:
    def value(trades: Trades) -> Part:
        calls.append(len(trades))
        found = bad & set(trades.numbers("quantity").astype(int).tolist())
        if found:
            raise ValueError(f"{min(found)} is bad")
        return _part(trades)

    return value


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_each_bad_trade_alone_and_all_in_order(case: tuple[int, set[int]]) -> None:
    n, bad = case
    calls: list[int] = []

    parts = list(isolate(_trades(n), _raising_for(bad, calls)))

    ids = [i for part in parts for i in part.trades.trade_ids.to_pylist()]
    assert ids == [f"T-{k}" for k in range(n)]
    first = 0
    for part in parts:
        rows = range(first, first + len(part.trades))
        first += len(part.trades)
        if part.failures:
            assert len(rows) == 1
            assert part.failures == {
                0: ("price", Failure(Reason.PRICING_ERROR, f"ValueError: {rows[0]} is bad")),
            }
            assert rows[0] in bad
        else:
            assert not bad & set(rows)
    assert len(calls) <= 1 + 2 * len(bad) * (n.bit_length() + 1)


def test_no_fault_is_one_call() -> None:
    calls: list[int] = []

    (part,) = isolate(_trades(100), _raising_for(set(), calls))

    assert calls == [100]
    assert len(part.trades) == 100


def test_memory_error_is_raised_at_once() -> None:
    calls: list[int] = []

    def value(trades: Trades) -> Part:
        calls.append(len(trades))
        raise MemoryError

    with pytest.raises(MemoryError):
        list(isolate(_trades(8), value))
    assert calls == [8]


def test_memory_error_of_a_half_is_raised() -> None:
    def value(trades: Trades) -> Part:
        if len(trades) > 4:
            raise ValueError
        raise MemoryError

    with pytest.raises(MemoryError):
        list(isolate(_trades(8), value))


def test_interrupt_is_not_a_failure_of_a_trade() -> None:
    def value(trades: Trades) -> Part:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(isolate(_trades(8), value))


ROWS = [{"quantity": float(k + 1)} for k in range(9)]


@pytest.mark.parametrize("behaviour", ["raises when prepared", "raises when priced"])
def test_a_trade_that_raises_fails_alone(behaviour: str, open_desk: Callable[..., OpenRun]) -> None:
    rows = [dict(row) for row in ROWS]
    rows[2]["behaviour"] = rows[7]["behaviour"] = behaviour
    run = open_desk(rows)
    product, trades = run.context.products["desk"], run.trades("desk")

    parts = list(isolate(trades, lambda some: run.value(product, some, ("pv",))))

    values: dict[str, float] = {}
    for part in parts:
        for k, trade_id in enumerate(part.trades.trade_ids.to_pylist()):
            if part.failures:
                assert part.failures[k][1].reason is Reason.PRICING_ERROR
            else:
                assert part.statuses["pv"][k] == OK
                values[trade_id] = float(part.values["pv"][k])
    assert values == {f"T-{k}": 100.0 * (k + 1) for k in range(9) if k not in (2, 7)}


def test_memory_error_of_a_product_reaches_the_driver(open_desk: Callable[..., OpenRun]) -> None:
    """Which splits the block: it is the block that is too large, not a trade that is wrong."""
    from riskpipe.valuation.run_block import run_block

    run = open_desk([*ROWS, {"behaviour": "exhausts memory"}])

    with pytest.raises(MemoryError):
        run_block(run.task(run.blocks[0]))


def test_failures_keep_the_first_reason() -> None:
    part = _part(_trades(3))

    part.fail(np.array([1]), "price", Reason.NUMERICAL, "first")
    part.fail(np.array([0, 1]), "stress", Reason.NUMERICAL, "second")

    assert part.failures[1] == ("price", Failure(Reason.NUMERICAL, "first"))
    assert part.failures[0][0] == "stress"
    assert isinstance(part.trades.table, pa.Table)
    assert FAILED != OK
