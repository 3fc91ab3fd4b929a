"""Where the time of a run went, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from riskpipe.cli.text import columns, count, duration, plural
from riskpipe.structs import asdict

if TYPE_CHECKING:
    from riskpipe.results.time_spent import SessionTime, TimeSpent

MOST_PRODUCTS = 5
MOST_HOSTS = 3
SLOW = 1.2
"""A host's pace from which on it is told."""
TENTHS = 10


def time_lines(spent: TimeSpent, price: float | None) -> list[str]:
    """:param price: of a core hour, that the cost was made with."""
    from riskpipe.results.time_spent import hours_text

    return [
        f"bottleneck: {spent.bottleneck.sentence}",
        f"{plural(spent.workers, 'worker')} {spent.utilisation:.0%} busy; by tenths of the time, %: {_tenths(spent)}",
        f"workers' time: {_parts(spent)}",
        f"tail: {_tail(max(spent.sessions, key=lambda each: each.tail_idle_s))}",
        *_others(spent),
        f"core hours {hours_text(spent.core_hours)}, CPU hours {hours_text(spent.cpu_hours)}"
        + ("" if spent.cost is None else f"; cost {hours_text(spent.cost)} at {price:g} a core hour"),
        "",
        *_products(spent),
    ]


def _tenths(spent: TimeSpent) -> str:
    """Of the longest session, from its begin to its end."""
    longest = max(spent.sessions, key=lambda each: each.seconds)
    size = len(longest.busy) // TENTHS
    shares = [sum(longest.busy[k * size : (k + 1) * size]) / size for k in range(TENTHS)]
    return " ".join(f"{100 * share:.0f}" for share in shares)


def _parts(spent: TimeSpent) -> str:
    from riskpipe.results.bottleneck import PART_NAMES

    total = max(spent.parts.total, 1e-9)
    shares = {name: seconds / total for name, seconds in asdict(spent.parts).items()}
    shown = sorted((name for name in PART_NAMES if shares[name] >= 0.005), key=lambda name: -shares[name])
    return ", ".join(f"{PART_NAMES[name]} {shares[name]:.0%}" for name in shown)


def _tail(session: SessionTime) -> str:
    return (
        f"the last block was started {duration(session.tail_s)} before the last one ended, in which workers idled for "
        f"{duration(session.tail_idle_s)} in all; the last 1 % of blocks ended within "
        f"{duration(session.last_hundredth_s)}"
    )


def _others(spent: TimeSpent) -> Iterator[str]:
    slow = [f"{host.host} {host.pace:.2f}x" for host in spent.hosts[:MOST_HOSTS] if host.pace >= SLOW]
    if slow:
        yield f"slowest of {plural(spent.hosts_compared, 'host')}, to the same blocks: {', '.join(slow)}"
    if spent.lost_attempts:
        causes = (f"{each.cause} {count(each.repeated + each.final)}" for each in spent.lost_attempts)
        yield f"attempts that came to nothing: {', '.join(causes)}"


def _products(spent: TimeSpent) -> list[str]:
    header = [
        "product", "blocks", "time", "queue", "fetch", "price", "write", "of projection", "median", "99 %", "most",
    ]  # fmt: skip
    rows = [
        [
            product.product,
            count(product.blocks),
            f"{product.seconds / max(spent.total.seconds, 1e-9):.0%}",
            *map(duration, (product.queue_s, product.fetch_s, product.price_s, product.write_s)),
            f"{product.price_s / product.projected_s:.2f}" if product.projected_s else "-",
            *map(duration, (product.p50, product.p99, product.longest)),
        ]
        for product in spent.products[:MOST_PRODUCTS]
    ]
    lines = columns(header, rows, range(1, len(header)))
    left = len(spent.products) - MOST_PRODUCTS
    return [*lines, f"and {plural(left, 'more product')}"] if left > 0 else lines
