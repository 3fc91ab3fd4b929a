"""Every product that riskpipe knows: its own, in order, then those of other packages (entry points)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points

from riskpipe.errors import UsageError, described, is_interrupt
from riskpipe.products.base import Product
from riskpipe.products.bond import Bond
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.commodity_forward import CommodityForward
from riskpipe.products.commodity_option import CommodityOption
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.equity_asian_option import EquityAsianOption
from riskpipe.products.equity_barrier_option import EquityBarrierOption
from riskpipe.products.equity_forward import EquityForward
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.floating_rate_note import FloatingRateNote
from riskpipe.products.fra import ForwardRateAgreement
from riskpipe.products.fx_barrier_option import FxBarrierOption
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.fx_option import FxOption
from riskpipe.products.fx_touch import FxTouch
from riskpipe.products.inflation_swap import InflationSwap
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.quanto_equity_option import QuantoEquityOption
from riskpipe.products.swaption import Swaption
from riskpipe.products.variance_swap import VarianceSwap

GROUP = "riskpipe.products"

PRODUCTS: tuple[Product, ...] = (
    FxForward(),
    FxOption(),
    EquityOption(),
    InterestRateSwap(),
    Bond(),
    CreditDefaultSwap(),
    CommodityOption(),
    EquityForward(),
    CommodityForward(),
    ForwardRateAgreement(),
    FloatingRateNote(),
    CrossCurrencySwap(),
    InflationSwap(),
    CapFloor(),
    Swaption(),
    FxBarrierOption(),
    EquityBarrierOption(),
    FxTouch(),
    EquityAsianOption(),
    VarianceSwap(),
    QuantoEquityOption(),
)


class Catalogue(dict[str, Product]):
    """Name -> product, and what was to be one.

    :ivar broken: name of the entry point (of the package, where its list of them cannot be read) -> what is wrong with
        it. A product that is asked for and is not there raises UsageError with all that are.
    """

    def __init__(self) -> None:
        super().__init__((product.name, product) for product in PRODUCTS)
        self.broken: dict[str, str] = {}

    def __missing__(self, name: str) -> Product:
        raise UsageError("; ".join([f"no product is called {name!r} here", *self.why(name)]))

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
    for point in sorted(_entry_points(products), key=lambda p: p.name):
        try:
            product = _load(point.load(), point.value)
            name = str(product.name)
        except BaseException as error:
            if is_interrupt(error):
                raise
            told = str(error) if isinstance(error, UsageError) else f"it does not import: {described(error)}"
            products.broken[point.name] = f"the plug-in {point.name!r} of {_package(point)} is left out: {told}"
            continue
        if name in products:
            raise UsageError(f"the product {name!r} of {point.value} ({_package(point)}) is there already")
        products[name] = product
    return products


def _entry_points(products: Catalogue) -> Iterator[EntryPoint]:
    """Of all packages; when the list of one cannot be read, those of the others, one by one."""
    try:
        yield from entry_points(group=GROUP)
        return
    except Exception:
        seen = set()
    for distribution in distributions():
        name = _name_of(distribution)
        if name in seen:
            continue
        seen.add(name)
        try:
            yield from distribution.entry_points.select(group=GROUP)
        except Exception as error:
            told = f"its entry_points.txt cannot be read: {described(error)}"
            products.broken[name] = f"the plug-ins of the package {name} are left out: {told}"


def _package(point: EntryPoint) -> str:
    return "an unnamed package" if point.dist is None else f"the package {_name_of(point.dist)}"


def _name_of(distribution: Distribution) -> str:
    try:
        return f"{distribution.name} {distribution.version}"
    except Exception:  # its METADATA cannot be read
        return str(getattr(distribution, "_path", "that has no name"))


def _load(found: object, where: str) -> Product:
    if isinstance(found, type) and issubclass(found, Product):
        return found()
    if isinstance(found, Product):
        return found
    raise UsageError(f"{where} is no riskpipe.products.base.Product")
