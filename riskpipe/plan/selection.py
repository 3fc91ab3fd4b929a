"""`--select`: which trades, scenarios and blocks. Comma is `and`, a repeated option is `or`; values are globs."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Sequence
from unicodedata import normalize

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.errors import UsageError
from riskpipe.market.labels import Labels
from riskpipe.products.books import normal_book

# As the names themselves are read; trades' ids are as they were given.
_NAMES: dict[str, Callable[[str], str]] = {"book": normal_book, "scenario": lambda name: normalize("NFC", name)}
METHODS = ("book", "product", "trade", "scenario", "block", "status")


class Term(Struct, frozen=True):
    method: str
    pattern: str

    def matches(self, value: str) -> bool:
        return fnmatch.fnmatchcase(value, self.pattern)


class Selection(Struct, frozen=True):
    """A disjunction of conjunctions; empty selects everything."""

    alternatives: tuple[tuple[Term, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.alternatives)

    def canonical(self, methods: Sequence[str] = METHODS) -> list[list[str]]:
        """The terms of these methods as text, ordered: equal for selections that mean the same."""
        kept = {tuple(sorted(f"{t.method}:{t.pattern}" for t in a if t.method in methods)) for a in self.alternatives}
        return [list(a) for a in sorted(kept)] if () not in kept else []

    def uses(self, *methods: str) -> bool:
        return any(term.method in methods for alternative in self.alternatives for term in alternative)

    def trades(self, product: str, books: Labels, trade_ids: Callable[[], list[str | None]]) -> NDArray[np.bool_]:
        """bool[n]: selected by book, product and trade (terms of other methods hold everywhere).

        :param trade_ids: called only when a term asks for them.
        """
        if not self.uses("book", "product", "trade"):
            return np.ones(len(books), np.bool_)
        selected = np.zeros(len(books), np.bool_)
        for alternative in self.alternatives:
            mask = np.ones(len(books), np.bool_)
            for term in alternative:
                if term.method == "product":
                    mask &= term.matches(product)
                elif term.method == "book":
                    hit = np.array([term.matches(name) for name in books.names] + [False])
                    mask &= hit[books.codes]
                elif term.method == "trade":
                    match = re.compile(fnmatch.translate(term.pattern)).match
                    ids = trade_ids()
                    mask &= np.fromiter((t is not None and match(t) is not None for t in ids), np.bool_, len(ids))
            selected |= mask
        return selected

    def any_product(self, product: str) -> bool:
        """Whether some trade of the product may be selected."""
        return not self.alternatives or any(
            all(term.matches(product) for term in alternative if term.method == "product")
            for alternative in self.alternatives
        )

    def value(self, method: str, name: str) -> bool:
        """Whether `name` passes the terms of one method in some alternative (no such terms: yes)."""
        return not self.alternatives or any(
            all(term.matches(name) for term in alternative if term.method == method)
            for alternative in self.alternatives
        )


def parse_selection(options: Sequence[str]) -> Selection:
    """`["book:rates/*,product:bond", "trade:T-7"]` -> Selection. Raises UsageError with every fault."""
    faults: list[str] = []
    alternatives = []
    for option in options:
        terms = []
        for item in filter(None, (part.strip() for part in option.split(","))):
            method, colon, pattern = item.partition(":")
            if not colon or not pattern:
                faults.append(f"--select {item!r}: METHOD:PATTERN is wanted, such as book:rates/*")
            elif method not in METHODS:
                near = difflib.get_close_matches(method, METHODS, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; one of {', '.join(METHODS)}"
                faults.append(f"--select {item!r}: unknown method {method!r}{hint}")
            else:
                terms.append(Term(method, _NAMES.get(method, str)(pattern)))
        if terms:
            alternatives.append(tuple(terms))
    if faults:
        raise UsageError("\n".join(faults))
    return Selection(tuple(alternatives))
