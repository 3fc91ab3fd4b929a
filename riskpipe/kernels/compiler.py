"""How kernels are compiled: numba without fast-math, cached on disk under a name that follows every source.

Numba's own cache looks at the file of the compiled function alone, so it would go on serving a kernel whose
inlined helper, in another file, has changed. Here the cache directory is named by a hash over all kernel
sources, the numba and llvmlite versions and the processor that is compiled for (`riskpipe.kernels.target`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import llvmlite
import numba
import numba.extending

from riskpipe.kernels import target
from riskpipe.kernels.loading import keep_code

#: LLVM's name of the processor that kernels of this process are compiled for.
CPU = target.choose(os.environ.get(target.VARIABLE, target.HOST))

F = TypeVar("F", bound=Callable[..., Any])

# No fast-math: results must be the same to the last bit in a vector lane and in the scalar tail of a loop.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": False,
    "boundscheck": False,
}


_kernels: list[Any] = []


class Compiled(NamedTuple):
    """What has become of a kernel in this process.

    :ivar signatures: it has been called with; loaded: how many came from the cache; made: how many were compiled.
    """

    name: str
    signatures: tuple[str, ...]
    loaded: int
    made: int


def kernel(function: F) -> F:
    """Compile a kernel: numpy arrays in, numpy arrays out, at its first call for each signature."""
    compiled = _compile(function, _OPTIONS)
    _kernels.append(compiled)
    return cast(F, compiled)


def kernels() -> Iterator[Compiled]:
    """All kernels that have been imported."""
    for each in _kernels:
        function, stats = each.py_func, each.stats
        name = f"{function.__module__}.{function.__qualname__}".removeprefix("riskpipe.kernels.")
        signatures = tuple(sorted(map(str, each.signatures)))
        yield Compiled(name, signatures, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))


def inline(function: F) -> F:
    """Compile a scalar helper that LLVM always inlines into its callers, so that their loops vectorise."""
    return cast(F, _compile(function, {**_OPTIONS, "forceinline": True}))


def intrinsic(function: Callable[..., Any]) -> Any:
    """Register `function(typing_context, *types) -> (signature, code generator)` as a numba intrinsic."""
    return numba.extending.intrinsic(function)


def source_hash() -> str:
    """Hash (16 hex digits) of all that compiled code depends on: kernel sources, compiler versions, processor."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(f"{numba.__version__} {llvmlite.__version__} {target.description()}".encode())
    return digest.hexdigest()[:16]


@cache
def cache_directory() -> Path:
    """Where compiled kernels are kept, existing and writable.

    The root is $RISKPIPE_CACHE_DIR, else $NUMBA_CACHE_DIR, else riskpipe/kernels under $XDG_CACHE_HOME
    (~/.cache). Where that cannot be written, the system's temporary directory, one directory a user; it begins as a
    copy of what the root has, if nobody else can have put code there.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    default = os.path.join(home, "riskpipe", "kernels")
    root = Path(os.environ.get("RISKPIPE_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR") or default).absolute()
    name = source_hash()
    if _is_writable(root / name):
        return root / name
    own = Path(tempfile.gettempdir()) / f"riskpipe-kernels-{_user()}"
    if _is_writable(own):
        _copy(root / name, own / name)
        if _is_writable(own / name):
            return own / name
    return Path(tempfile.mkdtemp(prefix="riskpipe-kernels-"))


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_writable(directory: Path) -> bool:
    # Compiled code is executed when it is loaded: a directory that somebody else owns is not to be trusted.
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        return not hasattr(os, "getuid") or directory.stat().st_uid == os.getuid()
    except OSError:
        return False


def is_trusted(directory: Path) -> bool:
    """Whether a directory and all in it, to two levels, are root's or this user's, and nobody else can write there."""
    try:
        found = [path.lstat() for path in (directory.parent, directory, *directory.glob("*"), *directory.glob("*/*"))]
    except OSError:
        return False
    kinds = all(stat.S_ISDIR(each.st_mode) or stat.S_ISREG(each.st_mode) for each in found)
    return kinds and all(each.st_uid in (0, _user()) and not each.st_mode & 0o022 for each in found)


def _copy(source: Path, target_: Path) -> None:
    """Kernels that were compiled into an image, once, for all processes of this user; whole or not at all."""
    if target_.exists() or not is_trusted(source):
        return
    made = Path(tempfile.mkdtemp(prefix=".copy-", dir=target_.parent))
    try:
        for file in source.glob("*/*"):
            (made / source.name / file.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, made / source.name / file.parent.name / file.name)
        (made / source.name).rename(target_)
    except OSError:
        pass  # another process was faster, or there is no room: what is missing will be compiled
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    compiled = numba.njit(**options)(function)
    keep_code(compiled, cache_directory)
    return compiled
