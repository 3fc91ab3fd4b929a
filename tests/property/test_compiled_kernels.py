"""Kernels are compiled before the first block, for any processor to the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from published import assert_same_bits

from riskpipe.kernels.target import BASELINES, HOST, VARIABLE, CpuTargetError, choose
from riskpipe.measures.measure_names import CROSS_GAMMA, MEASURES
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.sample import write_sample

BASELINE = "x86-64-v3"
VALUE_BOOK = Path(__file__).parents[1] / "support" / "value_book.py"
REPOSITORY = Path(__file__).parents[2]


@cache
def _can_run(cpu: str) -> bool:
    try:
        subprocess.run(
            [sys.executable, "-c", "import riskpipe.kernels.compiler"],
            env=_environment(cpu),
            check=True,
            capture_output=True,
        )
    except subprocess.CalledProcessError:
        return False
    return True


def _environment(cpu: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), VARIABLE: cpu}


def _answer(cpu: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *words], env=_environment(cpu), check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


EVERYTHING = f"measures=[{', '.join(measure for measure in MEASURES if measure != CROSS_GAMMA)}]"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another book than the one that kernels are compiled with."""
    directory = tmp_path_factory.mktemp("kernels") / "book"
    shares = {product.name: 1.0 for product in PRODUCTS}
    write_sample(directory, trades=6 * len(PRODUCTS), scenarios=20, seed=5, products=shares)
    return directory


def _value(cpu: str, book: Path, output: Path, *assignments: str) -> dict[str, Any]:
    words = (
        EVERYTHING,
        "cluster.kind=serial",
        "risk.monte_carlo.scenarios=16",
        f"output={output}",
        *assignments,
    )
    found = _answer(cpu, str(VALUE_BOOK), str(book / "riskpipe.yaml"), *words)
    assert found["state"] == "complete"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ["market.credit_model=midpoint", "market.credit_model=isda"])
def test_nothing_is_compiled_after_the_warm_up(sample: Path, tmp_path: Path, assignment: str) -> None:
    compiled = _answer(HOST, "-m", "riskpipe", "kernels", "compile", "--json")["kernels"]
    found = _value(HOST, sample, tmp_path, assignment, "partition.max_trades=4", "partition.max_scenarios=250")
    assert len(found["kernels"]) > 30
    for kernel in found["kernels"]:
        assert kernel["made"] == 0, kernel["name"]
        assert set(kernel["signatures"]) <= set(compiled[kernel["name"]]), kernel["name"]


@pytest.mark.slow
@pytest.mark.skipif(not _can_run(BASELINE), reason=f"this machine is no {BASELINE}")
def test_a_baseline_gives_the_bits_of_this_machine(sample: Path, tmp_path: Path) -> None:
    assert _value(BASELINE, sample, tmp_path / "baseline")["cpu"] == BASELINE
    assert _value(HOST, sample, tmp_path / "host")["cpu"] != BASELINE
    assert_same_bits(tmp_path / "baseline", tmp_path / "host")


def test_a_processor_that_is_not_known_or_not_this_one_is_refused() -> None:
    with pytest.raises(CpuTargetError, match=r"RISKPIPE_CPU=x86-64-v9: there are host, x86-64-v3"):
        choose("x86-64-v9")
    words = [sys.executable, "-m", "riskpipe", "kernels", "compile"]
    done = subprocess.run(words, env=_environment("x86-64-v9"), capture_output=True, text=True)
    assert done.returncode == 6
    assert done.stderr == f"error: RISKPIPE_CPU=x86-64-v9: there are {', '.join((HOST, *BASELINES))}\n"


@pytest.mark.skipif(not _can_run(BASELINE), reason=f"this machine is no {BASELINE}")
def test_a_baseline_after_numba_has_begun_is_refused() -> None:
    program = "import numba; numba.njit(lambda x: x)(1); import riskpipe.kernels.compiler"
    done = subprocess.run([sys.executable, "-c", program], env=_environment(BASELINE), capture_output=True, text=True)
    assert "numba was used before riskpipe" in done.stderr
