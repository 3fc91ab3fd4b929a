"""Future on a bond: on the deliverable that is cheapest to deliver."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.debt import bond_dates
from riskpipe.products.either import either
from riskpipe.products.flows import Amounts, merged, offsets_of
from riskpipe.products.futures import (
    CONTRACT,
    QUANTITY,
    REFERENCE_PRICE,
    Carried,
    contract_need,
    margined,
    of_contracts,
)
from riskpipe.products.legs import NO_NODES, KnownLeg, PreparedLegs
from riskpipe.products.schedule_columns import (
    calendar_column,
    convention_column,
    coupon_day_count_column,
    frequency_column,
    schedule_faults,
)
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, rows_fault, unknown_currencies


class BondFuture(Product):
    """quantity x contract_size / 100 x (futures price - reference_price), not discounted; prices are for 100 of face.

    The futures price is that of `contract` for expiry_date, where one is named; else (the deliverable's forward clean
    price for delivery_date - net_basis) / conversion_factor. The forward is the deliverable's value today, less the
    coupons until delivery, financed at `repo_curve`, less what has accrued by then (Hull, Options, Futures and Other
    Derivatives, section 6.2); without a repo curve it is what the discount curve makes of it. The deliverable is the
    one that the columns describe, a bond without credit risk as `bond` has it: which one is cheapest to deliver, and
    the short's options on it, are not modelled but by `net_basis`. On its expiry date it is worth its last margin;
    after that it is over.
    """

    name = "bond_future"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the prices"),
        CONTRACT,
        QUANTITY,
        Column("contract_size", "number", "face of a contract, such as 100000", rule="positive"),
        REFERENCE_PRICE,
        Column("expiry_date", "date", "last day of trading"),
        Column("delivery_date", "date", "of the deliverable"),
        Column("conversion_factor", "number", "of the deliverable", rule="positive"),
        Column("discount_curve", "string", "zero_rate curve that discounts the deliverable's flows"),
        Column("repo_curve", "string", "zero_rate curve of its financing; null: discount_curve", required=False),
        Column("net_basis", "number", "taken off the forward, points for 100 of face; null: 0", required=False),
        Column("coupon", "number", "of the deliverable, decimal a year"),
        frequency_column("frequency", "of coupons; 1T pays once at maturity"),
        coupon_day_count_column("day_count", "of coupons"),
        Column("issue_date", "date", "interest of the deliverable accrues from here"),
        Column("maturity_date", "date", "of the deliverable's redemption, before adjustment"),
        calendar_column(),
        convention_column(),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        delivery, maturity = trades.days("delivery_date"), trades.days("maturity_date")
        given = (delivery != Trades.NO_DATE) & (maturity != Trades.NO_DATE)
        late = "delivery_date is not before the deliverable's maturity_date"
        return [
            *unknown_currencies(trades, "currency"),
            *schedule_faults(trades, "issue_date", as_of),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
            *rows_fault("delivery_date", "delivery", given & (delivery >= maturity), late),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        made = trades.labels("contract").codes < 0
        return (
            contract_need(trades),
            Need("discount", ("zero_rate",), trades.labels("discount_curve").where(made)),
            Need("repo", ("zero_rate",), trades.labels("repo_curve").where(made)),
        )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 1.0)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        def quoted(some: Trades) -> Prepared:
            return margined(some, of_contracts(some, some.labels("currency"), model), units=0.01)

        def from_deliverable(some: Trades) -> Prepared:
            return _from_deliverable(some, model)

        return either(trades, trades.labels("contract").codes >= 0, quoted, from_deliverable)


def _from_deliverable(trades: Trades, model: MarketModel) -> Prepared:
    delivery, curve, repo = trades.days("delivery_date"), trades.labels("discount_curve"), trades.labels("repo_curve")
    # Face that one futures contract's move is worth: what the deliverable's flows are multiplied by.
    face = trades.numbers("quantity") * trades.numbers("contract_size") / trades.numbers("conversion_factor")
    dates = bond_dates(trades)
    periods, accrual = dates.periods_around(model.as_of), dates.accrual(trades.labels("day_count"))
    trade, paid = periods.trades, periods.payment
    coupon = (face * trades.numbers("coupon"))[trade]
    interest = coupon * accrual.years(periods)
    last = dates.last_payments()
    # Of one curve alone, coupons until delivery cancel: the holder has them.
    early, to_come = periods.end <= delivery[trade], paid > model.as_of
    financed = repo.codes >= 0
    held = Amounts(trade, paid, interest).where(to_come & (financed[trade] | ~early))
    flows = merged([held, Amounts(np.arange(len(trades)), last, face)])
    received = Amounts(trade, paid, -interest).where(to_come & early & financed[trade])
    funding = repo.otherwise(curve)
    nodes, (node, received_node) = model.discount(
        (curve.take(flows.trade), flows.day), (funding.take(received.trade), received.day)
    )
    legs = (
        KnownLeg(offsets_of(flows.trade, len(trades)), flows.amount, node),
        KnownLeg(offsets_of(received.trade, len(trades)), received.amount, received_node),
    )
    accrued = np.zeros(len(trades))
    open_ = np.flatnonzero((periods.start < delivery[trade]) & ~early)
    since, _ = accrual.split(periods, delivery[trade])
    accrued[trade[open_]] = coupon[open_] * since[open_]
    points = trades.numbers("quantity") * trades.numbers("contract_size") / 100.0
    owed = accrued + face * trades.numbers("net_basis", 0.0) / 100.0 + points * trades.numbers("reference_price")
    financing, (position,) = model.discount((funding, delivery))
    return Carried(PreparedLegs(nodes, NO_NODES, legs), owed, TradeNodes(financing, position))
