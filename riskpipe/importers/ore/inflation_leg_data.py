"""ORE's legs on price indices as inflation legs of the product `swap`."""

from __future__ import annotations

from collections.abc import Iterator

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.leg_terms import (
    Terms,
    common_columns,
    coupon_terms,
    notional_columns,
    stepped_columns,
    steps,
)
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.price_index_curves import (
    months_of,
    price_index,
    swap_conventions,
    yearly_index,
)
from riskpipe.importers.ore.xml import Element
from riskpipe.market.factors import days_of


def indexed_leg(data: Element, ore: OreMarket, turned: list[str]) -> Iterator[Values]:
    """CPI: coupons of a real rate that grow with the index; without exchanges of the notional."""
    terms, columns = _scheduled(data)
    leg = data.child("CPILegData")
    if terms.initial or terms.interim or terms.final:
        raise LeftOutError("notionals that grow with an index and change hands are not taken")
    for tag in ("Caps", "Floors", "FinalFlowCap", "FinalFlowFloor"):
        if leg.get(tag) or ((found := leg.find(tag)) is not None and found.children):
            raise LeftOutError("inflation legs with caps or floors are not taken")
    starts = terms.dates.dates[:-1]
    rates = steps(leg.find("Rates"), "Rate").at(starts)
    lag, observation = _observed(leg, ore)
    payments = [days_of(day) for day in terms.dates.dates]
    yield {
        **common_columns(data, ore),
        "leg_type": "inflation",
        "inflation_kind": "indexed",
        "index": price_index(ore, leg.need("Index"), months_of(payments, lag, observation == "linear")),
        "base_index": codes.number(leg.get("BaseCPI")) if leg.get("BaseCPI") else None,
        "observation_lag": float(lag),
        "observation": observation,
        "day_count": terms.day_count,
        **notional_columns(terms, starts),
        **stepped_columns(rates, starts, "fixed_rate", "fixed_rates", "fixed_rate_dates"),
        **columns,
    }


def year_on_year_leg(data: Element, ore: OreMarket, turned: list[str]) -> Iterator[Values]:
    """YY: the index's growth over a year, times a gearing, with a spread."""
    terms, columns = _scheduled(data)
    leg = data.child("YYLegData")
    for tag in ("Caps", "Floors"):
        found = leg.find(tag)
        if found is not None and found.children:
            raise LeftOutError("inflation legs with caps or floors are not taken")
    if terms.initial or terms.interim or terms.final or codes.flag(leg.get("AddInflationNotional")):
        raise LeftOutError("year-on-year legs whose notional changes hands are not taken")
    starts = terms.dates.dates[:-1]
    gearings = set(steps(leg.find("Gearings"), "Gearing", 1.0).at(starts))
    if len(gearings) > 1:
        raise LeftOutError("gearings that change are not taken")
    spreads = steps(leg.find("Spreads"), "Spread", 0.0).at(starts)
    lag, observation = _observed(leg, ore)
    if observation != "flat":
        raise LeftOutError("year-on-year rates of an index between two months are not taken")
    months = months_of([days_of(day) for day in terms.dates.dates[1:]], lag, False)
    turned.append("its year-on-year rates became the growth of an index of their own")
    yield {
        **common_columns(data, ore),
        "leg_type": "inflation",
        "inflation_kind": "year_on_year",
        "index": yearly_index(ore, leg.need("Index"), months),
        "gearing": gearings.pop(),
        "observation_lag": float(lag),
        "observation": observation,
        "day_count": terms.day_count,
        **notional_columns(terms, starts),
        **stepped_columns(spreads, starts, "spread", "spreads", "spread_dates"),
        **columns,
    }


def _scheduled(data: Element) -> tuple[Terms, Values]:
    """The terms, and the columns that make the leg's dates."""
    terms = coupon_terms(data)
    if terms.columns is None or terms.reset:
        raise LeftOutError("inflation legs whose schedule or notional riskpipe's columns do not make are not taken")
    return terms, terms.columns


def _observed(leg: Element, ore: OreMarket) -> tuple[int, str]:
    """Months from the index to the payment, and whether it is that of the month (`flat`) or on the way to the next."""
    months = codes.months(codes.period(leg.need("ObservationLag")))
    said = leg.get("Interpolation") or "AsIndex"
    if said == "AsIndex":
        said = "Linear" if codes.flag(swap_conventions(ore, leg.need("Index")).get("Interpolated")) else "Flat"
    if said not in ("Flat", "Linear"):
        raise LeftOutError(f"the interpolation {said} of a price index is not known")
    return months, said.lower()
