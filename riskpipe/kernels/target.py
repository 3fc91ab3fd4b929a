"""The processor that kernels are compiled for: this machine's, or a baseline that many machines have in common.

`RISKPIPE_CPU` names it: `host`, which is the default, or one of `BASELINES`. Code compiled for a baseline runs, and is
found in the cache, on every machine that has it. Values are the same for all targets: kernels use IEEE operations and
explicit fused multiply-adds alone (`riskpipe.kernels.mathematics`).
"""

from __future__ import annotations

from collections.abc import Mapping

import llvmlite.binding
import numba.core.codegen
import numba.core.config
import numba.core.registry

from riskpipe.errors import InfrastructureError

VARIABLE = "RISKPIPE_CPU"
HOST = "host"

_V3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
_V4 = (*_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
BASELINES: Mapping[str, tuple[str, ...]] = {"x86-64-v3": _V3, "x86-64-v4": _V4}
"""LLVM's name of a processor -> features that this machine must have to run its code.

Levels of the x86-64 psABI. Level 2 and below have no fused multiply-add, which every kernel is made of.
"""

# LLVM halves the vectors of Intel's processors, which once ran slower with whole ones; kernels gain a fifth by these.
_WIDE = "-prefer-256-bit"


class CpuTargetError(InfrastructureError):
    """Kernels cannot be compiled, or not be run, for the processor that is asked for."""


def choose(wanted: str) -> str:
    """Let numba compile for a processor from now on; its name.

    :param wanted: a name of `BASELINES`, or `host` or nothing for this machine's (or NUMBA_CPU_NAME's).
    :raises CpuTargetError: unknown, not this machine's kind, or numba has compiled for another already.
    """
    if wanted not in ("", HOST):
        _check(wanted)
        numba.core.config.CPU_NAME = wanted
        # None would add this machine's features to those that the name implies.
        numba.core.config.CPU_FEATURES = _WIDE if "avx512f" in BASELINES[wanted] else ""
    elif numba.core.config.CPU_NAME is None and numba.core.config.CPU_FEATURES is None:
        numba.core.config.CPU_FEATURES = _host_features()
    _, name, features = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()
    if wanted in BASELINES and features not in ("", numba.core.config.CPU_FEATURES):
        raise CpuTargetError(
            f"{VARIABLE}={wanted}: numba was used before riskpipe and compiles for this machine: import riskpipe "
            f"first, or set NUMBA_CPU_NAME={wanted} and NUMBA_CPU_FEATURES= (empty) too"
        )
    return str(name)


def description() -> str:
    """Processor and features that numba compiles for."""
    return " ".join(map(str, numba.core.registry.cpu_target.target_context.codegen().magic_tuple()))


def _host_features() -> str | None:
    """This machine's, as numba would have them, with vectors of full width; None leaves them to numba."""
    if not llvmlite.binding.get_host_cpu_features().get("avx512f"):
        return None
    return f"{numba.core.codegen.get_host_cpu_features()},{_WIDE}"


def _check(wanted: str) -> None:
    if wanted not in BASELINES:
        raise CpuTargetError(f"{VARIABLE}={wanted}: there are {', '.join((HOST, *BASELINES))}")
    here = llvmlite.binding.get_host_cpu_features()
    missing = [feature for feature in BASELINES[wanted] if not here.get(feature)]
    if missing:
        name = llvmlite.binding.get_host_cpu_name()
        raise CpuTargetError(f"{VARIABLE}={wanted}: this machine ({name}) has no {', '.join(missing)}")
