"""Which factor groups trades depend on, through the price and through the conversion, and which lack one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from valuations import trades_of

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.trades import Trades

POINTS = [
    ("spot", "EURUSD", None), ("spot", "GBPUSD", None), ("spot", "SPX", None), ("spot", "DAX", None),
    ("zero_rate", "USD.OIS", "1Y"), ("zero_rate", "EUR.OIS", "1Y"), ("zero_rate", "GBP.OIS", "1Y"),
    ("dividend_yield", "SPX", "1Y"), ("black_vol", "SPX", "1Y"), ("black_vol", "DAX", "1Y"),
]  # fmt: skip


def _model(points: Sequence[tuple[str, str, str | None]]) -> MarketModel:
    rows = [
        {
            "factor": ":".join(filter(None, (kind, name, tenor))), "kind": kind, "name": name, "tenor": tenor,
            "value": 1.1 if kind == "spot" else 0.1, "strike_type": "atm" if kind == "black_vol" else None,
        }
        for kind, name, tenor in points
    ]  # fmt: skip
    return MarketModel(MarketSnapshot.from_table(pa.Table.from_pylist(rows, MARKET_SCHEMA), 20_000), Conventions())


@pytest.fixture
def model() -> MarketModel:
    return _model(POINTS)


def _options(*names: tuple[str, str]) -> Trades:
    return trades_of(EquityOption(), [{"underlying": underlying, "currency": ccy} for underlying, ccy in names])


def _names(model: MarketModel, columns: tuple[np.ndarray, ...], row: int) -> set[str]:  # type: ignore[type-arg]
    groups = model.snapshot.groups
    return {f"{groups[c[row]].kind}:{groups[c[row]].name}" for c in columns if c[row] >= 0}


def test_price_and_conversion_apart(model: MarketModel) -> None:
    needs = dependencies(EquityOption(), _options(("SPX", "USD"), ("DAX", "EUR")), model, "USD")

    assert needs.faults == ()
    assert _names(model, needs.pricing, 0) == {"spot:SPX", "zero_rate:USD.OIS", "dividend_yield:SPX", "black_vol:SPX"}
    assert _names(model, needs.pricing, 1) == {"spot:DAX", "zero_rate:EUR.OIS", "black_vol:DAX"}
    assert _names(model, needs.conversion, 0) == set()
    assert _names(model, needs.conversion, 1) == {"spot:EURUSD"}


def test_a_cross_depends_on_both_spots(model: MarketModel) -> None:
    trades = trades_of(FxForward(), [{"buy_currency": "EUR", "sell_currency": "GBP"}])

    needs = dependencies(FxForward(), trades, model, "USD")

    assert _names(model, needs.pricing, 0) == {
        "spot:EURUSD", "spot:GBPUSD", "zero_rate:EUR.OIS", "zero_rate:GBP.OIS",
    }  # fmt: skip
    assert _names(model, needs.conversion, 0) == {"spot:GBPUSD"}


def _touched(model: MarketModel, needs: Dependencies, *groups: tuple[str, str], converted: bool) -> list[int]:
    index = np.array([model.snapshot.group_index(*group) for group in groups], np.int64)
    return np.flatnonzero(needs.touched(index, len(model.snapshot.groups), converted=converted)).tolist()


def test_touched_rows(model: MarketModel) -> None:
    needs = dependencies(EquityOption(), _options(("SPX", "USD"), ("DAX", "EUR"), ("SPX", "EUR")), model, "USD")

    assert _touched(model, needs, ("spot", "SPX"), converted=False) == [0, 2]
    assert _touched(model, needs, ("spot", "EURUSD"), converted=False) == []
    assert _touched(model, needs, ("spot", "EURUSD"), converted=True) == [1, 2]
    assert _touched(model, needs, ("spot", "GBPUSD"), converted=True) == []
    assert _touched(model, needs, ("black_vol", "DAX"), ("zero_rate", "USD.OIS"), converted=False) == [0, 1]
    assert _touched(model, needs, converted=True) == []


def test_rows_without_a_group_are_not_touched_by_the_last_one(model: MarketModel) -> None:
    """-1 stands for none: it must not be read as the last group."""
    needs = dependencies(EquityOption(), _options(("DAX", "USD")), model, "USD")
    last = len(model.snapshot.groups) - 1

    assert model.snapshot.groups[last].name != "DAX"
    assert any((column == -1).any() for column in (*needs.pricing, np.array([-1])))
    assert np.flatnonzero(needs.touched(np.array([last]), last + 1, converted=True)).tolist() == (
        [0] if model.snapshot.groups[last].name == "USD.OIS" else []
    )


def test_used_groups(model: MarketModel) -> None:
    needs = dependencies(EquityOption(), _options(("DAX", "EUR")), model, "USD")
    used = needs.used(len(model.snapshot.groups))

    names = {f"{g.kind}:{g.name}" for g, is_used in zip(model.snapshot.groups, used, strict=True) if is_used}
    assert names == {"spot:DAX", "zero_rate:EUR.OIS", "black_vol:DAX", "spot:EURUSD"}


def test_every_missing_need_of_every_trade() -> None:
    poor = _model([p for p in POINTS if p[:2] not in (("black_vol", "DAX"), ("zero_rate", "EUR.OIS"))])
    trades = _options(("SPX", "USD"), ("DAX", "EUR"), ("NKY", "USD"), ("DAX", "USD"), ("SPX", "CHF"))

    faults = dependencies(EquityOption(), trades, poor, "USD").faults

    found = {(fault.column, tuple(fault.rows.tolist())) for fault in faults}
    assert found == {
        ("discount", (1,)),
        ("volatility", (1, 3)),
        ("underlying", (2,)),
        ("volatility", (2,)),
        ("discount", (4,)),
        ("conversion", (4,)),
    }
    assert {fault.reason for fault in faults} == {Reason.MISSING_MARKET_DATA}
    assert all(fault.level == "error" for fault in faults)
    messages = {fault.column: fault.message for fault in faults if 4 in fault.rows}
    assert "zero_rate:CHF.OIS" in messages["discount"]
    assert "CHFUSD" in messages["conversion"]


def test_what_is_optional_is_no_fault(model: MarketModel) -> None:
    assert dependencies(EquityOption(), _options(("DAX", "EUR")), model, "USD").faults == ()


def test_no_trades(model: MarketModel) -> None:
    needs = dependencies(EquityOption(), _options(), model, "USD")

    assert needs.faults == ()
    assert np.flatnonzero(needs.touched(np.arange(3), len(model.snapshot.groups), converted=True)).tolist() == []
    assert not needs.used(len(model.snapshot.groups)).any()


@pytest.mark.parametrize("n_groups", [5, 2_000_000])
def test_touched_is_what_any_column_of_groups_says(n_groups: int) -> None:
    """With two million groups the combinations of nine columns are more than an integer can number."""
    rng = np.random.default_rng(7)
    names = rng.choice(n_groups, 4, replace=False).astype(np.int32)
    columns = [rng.choice(np.append(names, np.int32(-1)), 300) for _ in range(9)]
    columns[3][0] = n_groups - 1
    needs = Dependencies(tuple(columns[:6]), tuple(columns[6:]), (), ())
    for groups in ([names[0]], [names[1], names[3]], [n_groups - 1], []):
        asked = np.array(groups, np.int64)
        for converted in (False, True):
            own = np.stack(columns if converted else columns[:6])
            expected = np.isin(own, asked).any(axis=0)
            np.testing.assert_array_equal(needs.touched(asked, n_groups, converted=converted), expected)
