"""Facts of one market that exclude each other (errors), or that are at odds (warnings)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING

from msgspec import Struct

from riskpipe.errors import Level
from riskpipe.market.factors import (
    CARRY_KINDS,
    DIVIDENDS,
    KINDS,
    MarketFault,
    fault,
    is_currency,
    is_pair,
    nearest,
    pillar_days,
)

if TYPE_CHECKING:
    import pyarrow as pa

TOLERANCE = 1e-3
"""By which a spot and its mirror, or what other spots make of it, may differ besides their rounding: bid and offer,
quotes of different minutes."""
# Quotes have four decimals at least: 1.1 is 1.1000.
_LEAST_DECIMALS = 4
_SHOWN = 3
_NEAR_DAYS = 92
"""Within a quarter no rates, dividends or lending fees take a forward far from its spot."""

_CARRIES = {
    "dividend_yield": "dividend yields",
    "dividend": "cash dividends",
    "dividend_ratio": "proportional dividends",
    "borrow": "borrow costs",
}
_TOLD = "{} of what has forward prices are not used: the forward prices tell its forwards"

_MAJORS = "USD EUR JPY GBP CHF AUD CAD NZD SEK NOK DKK CNY CNH HKD SGD ZAR MXN BRL INR KRW PLN CZK HUF TRY ILS"

Spots = dict[str, float]


class Tolerances(Struct, frozen=True):
    """By how much, relative to the lower, two facts may differ before they exclude each other.

    :param fx_cross: an exchange rate, and what two others make of it.
    :param forward: a forward price within three months, and the spot: of pairs and of what has dividends.
    :param commodity_forward: likewise where nothing says what the carry is: what cannot be stored has had seven times.
    """

    fx_cross: float = 0.05
    forward: float = 1.0
    commodity_forward: float = 9.0


TOLERANCES = Tolerances()


def consistency_faults(table: pa.Table, as_of: int, tolerances: Tolerances = TOLERANCES) -> list[MarketFault]:
    """What single points do not show.

    :param table: canonical columns, without errors, in major units.
    :param as_of: days since 1970-01-01.
    """
    facts = _Facts(table, as_of, tolerances)
    return [found for rule in _RULES for found in rule(facts)]


class _Facts:
    """:ivar currency: kind and name -> the currency of the group's points, where they have one.
    :ivar ids: kind and name -> ids of the points. :ivar by_price: groups whose values or strikes are prices.
    :ivar spots: value of each pair; `itself` of a currency against itself; `prices` of every spot.
    :ivar forwards: name -> days, from today on, and level of the nearest forward price."""

    def __init__(self, table: pa.Table, as_of: int, tolerances: Tolerances) -> None:
        self.tolerances = tolerances
        self.currency: dict[tuple[str, str], str] = {}
        self.ids: dict[tuple[str, str], list[str]] = {}
        self.by_price: set[tuple[str, str]] = set()
        self.spots: Spots = {}
        self.itself: Spots = {}
        self.prices: Spots = {}
        self.forwards: dict[str, tuple[int, float]] = {}
        names = ("factor", "kind", "name", "currency", "tenor", "strike_type", "value")
        for factor, kind, name, currency, tenor, strike_type, value in zip(
            *(table.column(column).to_pylist() for column in names), strict=True
        ):
            group = (kind, name)
            self.ids.setdefault(group, []).append(factor)
            if currency is not None:
                self.currency[group] = currency
            if kind in ("normal_vol", "dividend") or strike_type in ("absolute", "offset"):
                self.by_price.add(group)
            if kind == "spot" and is_pair(name, currency):
                (self.itself if name[:3] == name[3:] else self.spots)[name] = value
            if kind == "spot":
                self.prices[name] = value
            elif kind == "forward_price":
                days = (pillar_days(tenor, as_of) or as_of) - as_of
                if days >= 0:
                    self.forwards[name] = min(self.forwards.get(name, (days, value)), (days, value))


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
            yield fault(Level.WARNING, "value", "quoted both ways", ids, message)
            continue
        inverse = f"spot:{mirror} is {other:g}, whose inverse is {1.0 / other:.6g}"
        message = f"spot:{name} is {one:g} and {inverse}: {apart:.2%} apart; leave out the one that is wrong"
        yield fault(Level.ERROR, "value", "contradicting mirror", ids, message)
    odd = [name for name, level in sorted(facts.itself.items()) if level != 1.0]
    if odd:
        ids = [factor for name in odd for factor in facts.ids["spot", name]]
        yield fault(Level.WARNING, "value", "not used", ids, "a currency against itself is one, whatever its spot says")


class _Triangle(Struct, frozen=True):
    """Three currencies of which every two are quoted.

    :param pairs: the spots; a pair and its mirror are both among them where both are quoted.
    :param apart: by how much going round is not one; `slack` what of it rounding explains.
    """

    pairs: tuple[str, ...]
    apart: float
    slack: float
    text: str


def _triangles(facts: _Facts) -> Iterator[MarketFault]:
    """Pairs that other spots make otherwise: beyond any doubt, or a little."""
    found = list(_all_triangles(facts.spots))
    limit = facts.tolerances.fx_cross
    excluded = [each for each in found if each.apart > limit + each.slack]
    # A pair that fits in another triangle is not the one that is wrong, unless all three do.
    fitting = {pair for each in found if each.apart <= limit + each.slack for pair in each.pairs}
    suspects = {pair for each in excluded for pair in (set(each.pairs) - fitting or each.pairs)}
    if excluded:
        worst = sorted(excluded, key=lambda each: -each.apart)[:_SHOWN]
        message = "; ".join(each.text for each in worst)
        message += f": not all can be right, and {', '.join(sorted(suspects))} are left out; correct the one that is "
        message += "wrong, or let check.tolerances.fx_cross be larger"
        ids = [factor for pair in sorted(suspects) for factor in facts.ids["spot", pair]]
        yield fault(Level.ERROR, "value", "contradicting cross", ids, message)
    yield from _odd_crosses(facts, {pair for each in excluded for pair in each.pairs})


def _all_triangles(spots: Spots) -> Iterator[_Triangle]:
    quotes = _quotes(spots)
    for a, b, c in combinations(sorted({pair[:3] for pair in quotes}), 3):
        if not {a + b, b + c, a + c} <= quotes.keys():
            continue
        (direct, own), (near, first), (far, second) = quotes[a + c], quotes[a + b], quotes[b + c]
        cross = near * far
        apart = max(direct, cross) / min(direct, cross) - 1.0
        text = f"{a}{c} is {direct:.6g}, {a}{b} and {b}{c} make it {cross:.6g} ({apart:.2%} apart)"
        pairs = tuple(x + y for x in (a, b, c) for y in (a, b, c) if x + y in spots)
        yield _Triangle(pairs, apart, own + first + second, text)


def _odd_crosses(facts: _Facts, excluded: set[str]) -> Iterator[MarketFault]:
    """Pairs that are not as others make them, by less; `excluded` are told of already."""
    quotes = _quotes(facts.spots)
    currencies = sorted({pair[:3] for pair in quotes})
    found: list[tuple[float, str, str]] = []
    for pair, level in sorted(facts.spots.items()):
        if pair in excluded:
            continue
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
        yield fault(Level.WARNING, "value", "contradicting cross", ids, message)


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
            yield fault(Level.ERROR, "currency", "contradicting pair", facts.ids[kind, name], message)
        elif KINDS[kind].volatility and currency not in (name[:3], name[3:]):
            message = f"{kind}:{name} is of the pair, but its currency is {currency}"
            yield fault(Level.WARNING, "currency", "contradicting pair", facts.ids[kind, name], message)


def _underlying_currencies(facts: _Facts) -> Iterator[MarketFault]:
    """Spot, forward prices, dividends and volatilities of one name in different currencies."""
    for (kind, name), currency in sorted(facts.currency.items()):
        group = (kind, name)
        spot, forward = facts.currency.get(("spot", name)), facts.currency.get(("forward_price", name))
        underlying = forward or spot
        if kind == "spot" and forward not in (None, currency):
            ids = [*facts.ids[group], *facts.ids["forward_price", name]]
            message = f"spot:{name} is in {currency}, forward_price:{name} in {forward}"
            yield fault(Level.ERROR, "currency", "contradicting currency", ids, message)
        elif kind in (*CARRY_KINDS, "black_vol", "normal_vol") and underlying not in (None, currency):
            message = f"{kind}:{name} is in {currency}, its underlying in {underlying}"
            level = Level.ERROR if group in facts.by_price else Level.WARNING
            yield fault(level, "currency", "contradicting currency", facts.ids[group], message)


def _forwards(facts: _Facts) -> Iterator[MarketFault]:
    """A forward price of the next three months far from its spot: in another unit, or of something else."""
    pairs = {name: level for name, (level, _) in _quotes(facts.spots).items()}
    for name, (days, forward) in sorted(facts.forwards.items()):
        spot = pairs.get(name, facts.prices.get(name))
        if spot is None or days > _NEAR_DAYS or forward <= 0.0:  # a negative price has no ratio
            continue
        told = any((kind, name) in facts.ids for kind in CARRY_KINDS)
        key = "forward" if name in pairs or told else "commodity_forward"
        apart = max(spot, forward) / min(spot, forward) - 1.0
        if apart > getattr(facts.tolerances, key):
            quoted = name if ("spot", name) in facts.ids else name[3:] + name[:3]
            message = (
                f"spot:{quoted} makes {name} {spot:g}, forward_price:{name} in {days} days {forward:g}: not both can "
                f"be right; leave out or correct the one that is wrong, or let check.tolerances.{key} be larger"
            )
            ids = [*facts.ids["spot", quoted], *facts.ids["forward_price", name]]
            yield fault(Level.ERROR, "value", "contradicting forward", ids, message)


def _not_used(facts: _Facts) -> Iterator[MarketFault]:
    """Forward prices tell all of an underlying's forwards, today's too; those of pairs follow from rates and spot."""
    quoted, quotes = [name for kind, name in sorted(facts.ids) if kind == "forward_price"], _quotes(facts.spots)
    pairs, others = [name for name in quoted if name in quotes], [name for name in quoted if name not in quotes]
    messages = {
        **{(kind, *others): _TOLD.format(what) for kind, what in _CARRIES.items()},
        ("spot", *others): "spots of what has forward prices are not used: the forward prices tell its forwards, "
        "today's too, and are what scenarios of its price have to move",
        ("forward_price", *pairs): "no FX product uses forward prices: its forwards follow from the spot and both "
        "discount curves, into which the cross-currency basis belongs",
    }
    for (kind, *names), message in messages.items():
        idle = [factor for name in names for factor in facts.ids.get((kind, name), ())]
        if idle:
            yield fault(Level.WARNING, "factor", "not used", idle, message)
    priced = {name for kind, name in facts.ids if kind in ("spot", "forward_price")}
    for kind in (*DIVIDENDS, "borrow"):
        unknown = {name for own, name in facts.ids if own == kind} - priced
        if unknown:
            hint = nearest(min(unknown), sorted(priced))
            message = f"{_CARRIES[kind]} of what has no spot are not used, such as those of {min(unknown)!r}{hint}"
            idle = [factor for name in sorted(unknown) for factor in facts.ids[kind, name]]
            yield fault(Level.WARNING, "name", "not used", idle, message)


_RULES: tuple[Callable[[_Facts], Iterator[MarketFault]], ...] = (
    _mirrors,
    _triangles,
    _pair_currencies,
    _underlying_currencies,
    _forwards,
    _not_used,
)
