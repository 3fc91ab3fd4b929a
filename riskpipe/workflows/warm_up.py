"""`riskpipe kernels compile`: the cache is filled by pricing a small book of every product, end to end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from riskpipe.config import load_settings
from riskpipe.kernels import compiler
from riskpipe.kernels.compiler import Compiled
from riskpipe.measures.measure_names import CROSS_GAMMA, MEASURES
from riskpipe.plan.accounting import Observer, PublishRule, RunLifecycle, SilentObserver
from riskpipe.plan.selection import parse_selection
from riskpipe.runs.publication import Publication
from riskpipe.sample import write_sample
from riskpipe.sample.recipes import RECIPES
from riskpipe.sample.universe import BY_CODE, EQUITY_BY_NAME, INDICES, ISSUERS, PAYERS
from riskpipe.workflows.run import run

TRADES_A_PRODUCT, SCENARIOS = 8, 3
"""Signatures do not depend on sizes; the trades must show every path through their product."""
_MANIFOLD = {"swap": 4.0, "interest_rate_swap": 2.0}
"""As many times more trades of products that have more paths than others."""

# What the sample's configuration leaves to another model, or to indices with a lookback.
_FURTHER: dict[str, tuple[str, ...]] = {
    "credit_default_swap": ("market.credit_model=isda",),
    "interest_rate_swap": tuple(
        f'market.indices."{index.name}".fixing_lag=2' for index in INDICES if index.convention.overnight
    ),
}

# Priced otherwise on a stock with discrete dividends, of which the sample has few.
_DIVIDENDS = ("equity_option", "equity_barrier_option")


class CompiledKernels(Struct, frozen=True):
    """:param kernels: those that pricing has called, with their signatures."""

    directory: Path
    cpu: str
    kernels: tuple[Compiled, ...]
    seconds: float

    @property
    def made(self) -> int:
        return sum(kernel.made for kernel in self.kernels)

    @property
    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.directory.rglob("*") if file.is_file())

    def to_json(self) -> dict[str, Any]:
        return {
            "directory": str(self.directory),
            "cpu": self.cpu,
            "kernels": {kernel.name: list(kernel.signatures) for kernel in self.kernels},
            "compiled": self.made,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }


def compile_kernels() -> CompiledKernels:
    """Compile, or load, every kernel for every signature that a run calls it with.

    :raises RiskpipeError: a temporary book cannot be written or valued.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="riskpipe-warm-up-") as temporary:
        _value_sample(Path(temporary), SilentObserver())
    called = tuple(kernel for kernel in compiler.kernels() if kernel.signatures)
    return CompiledKernels(compiler.cache_directory(), compiler.CPU, called, time.perf_counter() - started)


def _value_sample(directory: Path, observer: Observer) -> None:
    """Every product under every measure, and some products under their other models and conventions."""
    shares = dict.fromkeys(RECIPES, 1.0) | _MANIFOLD
    book = directory / "book"
    write_sample(book, trades=int(TRADES_A_PRODUCT * sum(shares.values())), scenarios=SCENARIOS, products=shares)
    for product in _DIVIDENDS:
        _add_on_dividends(book / "data" / "portfolio" / product)
    _add_floors(book / "data" / "portfolio" / "floating_rate_note")
    _value(book, directory / "all", (), observer)
    for product, assignments in _FURTHER.items():
        _value(book, directory / product, assignments, observer, f"product:{product}")


def _add_on_dividends(folder: Path) -> None:
    """The same trades again, on a stock with discrete dividends and for long enough to see some."""
    trades = pq.read_table(folder)
    stock = EQUITY_BY_NAME[next(iter(PAYERS))]
    expiry = pc.add(pc.max(trades["expiry_date"]), pa.scalar(timedelta(days=366))).cast(pa.date32())
    changed = {"underlying": stock.name, "currency": stock.currency, "expiry_date": expiry}
    _add(folder, trades, "dividends", changed)


def _add_floors(folder: Path) -> None:
    """The same notes again, floored, of an issuer that may default."""
    curve = BY_CODE["USD"].discount_curve
    changed = {
        "currency": "USD",
        "index": curve,
        "discount_curve": curve,
        "credit_curve": ISSUERS[0].name,
        "floor": 0.0,
        "volatility": f"{curve}.CAPS",
        "model": "bachelier",
    }
    _add(folder, pq.read_table(folder), "floors", changed)


def _add(folder: Path, trades: pa.Table, suffix: str, changed: Mapping[str, Any]) -> None:
    """Trades under another name. :param changed: what all of them have in columns."""
    columns = {name: trades[name] for name in trades.column_names}
    columns |= {name: pa.repeat(value, len(trades)).cast(trades[name].type) for name, value in changed.items()}
    columns["trade_id"] = pc.binary_join_element_wise(trades["trade_id"], suffix, "-")
    pq.write_table(pa.table(columns), folder / f"part-{suffix}.parquet")


def _value(
    book: Path, output: Path, assignments: tuple[str, ...], observer: Observer, selected: str | None = None
) -> None:
    # Crossed bumps call nothing that others do not.
    measures = ", ".join(measure for measure in MEASURES if measure != CROSS_GAMMA)
    few = "risk.monte_carlo.scenarios=16"
    given = ("cluster.kind=serial", f"output={output}", f"measures=[{measures}]", few, *assignments)
    settings = load_settings(book / "riskpipe.yaml", assignments=given, environment={})
    selection = parse_selection([selected] if selected else [])
    status = run(settings, selection, resume="never", publication=Publication(PublishRule.ALWAYS), observer=observer)
    if status.state is not RunLifecycle.COMPLETE:
        raise AssertionError(f"the warm-up's run {status.run_id} is {status.state}: {status.failures_by_reason}")
