"""Facts of one market that exclude each other (errors), or that are at odds (warnings)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pyarrow as pa

from riskpipe.market.factors import KINDS, MarketFault, fault, is_currency, is_pair

TOLERANCE = 1e-3
"""By which a spot and its mirror, or what other spots make of it, may differ besides their rounding: bid and offer,
quotes of different minutes."""
# Quotes have four decimals at least: 1.1 is 1.1000.
_LEAST_DECIMALS = 4
_SHOWN = 3

_MAJORS = "USD EUR JPY GBP CHF AUD CAD NZD SEK NOK DKK CNY CNH HKD SGD ZAR MXN BRL INR KRW PLN CZK HUF TRY ILS"

Spots = dict[str, float]


def consistency_faults(table: pa.Table) -> list[MarketFault]:
    """What single points do not show.

    :param table: canonical columns, without errors, in major units.
    """
    facts = _Facts(table)
    return [found for rule in _RULES for found in rule(facts)]


class _Facts:
    """:ivar currency: kind and name -> the currency of the group's points, where they have one.
    :ivar ids: kind and name -> ids of the points. :ivar by_price: groups whose values or strikes are prices.
    :ivar spots: value of each pair; `itself` of a currency against itself."""

    def __init__(self, table: pa.Table) -> None:
        self.currency: dict[tuple[str, str], str] = {}
        self.ids: dict[tuple[str, str], list[str]] = {}
        self.by_price: set[tuple[str, str]] = set()
        self.spots: Spots = {}
        self.itself: Spots = {}
        names = ("factor", "kind", "name", "currency", "strike_type", "value")
        for factor, kind, name, currency, strike_type, value in zip(
            *(table.column(column).to_pylist() for column in names), strict=True
        ):
            group = (kind, name)
            self.ids.setdefault(group, []).append(factor)
            if currency is not None:
                self.currency[group] = currency
            if kind == "normal_vol" or strike_type in ("absolute", "offset"):
                self.by_price.add(group)
            if kind == "spot" and is_pair(name, currency):
                (self.itself if name[:3] == name[3:] else self.spots)[name] = value


def _mirrors(facts: _Facts) -> Iterator[MarketFault]:
    """Pairs that are quoted both ways, and currencies against themselves."""
    for name in sorted(facts.spots):
        mirror = name[3:] + name[:3]
        if name > mirror or mirror not in facts.spots:
            continue
        one, other = facts.spots[name], facts.spots[mirror]
        apart = abs(one * other - 1.0)
        rounding = _rounding(one) + _rounding(other)
        ids = [*facts.ids["spot", name], *facts.ids["spot", mirror]]
        if apart <= TOLERANCE + rounding:
            message = (
                f"spot:{name} and spot:{mirror} are both quoted ({apart:.4%} apart): each is used as it is quoted "
            )
            message += "and moves by itself in scenarios; leave out one"
            yield fault("warning", "value", "quoted both ways", ids, message)
            continue
        inverse = f"spot:{mirror} is {other:g}, whose inverse is {1.0 / other:.6g}"
        message = f"spot:{name} is {one:g} and {inverse}: {apart:.2%} apart; leave out the one that is wrong"
        yield fault("error", "value", "contradicting mirror", ids, message)
    odd = [name for name, level in sorted(facts.itself.items()) if level != 1.0]
    if odd:
        ids = [factor for name in odd for factor in facts.ids["spot", name]]
        yield fault("warning", "value", "not used", ids, "a currency against itself is one, whatever its spot says")


def _triangles(facts: _Facts) -> Iterator[MarketFault]:
    """Pairs that other spots make otherwise."""
    quotes = _quotes(facts.spots)
    currencies = sorted({pair[:3] for pair in quotes})
    found: list[tuple[float, str, str]] = []
    for pair, level in sorted(facts.spots.items()):
        base, quote = pair[:3], pair[3:]
        crosses: list[tuple[float, str]] = []
        slack = _rounding(level)
        for third in currencies:
            near, far = quotes.get(base + third), quotes.get(third + quote)
            if third not in (base, quote) and near is not None and far is not None:
                crosses.append((near[0] * far[0], third))
                slack = max(slack, _rounding(level) + near[1] + far[1])
        apart = max((abs(level / cross - 1.0) for cross, _ in crosses), default=0.0)
        if apart > TOLERANCE + slack:
            (low, through_low), (high, through_high) = min(crosses), max(crosses)
            through = f"{low:.6g} through {through_low}"
            if through_high != through_low:
                through += f" to {high:.6g} through {through_high}"
            found.append((apart, pair, f"spot:{pair} is {level:g}, other spots make it {through} ({apart:.2%} apart)"))
    if found:
        found.sort(reverse=True)
        ids = [factor for _, pair, _ in found for factor in facts.ids["spot", pair]]
        message = "; ".join(text for _, _, text in found[:_SHOWN]) + "; each is used as it is quoted"
        yield fault("warning", "value", "contradicting cross", ids, message)


def _quotes(spots: Spots) -> dict[str, tuple[float, float]]:
    """Pair -> level and relative rounding, both ways round; as quoted where that is so."""
    quotes = {name[3:] + name[:3]: (1.0 / level, _rounding(level)) for name, level in spots.items()}
    return quotes | {name: (level, _rounding(level)) for name, level in spots.items()}


def _rounding(value: float) -> float:
    """Half a unit of a quote's last decimal, relative to it."""
    exponent = Decimal(repr(value)).as_tuple().exponent
    decimals = max(_LEAST_DECIMALS, -exponent if isinstance(exponent, int) else 0)
    return 0.5 * 10.0**-decimals / abs(value)


