"""The books of the sample: which desk trades what, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.extra_points import CAPPED, INFLATION
from riskpipe.sample.universe import CURRENCIES, EQUITY_INDICES, FX_SMILES, INDICES, ISSUERS, STOCKS


@dataclass(frozen=True)
class Desk:
    """One book of one product.

    :param share: of the product's trades, relative to the product's other books.
    :param instruments: what it trades (index, pair, underlying, issuer or curve) and how often, relative.
    :param long: probability that a trade is long.
    """

    product: str
    book: str
    share: float
    instruments: tuple[tuple[str, float], ...]
    long: float = 0.5


def _equally(names: Iterable[str]) -> tuple[tuple[str, float], ...]:
    return tuple((name, 1.0) for name in names)


def _stocks(region: str, *sectors: str) -> tuple[tuple[str, float], ...]:
    wanted = tuple(f"{region}_{sector}" for sector in sectors) or (region,)
    return _equally(stock.name for stock in STOCKS if stock.name.startswith(wanted))


def _issuers(region: str = "", grade: str = "", sector: str = "") -> tuple[tuple[str, float], ...]:
    return _equally(i.name for i in ISSUERS if region in i.name and grade in i.grade and sector in i.name)


def _swaps() -> list[Desk]:
    def desk(book: str, share: float, *indices: tuple[str, float], long: float = 0.5) -> Desk:
        return Desk("interest_rate_swap", book, share, indices, long)

    eur = (("EUR.EURIBOR6M", 0.7), ("EUR.EURIBOR3M", 0.2), ("EUR.ESTR", 0.1))
    return [
        desk("rates/usd/swaps", 24, ("USD.SOFR", 1.0), long=0.52),
        desk("rates/usd/hedging", 8, ("USD.SOFR", 1.0), long=0.46),
        desk("rates/eur/swaps", 20, ("EUR.EURIBOR6M", 1.0), long=0.48),
        desk("rates/eur/hedging", 5, *eur, long=0.53),
        desk("rates/eur/euribor3m", 4, ("EUR.EURIBOR3M", 1.0)),
        desk("rates/eur/ois", 7, ("EUR.ESTR", 1.0)),
        desk("rates/gbp/swaps", 10, ("GBP.SONIA", 1.0), long=0.52),
        desk("rates/jpy/swaps", 6, ("JPY.TONA", 1.0), long=0.48),
        desk("rates/jpy/tibor", 2, ("JPY.TIBOR6M", 1.0)),
        desk("rates/chf/swaps", 3, ("CHF.SARON", 1.0)),
        desk("rates/aud/swaps", 4, ("AUD.BBSW6M", 0.6), ("AUD.BBSW3M", 0.3), ("AUD.AONIA", 0.1)),
        desk("rates/cad/swaps", 4, ("CAD.CORRA", 1.0)),
        desk("rates/sek/swaps", 3, ("SEK.STIBOR3M", 0.8), ("SEK.SWESTR", 0.2)),
    ]


def _bonds() -> list[Desk]:
    def desk(book: str, share: float, instruments: tuple[tuple[str, float], ...], long: float) -> Desk:
        return Desk("bond", book, share, instruments, long)

    return [
        desk("rates/usd/treasuries", 24, _equally(["USD.GOVT"]), 0.55),
        desk("rates/eur/governments", 18, _equally(["EUR.GOVT"]), 0.55),
        desk("rates/gbp/gilts", 10, _equally(["GBP.GOVT"]), 0.52),
        desk("rates/jpy/jgbs", 8, _equally(["JPY.GOVT"]), 0.52),
        desk("credit/ig/bonds", 20, _issuers(grade="ig"), 0.60),
        desk("credit/hy/bonds", 10, _issuers(grade="hy"), 0.56),
        desk("treasury/liquidity/bonds", 10, (("USD.GOVT", 2.0), ("EUR.GOVT", 1.0), ("GBP.GOVT", 0.5)), 0.90),
    ]


def _fx() -> list[Desk]:
    majors = tuple(zip(FX_SMILES, (30, 14, 9, 22, 8, 10, 4, 6, 5), strict=True))
    euro = (("EURUSD", 3.0), ("EURGBP", 2.0), ("EURCHF", 1.5), ("EURJPY", 1.5), ("EURSEK", 1.0))

    def forward(book: str, share: float, *pairs: tuple[str, float], long: float = 0.5) -> Desk:
        return Desk("fx_forward", book, share, pairs, long)

    def option(book: str, share: float, *pairs: tuple[str, float], long: float = 0.5) -> Desk:
        return Desk("fx_option", book, share, pairs, long)

    return [
        forward("fx/g10/forwards", 35, *majors),
        forward("fx/eur/forwards", 18, *euro, long=0.48),
        forward("fx/jpy/forwards", 10, ("USDJPY", 3.0), ("EURJPY", 2.0), ("GBPJPY", 1.0)),
        forward("fx/commodity/forwards", 8, ("AUDUSD", 1.0), ("USDCAD", 1.0)),
        forward("fx/scandi/forwards", 5, ("USDSEK", 1.0), ("EURSEK", 2.0)),
        forward("fx/clients/forwards", 16, *majors, long=0.54),
        forward("treasury/funding/fx", 8, ("EURUSD", 2.0), ("USDJPY", 1.0), ("GBPUSD", 1.0), long=0.42),
        option("fx/g10/options", 45, *majors),
        option("fx/eur/options", 18, ("EURUSD", 3.0), ("EURGBP", 2.0), ("EURJPY", 1.0), long=0.47),
        option("fx/jpy/options", 15, ("USDJPY", 3.0), ("EURJPY", 1.0)),
        option("fx/commodity/options", 8, ("AUDUSD", 1.0), ("USDCAD", 1.0)),
        option("fx/scandi/options", 4, ("USDSEK", 1.0)),
        option("fx/clients/options", 10, *majors, long=0.42),
    ]


def _equities() -> list[Desk]:
    indices: dict[str, list[str]] = {}
    for equity in EQUITY_INDICES:
        indices.setdefault(equity.currency, []).append(equity.name)

    def desk(book: str, share: float, instruments: tuple[tuple[str, float], ...], long: float = 0.5) -> Desk:
        return Desk("equity_option", book, share, instruments, long)

    return [
        desk("equity/us/index", 26, (("SPX", 6.0), ("NDX", 3.0), ("RUT", 1.0)), 0.48),
        desk("equity/us/technology", 10, _stocks("US", "TECH"), 0.47),
        desk("equity/us/financials", 6, _stocks("US", "BANK"), 0.50),
        desk("equity/us/singles", 9, _stocks("US"), 0.51),
        desk("equity/us/hedging", 4, (("SPX", 1.0),), 0.70),
        desk("equity/europe/index", 15, _equally(indices["EUR"]), 0.49),
        desk("equity/europe/singles", 8, _stocks("EU"), 0.50),
        desk("equity/uk/index", 5, _equally(indices["GBP"])),
        desk("equity/uk/singles", 3, _stocks("UK")),
        desk("equity/japan/index", 6, _equally(indices["JPY"])),
        desk("equity/japan/singles", 3, _stocks("JP")),
        desk("equity/pacific/index", 2, _equally(indices["AUD"])),
        desk("equity/swiss/index", 2, _equally(indices["CHF"])),
        desk("equity/nordic/index", 1, _equally(indices["SEK"])),
    ]


def _credit() -> list[Desk]:
    def desk(book: str, share: float, instruments: tuple[tuple[str, float], ...], long: float) -> Desk:
        return Desk("credit_default_swap", book, share, instruments, long)

    return [
        desk("credit/ig/cds", 45, _issuers(grade="ig"), 0.47),
        desk("credit/hy/cds", 20, _issuers(grade="hy"), 0.50),
        desk("credit/financials/cds", 15, _issuers(sector="BANK"), 0.52),
        desk("credit/europe/cds", 12, _issuers(region="EU_"), 0.50),
        desk("credit/hedging/cds", 8, _issuers(), 0.85),
    ]


def _commodities() -> list[Desk]:
    def desk(book: str, share: float, instruments: tuple[tuple[str, float], ...], long: float = 0.5) -> Desk:
        return Desk("commodity_option", book, share, instruments, long)

    return [
        desk("commodity/energy/options", 40, (("WTI", 3.0), ("BRENT", 3.0), ("HENRYHUB", 1.0))),
        desk("commodity/gas/options", 18, (("HENRYHUB", 2.0), ("TTF", 1.5)), 0.52),
        desk("commodity/precious/options", 20, _equally(["GOLD"]), 0.51),
        desk("commodity/base/options", 12, _equally(["COPPER"]), 0.49),
        desk("commodity/clients/options", 10, (("WTI", 2.0), ("BRENT", 2.0), ("GOLD", 1.0)), 0.40),
    ]


def _further() -> list[Desk]:
    """Forwards, notes, options on rates, exotic options."""
    term = tuple((index.name, 1.0) for index in INDICES if not index.convention.overnight)
    notes = _equally(["USD.GOVT", "EUR.GOVT", "GBP.GOVT"])
    currencies = tuple((currency.code, 1.0) for currency in CURRENCIES if currency.code != "USD")
    return [
        Desk("equity_forward", "equity/us/forwards", 3, (("SPX", 3.0), ("NDX", 1.0), *_stocks("US"))),
        Desk("equity_forward", "equity/world/forwards", 2, _equally(("SX5E", "UKX", "NKY"))),
        Desk("commodity_forward", "commodity/energy/forwards", 2, _equally(("WTI", "BRENT", "HENRYHUB", "TTF"))),
        Desk("commodity_forward", "commodity/metals/forwards", 1, _equally(("GOLD", "COPPER"))),
        Desk("fra", "rates/short/fras", 1, term),
        Desk("floating_rate_note", "rates/governments/floaters", 1, notes, 0.6),
        Desk("floating_rate_note", "credit/all/floaters", 2, _issuers(), 0.6),
        Desk("cross_currency_swap", "rates/all/crosscurrency", 1, currencies),
        Desk("inflation_swap", "rates/all/inflation", 1, _equally(INFLATION)),
        Desk("cap_floor", "rates/options/caps", 1, _equally(CAPPED)),
        Desk("swaption", "rates/options/swaptions", 1, _equally(("USD.SOFR", "EUR.EURIBOR6M", "GBP.SONIA"))),
        Desk("fx_barrier_option", "fx/exotic/barriers", 1, _equally(FX_SMILES)),
        Desk("fx_touch", "fx/exotic/touches", 1, _equally(FX_SMILES)),
        Desk("variance_swap", "equity/exotic/variance", 1, _equally(("SPX", "SX5E", "UKX", "NKY"))),
        Desk("equity_asian_option", "equity/exotic/asians", 1, _equally(("SPX", "SX5E", "UKX", "NKY"))),
        Desk("equity_barrier_option", "equity/exotic/barriers", 1, _equally(("SPX", "NDX", "SX5E", "UKX", "NKY"))),
    ]


DESKS = (*_further(), *_swaps(), *_bonds(), *_fx(), *_equities(), *_credit(), *_commodities())


class DeskTable:
    """The desks of one product, by book, with draws of instruments for many trades at once."""

    def __init__(self, product: str) -> None:
        self.desks = tuple(sorted((d for d in DESKS if d.product == product), key=lambda d: d.book))
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
