"""The desks of the products that have many: which book trades what, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.recipe import Desk, equally, issuers, stocks
from riskpipe.sample.universe import EQUITY_INDICES, FX_SMILES


def _desk(book: str, share: float, *instruments: tuple[str, float], long: float = 0.5) -> Desk:
    return Desk(book, share, instruments, long)


_EURO_RATES = (("EUR.EURIBOR6M", 0.7), ("EUR.EURIBOR3M", 0.2), ("EUR.ESTR", 0.1))
_MAJORS = tuple(zip(FX_SMILES, (30.0, 14.0, 9.0, 22.0, 8.0, 10.0, 4.0, 6.0, 5.0), strict=True))
_EURO_PAIRS = (("EURUSD", 3.0), ("EURGBP", 2.0), ("EURCHF", 1.5), ("EURJPY", 1.5), ("EURSEK", 1.0))
_INDICES: dict[str, list[str]] = {}
for _equity in EQUITY_INDICES:
    _INDICES.setdefault(_equity.currency, []).append(_equity.name)

SWAPS = (
    _desk("rates/usd/swaps", 24, ("USD.SOFR", 1.0), long=0.52),
    _desk("rates/usd/hedging", 8, ("USD.SOFR", 1.0), long=0.46),
    _desk("rates/eur/swaps", 20, ("EUR.EURIBOR6M", 1.0), long=0.48),
    _desk("rates/eur/hedging", 5, *_EURO_RATES, long=0.53),
    _desk("rates/eur/euribor3m", 4, ("EUR.EURIBOR3M", 1.0)),
    _desk("rates/eur/ois", 7, ("EUR.ESTR", 1.0)),
    _desk("rates/gbp/swaps", 10, ("GBP.SONIA", 1.0), long=0.52),
    _desk("rates/jpy/swaps", 6, ("JPY.TONA", 1.0), long=0.48),
    _desk("rates/jpy/tibor", 2, ("JPY.TIBOR6M", 1.0)),
    _desk("rates/chf/swaps", 3, ("CHF.SARON", 1.0)),
    _desk("rates/aud/swaps", 4, ("AUD.BBSW6M", 0.6), ("AUD.BBSW3M", 0.3), ("AUD.AONIA", 0.1)),
    _desk("rates/cad/swaps", 4, ("CAD.CORRA", 1.0)),
    _desk("rates/sek/swaps", 3, ("SEK.STIBOR3M", 0.8), ("SEK.SWESTR", 0.2)),
)

BONDS = (
    Desk("rates/usd/treasuries", 24, equally(["USD.GOVT"]), 0.55),
    Desk("rates/eur/governments", 18, equally(["EUR.GOVT"]), 0.55),
    Desk("rates/gbp/gilts", 10, equally(["GBP.GOVT"]), 0.52),
    Desk("rates/jpy/jgbs", 8, equally(["JPY.GOVT"]), 0.52),
    Desk("credit/ig/bonds", 20, issuers(grade="ig"), 0.60),
    Desk("credit/hy/bonds", 10, issuers(grade="hy"), 0.56),
    Desk("treasury/liquidity/bonds", 10, (("USD.GOVT", 2.0), ("EUR.GOVT", 1.0), ("GBP.GOVT", 0.5)), 0.90),
)

FX_FORWARDS = (
    _desk("fx/g10/forwards", 35, *_MAJORS),
    _desk("fx/eur/forwards", 18, *_EURO_PAIRS, long=0.48),
    _desk("fx/jpy/forwards", 10, ("USDJPY", 3.0), ("EURJPY", 2.0), ("GBPJPY", 1.0)),
    _desk("fx/commodity/forwards", 8, ("AUDUSD", 1.0), ("USDCAD", 1.0)),
    _desk("fx/scandi/forwards", 5, ("USDSEK", 1.0), ("EURSEK", 2.0)),
    _desk("fx/clients/forwards", 16, *_MAJORS, long=0.54),
    _desk("treasury/funding/fx", 8, ("EURUSD", 2.0), ("USDJPY", 1.0), ("GBPUSD", 1.0), long=0.42),
)

FX_OPTIONS = (
    _desk("fx/g10/options", 45, *_MAJORS),
    _desk("fx/eur/options", 18, ("EURUSD", 3.0), ("EURGBP", 2.0), ("EURJPY", 1.0), long=0.47),
    _desk("fx/jpy/options", 15, ("USDJPY", 3.0), ("EURJPY", 1.0)),
    _desk("fx/commodity/options", 8, ("AUDUSD", 1.0), ("USDCAD", 1.0)),
    _desk("fx/scandi/options", 4, ("USDSEK", 1.0)),
    _desk("fx/clients/options", 10, *_MAJORS, long=0.42),
)

EQUITY_OPTIONS = (
    Desk("equity/us/index", 26, (("SPX", 6.0), ("NDX", 3.0), ("RUT", 1.0)), 0.48),
    Desk("equity/us/technology", 10, stocks("US", "TECH"), 0.47),
    Desk("equity/us/financials", 6, stocks("US", "BANK"), 0.50),
    Desk("equity/us/singles", 9, stocks("US"), 0.51),
    Desk("equity/us/hedging", 4, (("SPX", 1.0),), 0.70),
    Desk("equity/europe/index", 15, equally(_INDICES["EUR"]), 0.49),
    Desk("equity/europe/singles", 8, stocks("EU"), 0.50),
    Desk("equity/uk/index", 5, equally(_INDICES["GBP"])),
    Desk("equity/uk/singles", 3, stocks("UK")),
    Desk("equity/japan/index", 6, equally(_INDICES["JPY"])),
    Desk("equity/japan/singles", 3, stocks("JP")),
    Desk("equity/pacific/index", 2, equally(_INDICES["AUD"])),
    Desk("equity/swiss/index", 2, equally(_INDICES["CHF"])),
    Desk("equity/nordic/index", 1, equally(_INDICES["SEK"])),
)

CREDIT_DEFAULT_SWAPS = (
    Desk("credit/ig/cds", 45, issuers(grade="ig"), 0.47),
    Desk("credit/hy/cds", 20, issuers(grade="hy"), 0.50),
    Desk("credit/financials/cds", 15, issuers(sector="BANK"), 0.52),
    Desk("credit/europe/cds", 12, issuers(region="EU_"), 0.50),
    Desk("credit/hedging/cds", 8, issuers(), 0.85),
)

COMMODITY_OPTIONS = (
    Desk("commodity/energy/options", 40, (("WTI", 3.0), ("BRENT", 3.0), ("HENRYHUB", 1.0))),
    Desk("commodity/gas/options", 18, (("HENRYHUB", 2.0), ("TTF", 1.5)), 0.52),
    Desk("commodity/precious/options", 20, equally(["GOLD"]), 0.51),
    Desk("commodity/base/options", 12, equally(["COPPER"]), 0.49),
    Desk("commodity/clients/options", 10, (("WTI", 2.0), ("BRENT", 2.0), ("GOLD", 1.0)), 0.40),
)


class DeskTable:
    """The desks of one product, by book, with draws of instruments for many trades at once."""

    def __init__(self, desks: Sequence[Desk]) -> None:
        self.desks = tuple(sorted(desks, key=lambda desk: desk.book))
        self.instruments = tuple(sorted({name for desk in self.desks for name, _ in desk.instruments}))
        self.shares = np.array([desk.share for desk in self.desks])
        self.long = np.array([desk.long for desk in self.desks])
        weights = np.zeros((len(self.desks), len(self.instruments)))
        for k, desk in enumerate(self.desks):
            for name, weight in desk.instruments:
                weights[k, self.instruments.index(name)] = weight
        self._cumulative = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)

    def books(self, codes: NDArray[np.int32]) -> Labels:
        return Labels(codes, tuple(desk.book for desk in self.desks))

    def draw_instruments(self, codes: NDArray[np.int32], uniform: FloatArray) -> Labels:
        """An instrument a trade, by inverting its desk's distribution at `uniform` in [0, 1)."""
        chosen = np.empty(len(codes), np.int32)
        for desk in np.unique(codes):
            rows = codes == desk
            chosen[rows] = np.searchsorted(self._cumulative[desk], uniform[rows], side="right")
        return Labels(np.minimum(chosen, len(self.instruments) - 1).astype(np.int32), self.instruments)
