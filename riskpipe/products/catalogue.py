"""Every product that riskpipe knows: its own, in order, then those of other packages (entry points)."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from riskpipe.errors import UsageError
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
)


@cache
def catalogue() -> dict[str, Product]:
    """Name -> product.

    Another package adds a product with an entry point of the group `riskpipe.products` that names a subclass of
    `Product` (or an instance), and may not take a name that is in use.

    :raises UsageError: an entry point that is no product, or a name that is taken.
    """
    products = {product.name: product for product in PRODUCTS}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        product = _load(point.load(), point.value)
        if product.name in products:
            raise UsageError(f"the product {product.name!r} of {point.value} is there already")
        products[product.name] = product
    return products


def _load(found: object, where: str) -> Product:
    if isinstance(found, type) and issubclass(found, Product):
        return found()
    if isinstance(found, Product):
        return found
    raise UsageError(f"{where} is no riskpipe.products.base.Product")
