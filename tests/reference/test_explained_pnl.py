"""Explained P&L of two days of a small book, against formulas of covered parity; and days that it cannot be made of."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import published

from riskpipe.config import load_settings
from riskpipe.errors import InputError, UsageError
from riskpipe.inputs.opened import OpenedInputs, open_inputs
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivative
from riskpipe.market.explain_steps import ExplainSteps
from riskpipe.market.factors import RISK_CLASSES, days_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.risk_classes import RiskClasses
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.plan.accounting import RunStatus, SilentObserver
from riskpipe.plan.selection import Selection, parse_selection
from riskpipe.runs.freed import Left, free
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.run_folder import RunFolder
from riskpipe.workflows.analyse import analyse
from riskpipe.workflows.run import run

FIRST, SECOND, DELIVERY = date(2026, 11, 20), date(2026, 11, 23), date(2027, 11, 19)
MARKETS = {FIRST: (1.10, 0.040, 0.025), SECOND: (1.13, 0.042, 0.024)}
"""EURUSD, and the zero rates of both currencies."""
DOLLARS = {"A": 1.2e6, "B": 2.0e6, "C": 0.7e6, "M": 0.5e6}
EUROS = {"A": 1.0e6, "B": 1.9e6, "C": 0.6e6, "M": 0.45e6, "N": 0.3e6}
AMENDED = 2.5e6


class Told(SilentObserver):
    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def message(self, level: str, text: str) -> None:
        self.messages.append((level, text))


def market(day: date) -> pa.Table:
    spot, dollar, euro = MARKETS[day]
    rows = [("spot:EURUSD", "spot", "EURUSD", "USD", None, spot)]
    for currency, rate in (("USD", dollar), ("EUR", euro)):
        rows += [
            (f"zero_rate:{currency}.OIS:{tenor}", "zero_rate", f"{currency}.OIS", currency, tenor, rate)
            for tenor in ("1M", "1Y", "5Y")
        ]
    names = ("factor", "kind", "name", "currency", "tenor", "value")
    return pa.table({name: [row[k] for row in rows] for k, name in enumerate(names)})


def trades(dollars: Mapping[str, float]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "trade_id": name, "book": f"fx/{'one' if name in 'AB' else 'two'}", "buy_currency": "USD",
                "buy_amount": amount, "sell_currency": "EUR", "sell_amount": EUROS[name],
                "delivery_date": SECOND if name == "M" else DELIVERY,
            }
            for name, amount in dollars.items()
        ]
    )  # fmt: skip


def write_day(root: Path, day: date, dollars: Mapping[str, float]) -> None:
    folder = root / day.isoformat() / "portfolio" / "fx_forward"
    folder.mkdir(parents=True)
    pq.write_table(trades(dollars), folder / "part-000.parquet")
    pq.write_table(market(day), root / day.isoformat() / "market.parquet")


def run_day(
    root: Path, day: date, *assignments: str, observer: SilentObserver | None = None, selection: str = ""
) -> RunStatus:
    where = root / day.isoformat()
    config = where / "riskpipe.yaml"
    config.write_text(
        f"as_of: {day}\nbase_currency: USD\ninputs: {{portfolio: portfolio, market: market.parquet}}\n"
        f"output: {root / 'output'}\nmeasures: [pv, delta, gamma, dv01, theta, cashflows, pnl_explain]\n"
        "cluster: {kind: serial}\n"
    )
    settings = load_settings(config, assignments=assignments, environment={})
    chosen = parse_selection([selection]) if selection else Selection()
    return run(settings, chosen, resume="never", observer=observer or SilentObserver())


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("explained")
    write_day(root, FIRST, DOLLARS)
    write_day(root, SECOND, {"A": DOLLARS["A"], "B": AMENDED, "N": 0.4e6})
    told = Told()
    assert run_day(root, FIRST, observer=told).published
    said = [text for _, text in told.messages if "pnl_explain" in text]
    assert said == ["pnl_explain: no earlier day is published, the next one will have it"]
    told = Told()
    assert run_day(root, SECOND, observer=told).state == "complete"
    assert [text for _, text in told.messages if "pnl_explain" in text] == []
    return root


def worth(dollars: float, name: str, at: date, market: tuple[float, float, float], delivery: date = DELIVERY) -> float:
    """In euros."""
    spot, dollar, euro = market
    years = (delivery - at).days / 365.0
    return dollars / spot * exp(-dollar * years) - EUROS[name] * exp(-euro * years)


def lines_of(root: Path, **key: Any) -> dict[str, float]:
    rows = published(root / "output", "pnl_explain").to_pylist()
    return {row["line"]: row["value_base"] for row in rows if all(row[name] == each for name, each in key.items())}


def steps(dollars: float, name: str) -> dict[str, float]:
    """Without the first one."""
    (s0, d0, e0), (s1, d1, e1) = MARKETS[FIRST], MARKETS[SECOND]
    carried, moved, after = (worth(dollars, name, SECOND, m) for m in ((s0, d0, e0), (s0, d1, e1), (s1, d1, e1)))
    return {
        "rates": (moved - carried) * s0,
        "fx": (after - moved) * s1,
        "fx_translation": moved * (s1 - s0),
    }


def close(found: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    told = {name: value for name, value in found.items() if not name.startswith("sensitivity_") and abs(value) > 1e-6}
    return told == pytest.approx(dict(expected), abs=1e-6, rel=1e-12)


def test_a_trade_that_stays(two_days: Path) -> None:
    before = worth(DOLLARS["A"], "A", FIRST, MARKETS[FIRST]) * MARKETS[FIRST][0]
    carried = worth(DOLLARS["A"], "A", SECOND, MARKETS[FIRST]) * MARKETS[FIRST][0]
    after = worth(DOLLARS["A"], "A", SECOND, MARKETS[SECOND]) * MARKETS[SECOND][0]
    expected = {"carry": carried - before, **steps(DOLLARS["A"], "A"), "total": after - before}
    assert close(lines_of(two_days, trade_id="A"), expected)


def test_a_trade_that_is_amended(two_days: Path) -> None:
    """As if at the earlier day's end: it carries, and moves with the market, by its new terms."""
    before = worth(DOLLARS["B"], "B", FIRST, MARKETS[FIRST]) * MARKETS[FIRST][0]
    carried = worth(AMENDED, "B", SECOND, MARKETS[FIRST]) * MARKETS[FIRST][0]
    after = worth(AMENDED, "B", SECOND, MARKETS[SECOND]) * MARKETS[SECOND][0]
    assert close(
        lines_of(two_days, trade_id="B"),
        {"amended": carried - before, **steps(AMENDED, "B"), "total": after - before},
    )


