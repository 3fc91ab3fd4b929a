"""Trades whose product's code raises, told from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from riskpipe.errors import Reason, described, is_interrupt, out_of_memory
from riskpipe.products.trades import Trades
from riskpipe.store.process import hold_standard_descriptors
from riskpipe.valuation.part import Part


def isolate(trades: Trades, value: Callable[[Trades], Part]) -> Iterator[Part]:
    """`value(trades)`; when that raises, the halves of it, down to the trades that raise by themselves.

    Whatever a product raises, `sys.exit()` too; but MemoryError and Ctrl-C are not the trades' fault and are raised.
    """
    failure = ""
    try:
        with np.errstate(all="ignore"):  # what is not finite in the end becomes a failure with its trade's name
            part = value(trades)
    except BaseException as error:
        if out_of_memory(error) or is_interrupt(error):
            raise
        failure = described(error)
    finally:
        hold_standard_descriptors()
    if not failure:
        yield part
        return
    if len(trades) == 1:
        yield _failed(trades, failure)
        return
    middle = len(trades) // 2
    yield from isolate(trades.slice(0, middle), value)
    yield from isolate(trades.slice(middle, len(trades)), value)


def _failed(trades: Trades, message: str) -> Part:
    part = Part(trades, [None] * len(trades), np.full(len(trades), np.nan))
    part.fail(np.arange(len(trades)), "price", Reason.PRICING_ERROR, message)
    return part
