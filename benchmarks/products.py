"""Valuations a second on one core, product by product, against QuantLib on the same trades in the same run.

Every scenario moves spots, volatilities and rates. Preparation is left out on both sides: dates and schedules here,
the building of instruments there; QuantLib's quotes and curves are set once a scenario for all trades. The values of
both must agree. Seconds are those of the processor, so that another program takes less away from the figures; still,
compare the ratios. A product that has no case here is timed on trades of the sample, without a peer.

Run: python -m benchmarks products
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import (
    bond_cases,
    credit_cases,
    debt_cases,
    forward_cases,
    future_cases,
    option_cases,
    rate_option_cases,
    swap_cases,
)
from benchmarks.cases import Case, Columns, Row
from benchmarks.market import AS_OF, SCENARIOS, Market, QuantLibMarket, moved_levels
from riskpipe.arrays import FloatArray
from riskpipe.config import load_settings
from riskpipe.inputs.opened import RefusedInputs, open_inputs
from riskpipe.products.catalogue import PRODUCTS, catalogue
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical
from riskpipe.sample import write_sample

TRADES = 500
TILE = 128
ROUNDS, SECONDS_A_TURN = 9, 0.1
COMPARED = 2
"""Scenarios in which values are compared."""

Steps = tuple[int, list[Callable[[], object]]]
"""Valuations in a step, and steps that may be repeated in a circle."""


class Entry(NamedTuple):
    """A line of the table.

    :param required: the least ratio that riskpipe promises, if it promises any.
    """

    product: str
    required: float | None
    make: Callable[[np.random.Generator, int], Case]


ENTRIES: Mapping[str, Entry] = {
    "equity_option, european": Entry("equity_option", 250.0, option_cases.european_equity),
    "fx_option": Entry("fx_option", 250.0, option_cases.european_fx),
    "commodity_option": Entry("commodity_option", 250.0, option_cases.european_commodity),
    "commodity_option, bachelier": Entry("commodity_option", None, option_cases.bachelier_commodity),
    "equity_option, american": Entry("equity_option", 30.0, option_cases.american_equity),
    "equity_option, american on dividends": Entry("equity_option", 20.0, option_cases.american_on_dividends),
    "equity_barrier_option": Entry("equity_barrier_option", 100.0, option_cases.equity_barriers),
    "equity_barrier_option, on dividends": Entry(
        "equity_barrier_option", 20.0, option_cases.equity_barriers_on_dividends
    ),
    "fx_barrier_option": Entry("fx_barrier_option", 100.0, option_cases.fx_barriers),
    "fx_touch": Entry("fx_touch", 100.0, option_cases.fx_touches),
    "equity_asian_option, arithmetic": Entry("equity_asian_option", 20.0, option_cases.arithmetic_asians),
    "equity_asian_option, geometric": Entry("equity_asian_option", None, option_cases.geometric_asians),
    "variance_swap": Entry("variance_swap", None, option_cases.variance_swaps),
    "interest_rate_swap": Entry("interest_rate_swap", 300.0, swap_cases.interest_rate_swaps),
    "fra": Entry("fra", 300.0, bond_cases.rate_agreements),
    "bond": Entry("bond", 300.0, bond_cases.bonds),
    "bond, amortising": Entry("bond", 100.0, debt_cases.amortising_bonds),
    "forward_bond": Entry("forward_bond", 100.0, debt_cases.forward_bonds),
    "bond_total_return_swap": Entry("bond_total_return_swap", 100.0, debt_cases.total_return_swaps),
    "deposit": Entry("deposit", None, debt_cases.deposits),
    "repo, overnight": Entry("repo", 100.0, debt_cases.overnight_repos),
    "floating_rate_note": Entry("floating_rate_note", 300.0, bond_cases.floating_rate_notes),
    "floating_rate_note, capped": Entry("floating_rate_note", 100.0, debt_cases.capped_notes),
    "cross_currency_swap": Entry("cross_currency_swap", 300.0, swap_cases.cross_currency_swaps),
    "equity_swap": Entry("equity_swap", 100.0, swap_cases.equity_swaps),
    "basis_swap": Entry("basis_swap", 100.0, swap_cases.basis_swaps),
    "swap": Entry("swap", 100.0, swap_cases.leg_swaps),
    "swap, indexed": Entry("swap", 100.0, debt_cases.indexed_legs),
    "inflation_swap": Entry("inflation_swap", 300.0, swap_cases.inflation_swaps),
    "inflation_bond": Entry("inflation_bond", 100.0, bond_cases.inflation_bonds),
    "cap_floor": Entry("cap_floor", 100.0, rate_option_cases.caps_and_floors),
    "swaption": Entry("swaption", 100.0, rate_option_cases.swaptions),
    "credit_default_swap, midpoint": Entry("credit_default_swap", 100.0, credit_cases.midpoint),
    "credit_default_swap, isda": Entry("credit_default_swap", 100.0, credit_cases.isda),
    "index_cds": Entry("index_cds", 100.0, credit_cases.index_curve),
    "index_cds, 25 constituents": Entry("index_cds", 100.0, credit_cases.index_constituents),
    "fx_forward": Entry("fx_forward", None, forward_cases.fx_forwards),
    "equity_forward": Entry("equity_forward", None, forward_cases.equity_forwards),
    "commodity_forward": Entry("commodity_forward", None, forward_cases.commodity_forwards),
    "cash_balance": Entry("cash_balance", None, forward_cases.cash_balances),
    "equity_position": Entry("equity_position", None, forward_cases.equity_positions),
    "fx_swap": Entry("fx_swap", None, forward_cases.fx_swaps),
    "ndf": Entry("ndf", None, forward_cases.ndfs),
    "equity_future": Entry("equity_future", None, forward_cases.equity_futures),
    "commodity_future": Entry("commodity_future", None, forward_cases.commodity_futures),
    "fx_future": Entry("fx_future", None, forward_cases.fx_futures),
    "interest_rate_future": Entry("interest_rate_future", 100.0, future_cases.interest_rate_futures),
    "bond_future": Entry("bond_future", 100.0, future_cases.bond_futures),
    "future_option, european": Entry("future_option", 100.0, option_cases.european_on_futures),
    "future_option, american": Entry("future_option", 20.0, option_cases.american_on_futures),
    "commodity_average_option": Entry("commodity_average_option", 100.0, option_cases.average_commodity),
    "commodity_swap": Entry("commodity_swap", 100.0, forward_cases.commodity_swaps),
}


def trades_of(product: str, columns: Columns) -> Trades:
    n = len(next(iter(columns.values())))
    dates = {
        name: pa.array(np.asarray(values, np.int32)).cast(pa.date32())
        for name, values in columns.items()
        if name.endswith("_date") or name == "fixing_start"
    }
    common = {"trade_id": [str(k) for k in range(n)], "book": ["bench"] * n}
    return Trades(canonical(pa.table({**common, **columns, **dates}), catalogue()[product]))


def measure(entry: Entry, market: Market, theirs: QuantLibMarket) -> dict[str, Any]:
    """Figures of one line.

    :raises ValueError: values differ from QuantLib's by more than they may.
    """
    case = entry.make(np.random.default_rng(7), TRADES)
    kind, trades, model = (
        catalogue()[entry.product],
        trades_of(entry.product, case.columns),
        market.model(case.credit_model),
    )
    if kind.validate(trades, AS_OF) or kind.missing_points(trades, model):
        raise ValueError(f"{entry.product}: the benchmark's trades are not valid")
    start = time.process_time()
    prepared = kind.prepare(trades, model)
    preparation = time.process_time() - start
    rows = np.arange(TRADES, dtype=np.int32)
    tiles = [np.ascontiguousarray(market.levels[:, k : k + TILE]) for k in range(0, SCENARIOS, TILE)]
    difference = largest_difference(case, theirs, prepared.price(rows, tiles[0]))
    if not difference < case.agreement:
        raise ValueError(f"{entry.product}: values differ from QuantLib's by {difference:.1e}")
    ours, reference = rates(
        (TRADES * TILE, [partial(prepared.price, rows, tile) for tile in tiles]), quantlib_steps(case, theirs)
    )
    return {
        "valuations_per_second": ours,
        "quantlib_valuations_per_second": reference,
        "ratio": ours / reference,
        "required_ratio": entry.required,
        "reached": entry.required is None or ours / reference >= entry.required,
        "largest_difference": difference,
        "preparation_us_per_trade": 1e6 * preparation / TRADES,
    }


def _rows(case: Case) -> list[Row]:
    """Of the trades that QuantLib is asked about."""
    rows = [dict(zip(case.columns, row, strict=True)) for row in zip(*case.columns.values(), strict=True)]
    return rows[: case.asked]


def largest_difference(case: Case, theirs: QuantLibMarket, values: FloatArray) -> float:
    rows, build = _rows(case), case.exact or case.build
    theirs.move(0)
    value, largest = build(theirs, rows), 0.0
    for scenario in range(COMPARED):
        theirs.move(scenario)
        found = np.abs(values[: len(rows), scenario] - np.array(value())) / case.size[: len(rows)]
        largest = float(np.maximum(largest, np.max(found)))
    return largest


def quantlib_steps(case: Case, theirs: QuantLibMarket) -> Steps:
    """One a scenario."""
    rows = _rows(case)
    theirs.move(0)
    value = case.build(theirs, rows)

    def step(scenario: int) -> None:
        theirs.move(scenario)
        value()

    return len(rows), [partial(step, scenario) for scenario in range(SCENARIOS)]


def rates(*sides: Steps) -> list[float]:
    """Valuations a second of each side, the median of rounds in which they take turns."""
    found: list[list[float]] = [[] for _ in sides]
    turns = [(valuations, itertools.cycle(steps)) for valuations, steps in sides]
    for _, steps in turns:
        next(steps)()
    for _ in range(ROUNDS):
        for (valuations, steps), rate in zip(turns, found, strict=True):
            start, done = time.process_time(), 0
            while (spent := time.process_time() - start) < SECONDS_A_TURN:
                next(steps)()
                done += valuations
            rate.append(done / spent)
    return [float(np.median(rate)) for rate in found]


def measure_alone(product: str) -> dict[str, Any]:
    """Figures of a product that has no case: trades of the sample in the sample's market, without a peer."""
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as directory:
        sample = write_sample(Path(directory), trades=TRADES, scenarios=1, products={product: 1.0})
        inputs = open_inputs(load_settings(sample.config, environment={}))
        table = pq.read_table(Path(directory) / "data/portfolio" / product)
    if isinstance(inputs, RefusedInputs):
        raise ValueError(f"{product}: the sample is refused")
    trades, model = Trades(canonical(table, catalogue()[product])), inputs.model
    start = time.process_time()
    prepared = catalogue()[product].prepare(trades, model)
    preparation = time.process_time() - start
    rows, levels = np.arange(len(trades), dtype=np.int32), moved_levels(model.snapshot)
    tiles = [np.ascontiguousarray(levels[:, k : k + TILE]) for k in range(0, SCENARIOS, TILE)]
    (ours,) = rates((len(trades) * TILE, [partial(prepared.price, rows, tile) for tile in tiles]))
    return {
        "valuations_per_second": ours,
        "reached": True,
        "preparation_us_per_trade": 1e6 * preparation / len(trades),
    }


