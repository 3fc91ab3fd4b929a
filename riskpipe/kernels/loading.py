"""How compiled kernels come out of numba's cache: without all that numba only needs to compile."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba.core.config
from numba.core import entrypoints, environment
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, NullCache, _CacheLocator
from numba.core.codegen import CPUCodeLibrary, JitEngine
from numba.core.runtime import rtsys


class _OurSources(_CacheLocator):  # type: ignore[misc]
    """Where the code of a function of this package is, wherever the package is installed.

    Numba's own locators go by the path, time stamp and size of the source, all of which an installer sets: a second
    environment, or an upgrade of anything else, compiled every kernel anew. The cache's directory is named by what
    these sources say (`compiler.source_hash`), so that nothing of another source is found in it. Functions of other
    packages are not in that name: theirs are kept as numba has it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._line = function.__code__.co_firstlineno
        self._path = os.path.join(numba.core.config.CACHE_DIR, "kernels")

    def get_cache_path(self) -> str:
        return self._path

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., Any], path: str) -> _OurSources | None:
        if Path(path).parent != Path(__file__).parent:
            return None
        found = cls(function)
        found.ensure_cache_path()
        return found


class _MachineCode(CompileResultCacheImpl):  # type: ignore[misc]
    """What numba keeps of a function, of which the bitcode is read when another function that is compiled takes it in.

    Numba's own reads the bitcode of every function that it loads, for as long as all else takes.
    """

    _locator_classes = (_OurSources, *CompileResultCacheImpl._locator_classes)

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        (name, kind, code), described, *terms = payload
        if kind != "object":
            return super().rebuild(target_context, payload)
        machine_code, bitcode = code
        # Numba takes the names that code defines from the bitcode. These are the ones that it looks up.
        defined = (described.llvm_func_name, described.llvm_cpython_wrapper_name, described.llvm_cfunc_wrapper_name)
        target_context.codegen()._engine._defined_symbols.update(defined)
        state = name, kind, (machine_code, _no_bitcode())
        rebuilt = super().rebuild(target_context, (state, described, *terms))
        rebuilt.library._shared_module = None
        rebuilt.library._get_module_for_linking = partial(_linkable, rebuilt.library, bitcode)
        return rebuilt


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _environment if name == "_rebuild_env" else super().find_class(module, name)


def _environment(module: str, constants: list[Any], name: str) -> Any:
    """As numba's own, which imports the module of a function for its globals: of numba's functions those mean something
    when they are compiled, and importing the modules of arrays takes longer than loading five kernels."""
    if not module.startswith("numba."):
        return environment._rebuild_env(module, constants, name)
    found = environment.lookup_environment(name)
    if found is None:
        found = environment.Environment({"__name__": module})
        found.consts[:], found.env_name = constants, name
        environment.Environment._memo[name] = found
    return found


class _CodeFile(IndexDataCacheFile):  # type: ignore[misc]
    def __init__(self, path: str, base: str, stamp: str) -> None:
        super().__init__(path, base, stamp)
        self._base = base

    def _load_data(self, name: str) -> Any:
        with open(self._data_path(name), "rb") as file:
            return _Unpickler(file).load()

    def save(self, key: Any, data: Any) -> None:
        """As numba's own, which numbers the files: of two processes that compile a function for other types at once,
        the second would write over the first one's code, which the index gives to both. Here at worst the index lacks
        one of the two, and that is compiled again."""
        overloads = self._load_index()
        name = self._base + "-" + hashlib.sha256(repr(key).encode()).hexdigest()[:16] + ".nbc"
        self._save_data(name, data)
        overloads[key] = name
        self._save_index(overloads)


class _MachineCodeCache(FunctionCache):  # type: ignore[misc]
    _impl_class = _MachineCode

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        place = self._impl.locator
        self._cache_file = _CodeFile(self._cache_path, self._impl.filename_base, place.get_source_stamp())


class CodeCache(NullCache):  # type: ignore[misc]
    """Numba's cache of a function, which loads machine code and nothing else, and is looked for when it is first used.

    Numba's own tries for each function, and before it is called, whether the directory can be written; and it
    registers, before it loads, every function of Python and numpy that it can compile: 0.2 s of each process, which
    mean nothing to code that is compiled; and it looks through the lists of all packages for extensions that teach it
    further types. What such code needs is numba's runtime. A compilation, should there be one after all, registers them
    itself, and extensions are looked for before it.
    """

    def __init__(self, function: Callable[..., Any], directory: Callable[[], Path]) -> None:
        self._function, self._directory = function, directory

    @cached_property
    def _kept(self) -> Any:
        with _caching_in(self._directory()):
            return _MachineCodeCache(self._function)

    @property
    def cache_path(self) -> Any:
        return self._kept.cache_path

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        found = self._kept._load_overload(sig, target_context)
        if found is None:
            entrypoints.init_all()
        return found

    def save_overload(self, sig: Any, cres: Any) -> None:
        self._kept.save_overload(sig, cres)

    def flush(self) -> None:
        self._kept.flush()


def keep_code(dispatcher: Any, directory: Callable[[], Path]) -> None:
    """Let a dispatcher keep what it compiles in a directory, which is asked for when it is first needed.

    This is not in numba's public interface: in a numba that is made otherwise, dispatchers cache as numba has it.
    """
    private = {
        FunctionCache: "_load_overload",
        IndexDataCacheFile: "_save_index",
        environment.Environment: "_memo",
        CPUCodeLibrary: "_get_module_for_linking",
        JitEngine: "_load_defined_symbols",
    }
    hooks = ("_cache", "_compilation_chain_init_hook")
    if all(hasattr(dispatcher, name) for name in hooks) and all(
        hasattr(owner, name) for owner, name in private.items()
    ):
        dispatcher._cache = CodeCache(dispatcher.py_func, directory)
        dispatcher._compilation_chain_init_hook = _later
        return
    with _caching_in(directory()):
        dispatcher.enable_caching()


def _later() -> None:
    """In place of numba's look for extensions before the first call of anything, see `CodeCache`."""


@contextmanager
def _caching_in(directory: Path) -> Iterator[None]:
    """Numba reads CACHE_DIR when a cache is made; other users of numba keep their own setting."""
    previous = numba.core.config.CACHE_DIR
    numba.core.config.CACHE_DIR = str(directory)
    try:
        yield
    finally:
        numba.core.config.CACHE_DIR = previous


@cache
def _no_bitcode() -> Any:
    return llvm.parse_assembly("").as_bitcode()


def _linkable(library: Any, bitcode: bytes) -> Any:
    """The module of a library that others link."""
    if library._shared_module is None:
        library._shared_module = llvm.parse_bitcode(bitcode)
        library.codegen._engine._load_defined_symbols(library._shared_module)
    return library._shared_module