def _pair_currencies(facts: _Facts) -> Iterator[MarketFault]:
    """Spots named as pairs that say that they are quoted in something else: they would be taken for shares."""
    known = {*_MAJORS.split(), *filter(is_currency, facts.currency.values())}
    for (kind, name), currency in sorted(facts.currency.items()):
        if len(name) != 6 or not {name[:3], name[3:]} <= known:
            continue
        if kind == "spot" and currency != name[3:]:
            message = f"spot:{name} is {name[3:]} for one {name[:3]}, but its currency is {currency}: correct either"
            yield fault("error", "currency", "contradicting pair", facts.ids[kind, name], message)
        elif KINDS[kind].volatility and currency not in (name[:3], name[3:]):
            message = f"{kind}:{name} is of the pair, but its currency is {currency}"
            yield fault("warning", "currency", "contradicting pair", facts.ids[kind, name], message)


def _underlying_currencies(facts: _Facts) -> Iterator[MarketFault]:
    """Spot, forward prices, dividends and volatilities of one name in different currencies."""
    for (kind, name), currency in sorted(facts.currency.items()):
        group = (kind, name)
        spot, forward = facts.currency.get(("spot", name)), facts.currency.get(("forward_price", name))
        underlying = forward or spot
        if kind == "spot" and forward not in (None, currency):
            ids = [*facts.ids[group], *facts.ids["forward_price", name]]
            message = f"spot:{name} is in {currency}, forward_price:{name} in {forward}"
            yield fault("error", "currency", "contradicting currency", ids, message)
        elif kind in ("dividend_yield", "black_vol", "normal_vol") and underlying not in (None, currency):
            message = f"{kind}:{name} is in {currency}, its underlying in {underlying}"
            level = "error" if group in facts.by_price else "warning"
            yield fault(level, "currency", "contradicting currency", facts.ids[group], message)  # type: ignore[arg-type]


def _dividends_unused(facts: _Facts) -> Iterator[MarketFault]:
    """Forward prices tell all of an underlying's forwards: dividends beside them have no part in any."""
    names = [name for kind, name in sorted(facts.ids) if kind == "dividend_yield"]
    idle = [f for name in names if ("forward_price", name) in facts.ids for f in facts.ids["dividend_yield", name]]
    if idle:
        message = "dividend yields of what has forward prices are not used: the forward prices tell its forwards"
        yield fault("warning", "factor", "not used", idle, message)


_RULES: tuple[Callable[[_Facts], Iterator[MarketFault]], ...] = (
    _mirrors,
    _triangles,
    _pair_currencies,
    _underlying_currencies,
    _dividends_unused,
)
