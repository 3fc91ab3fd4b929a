"""`--select`: what it means, and every mistake in it at once."""

from __future__ import annotations

import numpy as np
import pytest

from riskpipe.errors import UsageError
from riskpipe.market.labels import Labels
from riskpipe.plan.selection import Selection, Term, parse_selection

BOOKS = Labels.of(["rates/usd/swaps", "rates/eur/swaps", "fx/spot", None, "rates/usd/swaps"])
IDS = ["T-1", "T-2", "X-3", "T-4", None]


def _selected(*options: str, product: str = "bond") -> list[bool]:
    return parse_selection(options).trades(product, BOOKS, lambda: IDS).tolist()


def test_nothing_selects_everything() -> None:
    for options in ((), ("",), (" , ",)):
        assert not parse_selection(options)
        assert _selected(*options) == [True] * 5


def test_parsed() -> None:
    selection = parse_selection(["book:rates/*, product:bond", "trade:T-7"])

    assert selection == Selection(
        ((Term("book", "rates/*"), Term("product", "bond")), (Term("trade", "T-7"),)),
    )


def test_pattern_may_hold_colons() -> None:
    assert parse_selection(["trade:A:B"]).alternatives == ((Term("trade", "A:B"),),)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("book:rates/*",), [1, 1, 0, 0, 1]),
        (("book:rates/usd/*",), [1, 0, 0, 0, 1]),
        (("book:rates",), [0, 0, 0, 0, 0]),
        (("book:*",), [1, 1, 1, 0, 1]),
        (("book:RATES/*",), [0, 0, 0, 0, 0]),
        (("trade:T-*",), [1, 1, 0, 1, 0]),
        (("trade:*",), [1, 1, 1, 1, 0]),
        (("trade:T-[12]",), [1, 1, 0, 0, 0]),
        (("book:rates/*,trade:T-2",), [0, 1, 0, 0, 0]),
        (("trade:T-1", "trade:X-3"), [1, 0, 1, 0, 0]),
        (("trade:T-1,trade:X-3",), [0, 0, 0, 0, 0]),
        (("product:bond",), [1, 1, 1, 1, 1]),
        (("product:swap*",), [0, 0, 0, 0, 0]),
        (("product:swap", "book:fx/*"), [0, 0, 1, 0, 0]),
        (("product:swap,book:fx/*",), [0, 0, 0, 0, 0]),
        (("scenario:crash",), [1, 1, 1, 1, 1]),
        (("scenario:crash,trade:X-3",), [0, 0, 1, 0, 0]),
        (("status:failed", "trade:X-3"), [1, 1, 1, 1, 1]),
    ],
)
def test_comma_is_and_repetition_is_or(options: tuple[str, ...], expected: list[int]) -> None:
    assert _selected(*options) == [bool(e) for e in expected]


def test_ids_are_read_only_when_a_term_asks_for_them() -> None:
    def never() -> list[str | None]:
        raise AssertionError

    assert parse_selection(["book:fx/*,product:bond"]).trades("bond", BOOKS, never).tolist() == [0, 0, 1, 0, 0]
    assert parse_selection(["status:failed"]).trades("bond", BOOKS, never).all()
    with pytest.raises(AssertionError):
        parse_selection(["trade:X"]).trades("bond", BOOKS, never)


def test_no_trades() -> None:
    assert parse_selection(["trade:*,book:*"]).trades("bond", Labels.of([]), list).tolist() == []
    assert parse_selection(["book:*"]).trades("bond", Labels.of([]), list).dtype == np.bool_


def test_products_that_may_be_selected() -> None:
    selection = parse_selection(["product:bond,book:rates/*", "product:fx_*"])

    assert [selection.any_product(p) for p in ("bond", "fx_option", "cds")] == [True, True, False]
    assert Selection().any_product("cds")
    assert parse_selection(["book:x"]).any_product("cds")


def test_values_of_one_method() -> None:
    selection = parse_selection(["scenario:up*,book:a", "scenario:down"])

    assert [selection.value("scenario", name) for name in ("up 1", "down", "flat")] == [True, True, False]
    assert selection.value("block", "anything") is True
    assert selection.uses("scenario")
    assert not selection.uses("trade", "status")


def test_canonical_forms_agree_when_the_meaning_does() -> None:
    one = parse_selection(["book:a,product:b", "trade:c"])
    other = parse_selection(["trade:c", " product:b , book:a", "trade:c"])

    assert one.canonical() == other.canonical() == [["book:a", "product:b"], ["trade:c"]]
    assert parse_selection([",".join(terms) for terms in one.canonical()]).canonical() == one.canonical()


def test_canonical_form_of_some_methods() -> None:
    """An alternative that says nothing of these methods lets everything through."""
    selection = parse_selection(["book:a,scenario:x", "trade:c,status:failed"])

    assert selection.canonical(("book", "trade")) == [["book:a"], ["trade:c"]]
    assert selection.canonical(("book",)) == []
    assert Selection().canonical() == []


def test_every_mistake_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_selection(["book=x,produkt:bond", "trade:,book:fx", "colour:red"])

    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "'book=x': METHOD:PATTERN is wanted" in lines[0]
    assert "unknown method 'produkt'; did you mean product?" in lines[1]
    assert "'trade:': METHOD:PATTERN is wanted" in lines[2]
    assert "unknown method 'colour'; one of book, product, trade, scenario, block, status" in lines[3]


def test_patterns_of_names_are_read_as_the_names_are() -> None:
    def pattern(option: str) -> str:
        (((term,),),) = (parse_selection([option]).alternatives,)
        return term.pattern

    assert pattern("book:/rates//usd/*") == "rates/usd/*"
    assert pattern("book:cafe\u0301") == "caf\u00e9"
    assert pattern("scenario:cafe\u0301") == "caf\u00e9"
    assert pattern("trade:cafe\u0301 /") == "cafe\u0301 /"
