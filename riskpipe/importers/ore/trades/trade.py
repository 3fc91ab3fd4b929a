"""What the functions of all trade types share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from msgspec import Struct, field

from riskpipe.importers.book import Row, Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.xml import Element

Converter = Callable[["Trade"], None]
"""Adds the rows of a trade to it."""


class Trade(Struct):
    """One trade of ORE while it is converted.

    :param data: the element with its terms.
    :param rows: what it becomes; `turned`: in what these differ from it in form.
    """

    element: Element
    data: Element
    ore: OreMarket
    rows: list[Row] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)

    @property
    def trade_id(self) -> str:
        return self.element.attributes.get("id", "").strip()

    def add(self, product: str, part: str = "", **values: Any) -> None:
        """A row of a product; null values are left away.

        :param part: what the trade's id is followed by, of a trade that becomes several.
        """
        envelope = self.element.find("Envelope")
        counterparty = envelope.get("CounterParty") if envelope is not None else ""
        netting_set = "" if envelope is None else envelope.get("NettingSetId")
        portfolio = "" if envelope is None else envelope.get("PortfolioIds", "PortfolioId")
        common: Values = {
            "trade_id": f"{self.trade_id}.{part}" if part else self.trade_id,
            "book": portfolio or netting_set or counterparty or "ore",
            "counterparty": counterparty or None,
            "netting_set": netting_set or None,
        }
        self.rows.append(Row(product, {**common, **{k: v for k, v in values.items() if v is not None}}))
        if part:
            self.turned.append(f"its {part} is a trade of its own, {common['trade_id']}")

    # --- OptionData ---
    def long(self, option: Element) -> float:
        """1 of who holds the option, -1 of who has written it."""
        return position(option.need("LongShort"))

    def exercise_date(self, option: Element) -> date:
        """:raises LeftOutError: there are several."""
        dates = list(option.all("ExerciseDates", "ExerciseDate"))
        if len(dates) != 1:
            raise LeftOutError("options of several exercise dates are not taken")
        return codes.a_date(dates[0].text)

    def premium(self, option: Element) -> None:
        """Premiums that are still to be paid, as trades of their own."""
        given = [
            (element.get("Amount"), element.get("Currency"), element.get("PayDate"))
            for element in option.all("Premiums", "Premium")
        ]
        if option.get("PremiumAmount"):
            names = ("PremiumAmount", "PremiumCurrency", "PremiumPayDate")
            given.append(tuple(option.get(name) for name in names))  # type: ignore[arg-type]
        for number, (amount, currency, pay_date) in enumerate(given, 1):
            part = "premium" if len(given) == 1 else f"premium{number}"
            self.payment(-self.long(option) * codes.number(amount), currency, codes.a_date(pay_date), part)

    def payment(self, amount: float, currency: str, day: date, part: str) -> None:
        """A known amount on a day; what was due up to today has been paid."""
        if amount == 0.0 or day <= self.ore.setup.as_of:
            return
        leg = {
            "direction": "receive",
            "leg_type": "cashflows",
            "currency": currency,
            "discount_curve": self.ore.discount_curve(currency),
            "amounts": [amount],
            "amount_dates": [day],
        }
        self.add("swap", part, currency=currency, legs=[leg])


def position(text: str) -> float:
    """1 of Long, -1 of Short."""
    if text.lower() in ("long", "buy"):
        return 1.0
    if text.lower() in ("short", "sell"):
        return -1.0
    raise LeftOutError(f"{text!r} is neither Long nor Short")


def option_type(option: Element) -> str:
    """call or put."""
    text = option.need("OptionType").lower()
    if text not in ("call", "put"):
        raise LeftOutError(f"options of the type {text} are not taken")
    return text


def refuse(unless: bool, reason: str) -> None:
    """:raises LeftOutError: what is to hold does not."""
    if not unless:
        raise LeftOutError(reason)
