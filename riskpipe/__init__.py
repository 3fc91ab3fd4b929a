"""riskpipe: batch risk for cross-asset books.

From Python: `run`, `plan`, `check`, `price` and `results` (docs/python.md). They are loaded when they are first used:
importing the package, or a room of it, costs nothing. Two rooms have the name of a function, `plan` and `results`:
they can be called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riskpipe.api.functions import Prices, PublishedResults, ResultTable, check, init, plan, price, results, run
    from riskpipe.errors import (
        ClusterError,
        ConfigurationError,
        GateError,
        InfrastructureError,
        InputError,
        LeaseError,
        RiskpipeError,
        StorageError,
        UsageError,
    )

__version__ = "0.1.0"

__all__ = [
    "ClusterError",
    "ConfigurationError",
    "GateError",
    "InfrastructureError",
    "InputError",
    "LeaseError",
    "Prices",
    "PublishedResults",
    "ResultTable",
    "RiskpipeError",
    "StorageError",
    "UsageError",
    "__version__",
    "check",
    "init",
    "plan",
    "price",
    "results",
    "run",
]

_OF_API = ("Prices", "PublishedResults", "ResultTable", "check", "init", "plan", "price", "results", "run")
_ROOMS = ("plan", "results")


class _CalledRoom(ModuleType):
    """A room whose name is a function's, too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(import_module("riskpipe.api.functions"), self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ROOMS and type(value) is ModuleType:  # the import system binds a room to its package
            value.__class__ = _CalledRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"riskpipe.{name}")
    if name in _OF_API:
        return getattr(import_module("riskpipe.api.functions"), name)
    if name in __all__:
        return getattr(import_module("riskpipe.errors"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