def test_trades_that_come_and_go(two_days: Path) -> None:
    new = worth(0.4e6, "N", SECOND, MARKETS[SECOND]) * MARKETS[SECOND][0]
    gone = -worth(DOLLARS["C"], "C", FIRST, MARKETS[FIRST]) * MARKETS[FIRST][0]
    over = -worth(DOLLARS["M"], "M", FIRST, MARKETS[FIRST], SECOND) * MARKETS[FIRST][0]
    paid = DOLLARS["M"] - EUROS["M"] * MARKETS[FIRST][0]
    moved = -EUROS["M"] * (MARKETS[SECOND][0] - MARKETS[FIRST][0])
    assert close(lines_of(two_days, trade_id="N"), {"new": new, "total": new})
    assert close(lines_of(two_days, trade_id="C"), {"cancelled": gone, "total": gone})
    assert close(
        lines_of(two_days, trade_id="M"),
        {"matured": over, "cash": paid, "fx_translation": moved, "total": over + paid + moved},
    )


def test_sensitivities_explain_a_trade_to_second_order(two_days: Path) -> None:
    found = lines_of(two_days, trade_id="A")
    told = {
        name.removeprefix("sensitivity_"): value for name, value in found.items() if name.startswith("sensitivity_")
    }
    assert set(told) >= {"carry", "rates", "fx", "fx_translation"}
    for name in ("rates", "fx", "fx_translation"):
        assert told[name] == pytest.approx(found[name], rel=0.05)
    assert sum(told.values()) == pytest.approx(found["total"], abs=1e-6)
    assert abs(told["unexplained"]) < 0.1 * sum(abs(value) for value in told.values())


def test_books_are_sums_of_their_trades(two_days: Path) -> None:
    rows = published(two_days / "output", "pnl_explain").to_pylist()
    of_trades = [row for row in rows if row["trade_id"] is not None]
    for book in ("", "fx", "fx/one", "fx/two"):
        found = lines_of(two_days, book=book, trade_id=None)
        mine = [row for row in of_trades if f"{row['book']}/".startswith(f"{book}/" if book else "")]
        for line, value in found.items():
            total = sum(row["value_base"] for row in mine if row["line"] == line)
            assert value == pytest.approx(total, abs=1e-7)
        lines = {line: value for line, value in found.items() if not line.startswith("sensitivity_")}
        assert sum(lines.values()) == pytest.approx(2.0 * lines["total"], abs=1e-7)


def test_it_is_made_again_of_the_published_day(two_days: Path) -> None:
    before = published(two_days / "output", "pnl_explain")
    settings = load_settings(two_days / SECOND.isoformat() / "riskpipe.yaml", environment={})
    assert analyse(settings, "pnl_explain", SECOND.isoformat()).rows == before.num_rows
    assert published(two_days / "output", "pnl_explain").equals(before)


