"""Forwards on bonds."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, Need, Prepared, Product, RowFaults
from riskpipe.products.bond import Bond
from riskpipe.products.bond_flows import BondFlows, bond_flows
from riskpipe.products.bond_legs import Payments, bond_legs
from riskpipe.products.debt import faces
from riskpipe.products.flows import Amounts, merged
from riskpipe.products.schedule_columns import by_coupon_phase, remaining_periods
from riskpipe.products.settlement import Settlement, accrued_interest
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault

_OF_FIGURES = ("settlement_days", "market_price")
"""Columns of `Bond` that its figures alone read."""


class ForwardBond(Product):
    """The bond that `bond` describes today, less what it pays until delivery_date, less the price that is paid then.

    `quantity` pieces are bought (sold if it is below zero) at `price`, for 100 of the face that is left at delivery;
    to a clean price what has accrued by then is added. What the bond pays until delivery, a coupon that trades ex
    then, and the price are financed at `repo_curve`; without one at the discount curve, of which the bond then is what
    its buyer gets. On its delivery date a forward is settled and worth nothing. (QuantLib's BondForward; Hull,
    Options, Futures and Other Derivatives, section 5.6.)

    With a credit curve the forward does not end at a default: the buyer gets what is recovered, and pays the price.
    """

    name = "forward_bond"
    version = 1
    columns = (
        *(
            replace(column, description="bought; below zero: sold") if column.name == "quantity" else column
            for column in Bond.columns
            if column.name not in _OF_FIGURES
        ),
        Column("delivery_date", "date", "of the bond, and when the price is paid"),
        Column("price", "number", "agreed, for 100 of face"),
        Column("price_type", "string", "clean, or with what has accrued by then", choices=("clean", "dirty")),
        Column("repo_curve", "string", "zero_rate curve of the financing; null: discount_curve", required=False),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        delivery, maturity = trades.days("delivery_date"), trades.days("maturity_date")
        given = (delivery != Trades.NO_DATE) & (maturity != Trades.NO_DATE)
        late = "delivery_date is not before the bond's maturity_date"
        early = given & (delivery < trades.days("issue_date"))
        return [
            *Bond().validate(trades, as_of),
            *past_dates(trades, "delivery_date", as_of, "delivery"),
            *rows_fault("delivery_date", "delivery", given & (delivery >= maturity), late),
            *rows_fault("delivery_date", "date_order", early, "delivery_date is before the bond's issue_date"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (
            *Bond().requirements(trades, conventions),
            Need("repo", ("zero_rate",), trades.labels("repo_curve")),
        )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        periods = remaining_periods(trades, "issue_date", "frequency", as_of)
        return 0.4 + np.where(trades.labels("credit_curve").codes < 0, 0.03, 0.3) * periods

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        delivery, curve = trades.days("delivery_date"), trades.labels("discount_curve")
        bond = _until_delivered(bond_flows(trades, model.as_of), model.as_of)
        trade, paid = bond.periods.trades, bond.periods.payment
        settled = Settlement(trades, bond.periods, bond.face, delivery)
        # The seller's is what is paid until delivery, and what trades ex then; of one curve alone it cancels.
        flows = Amounts(trade, paid, bond.coupons(model.as_of) + bond.redeemed)
        kept = np.where(paid <= delivery[trade], flows.amount, np.where(settled.ex, bond.coupons(model.as_of), 0.0))
        repo, to_come = trades.labels("repo_curve"), paid > model.as_of
        financed = (repo.codes >= 0)[trade]
        own = np.where(financed, flows.amount, flows.amount - kept)
        held = merged([Amounts(trade, paid, own).where(to_come)])
        income = Amounts(trade, paid, -kept).where(to_come & financed & (kept != 0.0))
        risky = trades.labels("credit_curve").codes >= 0
        price = Amounts(np.arange(len(trades)), delivery, -_prices(bond, settled)).where(delivery > model.as_of)
        payments = (
            Payments.of(curve, held, risky),
            Payments(
                repo.otherwise(curve),
                merged([income.where(~risky[income.trade]), price]),
                merged([income.where(risky[income.trade])]),
            ),
        )
        return bond_legs(bond, model, payments)


def _until_delivered(bond: BondFlows, as_of: int) -> BondFlows:
    """Nothing of those that are delivered."""
    alive = (bond.trades.days("delivery_date") > as_of)[bond.periods.trades]
    return replace(bond, face=np.where(alive, bond.face, 0.0), interest=np.where(alive, bond.interest, 0.0))


def _prices(bond: BondFlows, settled: Settlement) -> FloatArray:
    """float64[n]: what is paid at delivery, in currency."""
    trades = bond.trades
    # A last payment that was moved before delivery leaves nothing to be bought; the price is of all of it.
    face = np.where(settled.is_owed, settled.of_next(bond.face), faces(trades))
    clean = trades.is_one("price_type", "clean") & settled.is_owed
    accrued = np.where(clean, accrued_interest(bond, settled)[0], 0.0)
    return np.asarray(trades.numbers("price") / 100.0 * face + accrued)
