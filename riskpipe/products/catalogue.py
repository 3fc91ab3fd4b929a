"""Every product that riskpipe knows: its own, in order, then those of other packages (entry points)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import overload

from riskpipe.errors import UsageError
from riskpipe.plugins import load_plugins
from riskpipe.products.base import Product

GROUP = "riskpipe.products"

_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "fx_forward": "FxForward",
        "fx_option": "FxOption",
        "equity_option": "EquityOption",
        "interest_rate_swap": "InterestRateSwap",
        "bond": "Bond",
        "credit_default_swap": "CreditDefaultSwap",
        "commodity_option": "CommodityOption",
        "equity_forward": "EquityForward",
        "commodity_forward": "CommodityForward",
        "fra": "ForwardRateAgreement",
        "floating_rate_note": "FloatingRateNote",
        "cross_currency_swap": "CrossCurrencySwap",
        "inflation_swap": "InflationSwap",
        "cap_floor": "CapFloor",
        "swaption": "Swaption",
        "fx_barrier_option": "FxBarrierOption",
        "equity_barrier_option": "EquityBarrierOption",
        "fx_touch": "FxTouch",
        "equity_asian_option": "EquityAsianOption",
        "variance_swap": "VarianceSwap",
        "quanto_equity_option": "QuantoEquityOption",
        "cash_balance": "CashBalance",
        "equity_position": "EquityPosition",
        "fx_swap": "FxSwap",
        "ndf": "NonDeliverableForward",
        "swap": "Swap",
        "equity_future": "EquityFuture",
        "commodity_future": "CommodityFuture",
        "fx_future": "FxFuture",
        "future_option": "FutureOption",
        "basis_swap": "BasisSwap",
        "commodity_swap": "CommoditySwap",
        "commodity_average_option": "CommodityAverageOption",
        "interest_rate_future": "InterestRateFuture",
        "bond_future": "BondFuture",
        "index_cds": "IndexCds",
        "equity_swap": "EquitySwap",
        "inflation_bond": "InflationBond",
        "deposit": "Deposit",
        "repo": "Repo",
        "forward_bond": "ForwardBond",
        "bond_total_return_swap": "BondTotalReturnSwap",
    }
)
"""riskpipe's own products, in order -> class, in the module of the product's name."""


@cache
def _own(name: str) -> Product:
    """A product of riskpipe's: a small book has few, and their modules take longer to import than to price it."""
    product: Product = getattr(import_module(f"riskpipe.products.{name}"), _CLASSES[name])()
    return product


class _OwnProducts(Sequence[Product]):
    @overload
    def __getitem__(self, index: int) -> Product: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Product]: ...

    def __getitem__(self, index: int | slice) -> Product | Sequence[Product]:
        names = list(_CLASSES)[index]
        return _own(names) if isinstance(names, str) else [_own(name) for name in names]

    def __len__(self) -> int:
        return len(_CLASSES)


PRODUCTS: Sequence[Product] = _OwnProducts()
"""riskpipe's own; each is imported when it is taken."""


class Catalogue(MutableMapping[str, Product]):
    """Name -> product, and what was to be one. riskpipe's own are imported when they are asked for.

    :ivar broken: name of the entry point (of the package, where its list of them cannot be read) -> what is wrong with
        it. A product that is asked for and is not there raises UsageError with all that are.
    """

    def __init__(self) -> None:
        self._known: dict[str, Product | None] = dict.fromkeys(_CLASSES)
        self.broken: dict[str, str] = {}

    def __getitem__(self, name: str) -> Product:
        if name not in self._known:
            raise UsageError("; ".join([f"no product is called {name!r} here", *self.why(name)]))
        return self._known[name] or _own(name)

    def __setitem__(self, name: str, product: Product) -> None:
        self._known[name] = product

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def why(self, name: str) -> list[str]:
        """What is wrong with the plug-in of this name; where there is none, with every one that is broken."""
        return [self.broken[name]] if name in self.broken else list(self.broken.values())


@cache
def catalogue() -> Catalogue:
    """Every product there is.

    Another package adds a product with an entry point of the group `riskpipe.products` that names a subclass of
    `Product` (or an instance), and may not take a name that is in use. One that cannot be loaded is `broken`, and the
    others are there.

    :raises UsageError: a name that is taken.
    """
    products = Catalogue()
    plugins = load_plugins(GROUP, Product)  # type: ignore[type-abstract]
    products.broken |= plugins.broken
    for plugin in plugins.found:
        if plugin.name in products:
            raise plugin.is_there("product")
        products[plugin.name] = plugin.value
    return products
