"""Swaps on the default of a name, and on an index of names."""

from __future__ import annotations

from typing import Final

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.default_curves import default_curve
from riskpipe.importers.ore.leg_terms import coupon_terms, steps
from riskpipe.importers.ore.quoted_dates import Days, a_day, market, number
from riskpipe.importers.ore.trades.trade import Trade, refuse
from riskpipe.market.bootstrap.quantlib import to_date
from riskpipe.market.factors import days_of

_CASH_SETTLEMENT_DAYS: Final = 3


def default_swap(trade: Trade) -> None:
    """CreditDefaultSwapData; accrued premium is paid on default, and protection then."""
    data = trade.data
    curve = default_curve(
        trade.ore, data.get("CreditCurveId") or data.need("ReferenceInformation", "ReferenceEntityId")
    )
    trade.add("credit_default_swap", reference_entity=curve, **_terms(trade, curve))


def index_swap(trade: Trade) -> None:
    """IndexCreditDefaultSwapData: on the curve of the index, or on those of its basket, as the engine's Curve says."""
    data, ore = trade.data, trade.ore
    names = list(data.all("BasketData", "Name"))
    notionals = np.array([codes.number(name.need("Notional")) for name in names])
    total = float(notionals.sum())
    if ore.engines.get("IndexCreditDefaultSwap", "Curve", "Index") == "Index":
        curve = default_curve(ore, data.need("CreditCurveId"))
        trade.add("index_cds", index=curve, **_terms(trade, curve, total))
        return
    refuse(bool(names), "index swaps whose basket is reference data are not taken")
    refuse(not data.get("FixedRecoveryRate"), "index swaps with a recovery of their own are not taken")
    curves = [default_curve(ore, name.need("CreditCurveId")) for name in names]
    trade.add(
        "index_cds",
        index=data.need("CreditCurveId").replace(":", "."),
        valued_on="constituents",
        constituents=curves,
        constituent_weights=(notionals / total).tolist(),
        constituent_recoveries=[_recovery(trade, curve) for curve in curves],
        **_terms(trade, curves[0], total),
    )


def _recovery(trade: Trade, curve: str) -> float:
    return float(trade.ore.book.points[f"recovery:{curve}"]["value"])


def _terms(trade: Trade, curve: str, notional: float | None = None) -> Values:
    """The columns that swaps on a name and on an index share.

    :param notional: another one than the leg's.
    """
    data, ore = trade.data, trade.ore
    leg = data.child("LegData")
    terms = coupon_terms(leg)
    currency, days = leg.need("Currency"), terms.dates.days
    refuse(codes.flag(data.get("SettlesAccrual"), True), "accrued premium that is not paid on default is not taken")
    paid = data.get("ProtectionPaymentTime") or "atDefault"
    refuse(
        codes.flag(data.get("PaysAtDefaultTime"), True) and paid == "atDefault",
        "protection that is not paid on default is not taken",
    )
    recovery = data.get("FixedRecoveryRate")
    rules = leg.child("ScheduleData", "Rules")
    return {
        "currency": currency,
        "discount_curve": ore.discount_curve(currency),
        "notional": notional or _single(terms.notionals, "notional"),
        "protection": "buy" if codes.flag(leg.need("Payer")) else "sell",
        "spread": _single(steps(leg.find("FixedLegData", "Rates"), "Rate").at(terms.dates.dates[:-1]), "premium"),
        "recovery": codes.number(recovery) if recovery else _recovery(trade, curve),
        "start_date": a_day(int(days[0])),
        "maturity_date": a_day(int(days[-1])),
        "frequency": codes.tenor(rules.need("Tenor")),
        "day_count": terms.day_count,
        "calendar": codes.calendar(rules.get("Calendar")),
        "accrual_includes_maturity": terms.day_count == "ACT/360" or None,
        "start_convention": "unadjusted",
        **_protection(trade, days),
    }


def _protection(trade: Trade, days: Days) -> Values:
    """When protection begins, what is paid for it at once, and the premium that is rebated: up to that day, with it."""
    data = trade.data
    first = days_of(codes.a_date(data.get("ProtectionStart"))) if data.get("ProtectionStart") else int(days[0])
    settled = number(market("weekends").advance(to_date(first), _CASH_SETTLEMENT_DAYS, ql.Days))
    due = codes.a_date(data.get("UpfrontDate")) if data.get("UpfrontDate") else a_day(settled)
    rebates = codes.flag(data.get("RebatesAccrual"), True) and days_of(due) > trade.ore.as_of
    return {
        "upfront": codes.number(data.get("UpfrontFee") or "0"),
        "upfront_date": due,
        "protection_start": a_day(first) if first > trade.ore.as_of else None,
        "rebates_accrual": rebates or None,
        "trade_date": a_day(first) if rebates else None,
    }


def _single(values: list[float], what: str) -> float:
    """:raises LeftOutError: it changes."""
    if len(set(values)) != 1:
        raise LeftOutError(f"a {what} that changes is not taken")
    return values[0]
