"""Par instruments: each as QuantLib's helper, which the bootstrap solves, and as the equation that it solves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from riskpipe.market.bootstrap.basis_swaps import basis_swap
from riskpipe.market.bootstrap.currency_basis import cross_currency_swap
from riskpipe.market.bootstrap.instrument_parts import Instrument, Parts
from riskpipe.market.bootstrap.quotes import BootstrapError, Quote
from riskpipe.market.bootstrap.single_periods import deposit, fra, future
from riskpipe.market.bootstrap.swaps import overnight_swap, term_swap
from riskpipe.market.bootstrap.terms import Terms

Maker = Callable[[Parts, Quote], Instrument]


def _either_basis(parts: Parts, quote: Quote) -> Instrument:
    return (cross_currency_swap if parts.terms.foreign else basis_swap)(parts, quote)


_MAKERS: Final[Mapping[str, Maker]] = {
    "deposit": deposit,
    "fra": fra,
    "future": future,
    "ois": overnight_swap,
    "swap": term_swap,
    "basis": _either_basis,
}


class Instruments:
    """Makes the instruments of one curve.

    :param handles: relinkable handles of the curves that `needs` names.
    """

    def __init__(self, as_of: int, terms: Terms, handles: Mapping[str, Any]) -> None:
        self._parts = Parts(as_of, terms, handles)

    def make(self, quote: Quote) -> Instrument:
        """:raises BootstrapError: the quote makes no sense under the curve's terms."""
        try:
            return _MAKERS[quote.instrument](self._parts, quote)
        except RuntimeError as error:
            raise BootstrapError("bad instrument", [quote], str(error)) from error


def needs(terms: Terms, quotes: tuple[Quote, ...]) -> dict[str, Quote]:
    """Other curves that must be there first, and the first quote that needs each."""
    found: dict[str, Quote] = {}
    for quote in quotes:
        wanted: tuple[str, ...] = ()
        if quote.instrument in ("swap", "ois"):
            wanted = (terms.discount_curve,)
        elif quote.instrument == "basis" and terms.foreign:
            wanted = (terms.projection_curve, terms.against, terms.foreign_discount)
        elif quote.instrument == "basis" and terms.against:
            wanted = (terms.discount_curve, terms.against)
        for curve in wanted:
            if curve != terms.name:
                found.setdefault(curve, quote)
    return found