def test_forward_rates_come_true_under_carry() -> None:
    """Of curves with a slope: what is discounted to a later day's pillar is discounted to that day less."""
    markets = []
    for day, rates in ((FIRST, (0.02, 0.03, 0.045)), (SECOND, (0.021, 0.031, 0.046))):
        table = market(day)
        levels = [MARKETS[day][0], *rates, *rates]
        table = table.set_column(5, "value", pa.array(levels))
        markets.append(MarketSnapshot.from_table(table, days_of(day)))
    conventions = Conventions("USD")
    classes = RiskClasses(markets[1], conventions)
    columns = list(ExplainSteps(markets[0], Derivative(markets[1]), conventions, classes).columns(RISK_CLASSES))
    assert [name for name, _, _ in columns] == ["carry", "roll_down", *RISK_CLASSES]
    pillars = np.unique(markets[1].days[markets[1].days > days_of(SECOND)]).astype(np.int32)

    def discounts(snapshot: MarketSnapshot, levels: np.ndarray, days: np.ndarray) -> np.ndarray:
        curve = Labels.constant("USD.OIS", len(days))
        nodes, (place,) = MarketModel(snapshot, conventions).discount((curve, days.astype(np.int32)))
        return nodes.evaluate(np.ascontiguousarray(levels[:, None]))[place, 0]

    _, factors, levels = columns[0]
    carried = markets[1].x0.copy()
    carried[factors] = levels
    until = discounts(markets[0], markets[0].x0, np.append(pillars, days_of(SECOND)))
    assert discounts(markets[1], carried, pillars) == pytest.approx(until[:-1] / until[-1], rel=1e-14)
    rolled = markets[1].x0.copy()
    rolled[columns[1][1]] = columns[1][2]
    assert rolled == pytest.approx(markets[0].x0, rel=1e-15)
    assert len(columns[-1][1]) == 0


@pytest.fixture
def later(two_days: Path, tmp_path: Path) -> Path:
    root = tmp_path / "days"
    shutil.copytree(two_days, root)
    return root


def refused(root: Path, *assignments: str) -> str:
    before = sorted(path for path in (root / "output" / "published").rglob("*.parquet"))
    with pytest.raises(InputError) as caught:
        run_day(root, SECOND, *assignments)
    assert sorted(path for path in (root / "output" / "published").rglob("*.parquet")) == before
    return str(caught.value)


def test_the_earlier_run_is_gone(later: Path) -> None:
    for path in (later / "output" / "runs").iterdir():
        shutil.rmtree(path)
    message = refused(later)
    assert "which 2026-11-20 is published from, is not in" in message
    assert "risk.explain.previous" in message


def test_the_earlier_run_keeps_its_market_until_only_its_account_is_left(later: Path) -> None:
    store = open_store(str(later / "output"))
    earlier = RunFolder(store, read_current(store)[FIRST.isoformat()]["run_id"])
    config = later / SECOND.isoformat() / "riskpipe.yaml"
    settings = load_settings(config, assignments=[f"output={later / 'output'}"], environment={})
    free(earlier, Left.INPUTS, datetime(2026, 11, 30, tzinfo=UTC), 0)
    inputs = open_inputs(settings)
    assert isinstance(inputs, OpenedInputs)
    assert inputs.previous is not None
    assert inputs.previous.run_id == earlier.run_id
    free(earlier, Left.ACCOUNT, datetime(2026, 11, 30, tzinfo=UTC), 0)
    assert "freed by `riskpipe runs gc`" in refused(later)
    with pytest.raises(UsageError, match="freed its market and scenarios"):
        analyse(settings, "pnl_explain", SECOND.isoformat())


def test_the_earlier_day_is_of_another_currency(later: Path) -> None:
    assert "2026-11-20 is published in USD, and base_currency is EUR" in refused(later, "base_currency=EUR")


def test_the_day_that_is_named_is_not_published(later: Path) -> None:
    message = refused(later, "risk.explain.previous=2026-11-19")
    assert "2026-11-19 is no published day before 2026-11-23; those there are: 2026-11-20" in message


def test_what_was_paid_is_said_to_be_unknown(later: Path) -> None:
    shutil.rmtree(later / "output")
    assert run_day(later, FIRST, "measures=[pv, pnl_explain]").published
    told = Told()
    assert run_day(later, SECOND, observer=told).published
    assert [level for level, text in told.messages if "has no cashflows" in text] == ["warning"]
    found = lines_of(later, trade_id="M")
    assert found == {"matured": found["total"], "total": found["total"]}
    assert not any(line.startswith("sensitivity_") for line in lines_of(later, trade_id="A"))


def test_a_selection_has_none(later: Path) -> None:
    told = Told()
    status = run_day(later, SECOND, observer=told, selection="trade:A")
    assert (status.state, status.published) == ("complete", False)
    said = [text for _, text in told.messages if "pnl_explain" in text]
    assert said == ["pnl_explain: P&L is explained of whole days, not of a selection"]


def test_the_earlier_run_is_damaged(later: Path) -> None:
    (found,) = (later / "output" / "runs").glob("*-1/inputs/valuation.json")
    found.write_text(found.read_text().replace("USD", "usd", 1))
    assert "which 2026-11-20 is published from, cannot be read" in refused(later)