def _line(label: str, found: Mapping[str, Any]) -> str:
    ours = found["valuations_per_second"] / 1e6
    if "ratio" not in found:
        return f"{label:32} {ours:13.3g} {'-':>13} {'-':>8} {'-':>9} {'-':>11}"
    reference = found["quantlib_valuations_per_second"] / 1e6
    required = "-" if found["required_ratio"] is None else f"{found['required_ratio']:.0f}"
    line = f"{label:32} {ours:13.3g} {reference:13.3g} {found['ratio']:8.3g} {required:>9}"
    return f"{line} {found['largest_difference']:11.1e}{'' if found['reached'] else '  NOT REACHED'}"


def main() -> dict[str, dict[str, Any]]:
    market = Market()
    theirs = QuantLibMarket(market)
    results: dict[str, dict[str, Any]] = {}
    print(f"{'':32} {'riskpipe, M/s':>13} {'QuantLib, M/s':>13} {'ratio':>8} {'required':>9} {'difference':>11}")
    for label, entry in ENTRIES.items():
        results[label] = measure(entry, market, theirs)
        print(_line(label, results[label]), flush=True)
    for product in alone():
        results[product] = measure_alone(product)
        print(_line(product, results[product]), flush=True)
    return results


def alone() -> list[str]:
    """Products that have no line of their own among `ENTRIES`."""
    compared = {entry.product for entry in ENTRIES.values()}
    return [product.name for product in PRODUCTS if product.name not in compared]


if __name__ == "__main__":
    main()
