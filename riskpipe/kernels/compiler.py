"""How kernels are compiled: numba without fast-math, cached on disk under a name that follows every source.

Numba's own cache looks at the file of the compiled function alone, so it would go on serving a kernel whose
inlined helper, in another file, has changed. Here the cache directory is named by a hash over all kernel
sources, the numba and llvmlite versions and the host's CPU.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import llvmlite.binding
import numba
import numba.core.config
import numba.extending

F = TypeVar("F", bound=Callable[..., Any])

# No fast-math: results must be the same to the last bit in a vector lane and in the scalar tail of a loop.
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": False,
    "boundscheck": False,
}


def kernel(function: F) -> F:
    """Compile a kernel: numpy arrays in, numpy arrays out, at its first call for each signature."""
    return cast(F, _compile(function, _OPTIONS))


def inline(function: F) -> F:
    """Compile a scalar helper that LLVM always inlines into its callers, so that their loops vectorise."""
    return cast(F, _compile(function, {**_OPTIONS, "forceinline": True}))


def intrinsic(function: Callable[..., Any]) -> Any:
    """Register `function(typing_context, *types) -> (signature, code generator)` as a numba intrinsic."""
    return numba.extending.intrinsic(function)


def source_hash() -> str:
    """Hash (16 hex digits) of all that compiled code depends on: kernel sources, compiler versions, CPU."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    cpu = llvmlite.binding.get_host_cpu_name()
    digest.update(f"{numba.__version__} {llvmlite.__version__} {cpu}".encode())
    return digest.hexdigest()[:16]


@cache
def cache_directory() -> Path:
    """Where compiled kernels are kept, existing and writable.

    The root is $RISKPIPE_CACHE_DIR, else $NUMBA_CACHE_DIR, else riskpipe/kernels under $XDG_CACHE_HOME
    (~/.cache). Where that cannot be written, the system's temporary directory, one directory a user.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    default = os.path.join(home, "riskpipe", "kernels")
    root = os.environ.get("RISKPIPE_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR") or default
    directory = Path(root).absolute() / source_hash()
    if _is_writable(directory):
        return directory
    user = os.getuid() if hasattr(os, "getuid") else 0
    fallback = Path(tempfile.gettempdir()) / f"riskpipe-kernels-{user}" / source_hash()
    if _is_writable(fallback):
        return fallback
    return Path(tempfile.mkdtemp(prefix="riskpipe-kernels-"))


def _is_writable(directory: Path) -> bool:
    # Compiled code is executed when it is loaded: a directory that somebody else owns is not to be trusted.
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        return not hasattr(os, "getuid") or directory.stat().st_uid == os.getuid()
    except OSError:
        return False


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    # Numba reads CACHE_DIR once, when the function is wrapped; other users of numba keep their own setting.
    previous = numba.core.config.CACHE_DIR
    numba.core.config.CACHE_DIR = str(cache_directory())
    try:
        return numba.njit(**options)(function)
    finally:
        numba.core.config.CACHE_DIR = previous
