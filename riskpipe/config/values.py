"""Types of single values: sizes in bytes, dates, currency codes, locations; each says what it wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, ValidatorFunctionWrapHandler, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

UNITS = {
    "": 1,
    "B": 1,
    **{f"{prefix}B": 1000 ** (k + 1) for k, prefix in enumerate(("k", "M", "G", "T"))},
    **{f"{prefix}iB": 1024 ** (k + 1) for k, prefix in enumerate(("K", "M", "G", "T"))},
}
SIZE_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*(|B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*$"
PAIR_PATTERN = r"^([A-Z]{3})(?!\1)[A-Z]{3}$"

RELATIVE_DAYS = ("today", "previous-business-day")
Further = tuple[tuple[str, ...], tuple[str, ...]]
FIRST_DAY, LAST_DAY = date(1950, 1, 1), date(2099, 12, 31)


def unwanted(wanted: str) -> PydanticCustomError:
    """The error of a value that is not what is wanted; the loader adds place and value."""
    return PydanticCustomError("unwanted", "{wanted} is wanted", {"wanted": wanted})


def parse_size(value: object) -> int:
    """Bytes of 536870912 or "512MiB" (kB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB of 1024).

    :raises PydanticCustomError: not a size of at least one byte.
    """
    refusal = unwanted("a size of at least 1 byte (such as 512MiB)")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise refusal
    match = re.match(SIZE_PATTERN, str(value))
    size = int(Fraction(match[1]) * UNITS[match[2]]) if match else 0
    if size < 1:
        raise refusal
    return size


def iso_date(value: object) -> date:
    """A date from YAML's date or from the text YYYY-MM-DD; a time of day is refused."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise unwanted("a date (YYYY-MM-DD)")


def valuation_date(value: object) -> date:
    """Curves reach a century beyond it, and QuantLib's dates end with 2199."""
    if isinstance(value, str) and value[:1].isalpha():
        raise unwanted(f"a date (YYYY-MM-DD), {' or '.join(RELATIVE_DAYS)}")
    day = iso_date(value)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise unwanted(f"a date from {FIRST_DAY} to {LAST_DAY}")
    return day


def repeated(items: Sequence[object]) -> list[str]:
    """What a list names more than once."""
    return sorted({str(item) for item in items if items.count(item) > 1})


def no_repeats(items: tuple[str, ...]) -> tuple[str, ...]:
    if repeated(items):
        raise PydanticCustomError("repeated", "named twice: {names}", {"names": ", ".join(repeated(items))})
    return items


def group_name(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch("[a-z_]+:.+", value):
        raise unwanted("a kind and a name, such as spot:SPX")
    return value


def pairs_once(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if any(first == second for first, second in pairs):
        raise unwanted("pairs of two; of one alone gamma and volga are measures")
    no_repeats(tuple(" x ".join(sorted(pair)) for pair in pairs))
    return pairs


def currency_code(value: object) -> str:
    if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value):
        return value
    raise unwanted("a currency code of three capitals")


def currency_pair(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(PAIR_PATTERN, value):
        return value
    raise unwanted("a pair of two different currency codes, such as USDTRY")


class OneOf:
    """In an annotation: text that is one of the names of a catalogue.

    :param further: asked when a name is none of these: those of other packages, and what is wrong with some of them.
    """

    def __init__(self, names: Iterable[str], further: Callable[[], Further] | None = None) -> None:
        self.names = [str(name) for name in names]
        self._further = further

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        own = core_schema.literal_schema(self.names)
        return own if self._further is None else core_schema.no_info_wrap_validator_function(self._any, own)

    def _any(self, value: object, own: ValidatorFunctionWrapHandler) -> object:
        if not isinstance(value, str) or value in self.names or self._further is None:
            return own(value)
        names, broken = self._further()
        if value in names:
            return value
        if not names and not broken:
            return own(value)
        raise unwanted("; ".join([f"one of {', '.join([*self.names, *names])}", *broken]))


# YAML 1.1 reads `off` as false.
AutoOrOff = Annotated[Literal["auto", "off"], BeforeValidator(lambda value: "off" if value is False else value)]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": SIZE_PATTERN}],
            "examples": ["512MiB"],
        }
    ),
]
GroupName = Annotated[str, BeforeValidator(group_name)]
CurrencyCode = Annotated[
    str, BeforeValidator(currency_code), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]
CurrencyPair = Annotated[
    str, BeforeValidator(currency_pair), WithJsonSchema({"type": "string", "pattern": PAIR_PATTERN})
]
# Relative paths are made absolute by the loader, which knows the file's directory.
Location = Annotated[str, Field(min_length=1)]
