"""`riskpipe kernels compile`: the cache is filled by pricing a small book of every product, end to end."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskpipe.config import load_settings
from riskpipe.kernels import compiler
from riskpipe.kernels.compiler import Compiled
from riskpipe.measures.catalogue import MEASURES
from riskpipe.plan.accounting import Observer, PublishRule, RunLifecycle, SilentObserver
from riskpipe.plan.selection import parse_selection
from riskpipe.runs.publication import Publication
from riskpipe.sample import write_sample
from riskpipe.sample.recipes import RECIPES
from riskpipe.sample.universe import INDICES
from riskpipe.workflows.run import run

TRADES_A_PRODUCT, SCENARIOS = 8, 3
"""Signatures do not depend on sizes; the trades must show every path through their product."""

# What the sample's configuration leaves to another model, or to indices with a lookback.
_FURTHER: dict[str, tuple[str, ...]] = {
    "credit_default_swap": ("market.credit_model=isda",),
    "interest_rate_swap": tuple(
        f'market.indices."{index.name}".fixing_lag=2' for index in INDICES if index.convention.overnight
    ),
}


@dataclass(frozen=True)
class CompiledKernels:
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
    shares = dict.fromkeys(RECIPES, 1.0)
    book = directory / "book"
    write_sample(book, trades=TRADES_A_PRODUCT * len(shares), scenarios=SCENARIOS, products=shares)
    _value(book, directory / "all", (), observer)
    for product, assignments in _FURTHER.items():
        _value(book, directory / product, assignments, observer, f"product:{product}")


def _value(
    book: Path, output: Path, assignments: tuple[str, ...], observer: Observer, selected: str | None = None
) -> None:
    given = ("cluster.kind=serial", f"output={output}", f"measures=[{', '.join(MEASURES)}]", *assignments)
    settings = load_settings(book / "riskpipe.yaml", assignments=given, environment={})
    selection = parse_selection([selected] if selected else [])
    status = run(settings, selection, resume="never", publication=Publication(PublishRule.ALWAYS), observer=observer)
    if status.state is not RunLifecycle.COMPLETE:
        raise AssertionError(f"the warm-up's run {status.run_id} is {status.state}: {status.failures_by_reason}")
