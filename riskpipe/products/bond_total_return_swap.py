"""Total return swaps on bonds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.bond import Bond
from riskpipe.products.bond_flows import bond_flows
from riskpipe.products.bond_returns import bond_returns
from riskpipe.products.floating import Coupons, fixing_faults, projection_curve
from riskpipe.products.flows import Amounts, merged, offsets_of
from riskpipe.products.leg_columns import LEG_COLUMNS, leg_faults
from riskpipe.products.leg_dates import fixing_calendar_column, leg_dates
from riskpipe.products.leg_flows import leg_periods, signs, unit_coupons
from riskpipe.products.legs import NO_NODES, KnownLeg, PreparedLegs, ProjectedLeg
from riskpipe.products.observations import observation_columns, observation_faults
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    coupon_day_count_column,
    ended,
    frequency_column,
    remaining_periods,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault

_NOT_OF_THE_BOND = {"settlement_days", "market_price", "credit_curve", "discount_curve"}
_OWN = {column.name for column in COMMON_COLUMNS}


class BondTotalReturnSwap(Product):
    """Returns of a bond, and what it pays, against funding of its initial price.

    For each period of returns quantity x face x (dirty price at its end - dirty price at its start) / 100 is paid at
    its end, and what the bond pays within it when it is paid, to who receives the return; a coupon is his if the bond
    does not trade ex at the period's start. Prices of a bond that amortises are for 100 of its first face. Prices to
    come are forward prices of the bond that `bond` describes, its flows on `bond_curve`, financed at `discount_curve`:
    at that curve's own rates a swap that begins today at the bond's price is worth nothing. Funding is paid on quantity
    x face x `initial_price` / 100 throughout. A notional that follows the price is not modelled, nor the default of the
    issuer beside what the bond's curve has. A period that ends today has been paid.
    """

    name = "bond_total_return_swap"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("direction", "string", "of the return", choices=("pay", "receive")),
        Column("discount_curve", "string", "zero_rate curve that discounts the swap and finances the bond"),
        Column("bond_curve", "string", "zero_rate curve of the bond's flows; null: discount_curve", required=False),
        *(column for column in Bond.columns if column.name not in _NOT_OF_THE_BOND | _OWN),
        Column("start_date", "date", "of the first period of returns, before adjustment"),
        Column("end_date", "date", "of the last one, before adjustment; not after the bond's maturity"),
        frequency_column("return_frequency", "of returns; 1T pays one at the end"),
        Column("initial_price", "number", "dirty, agreed for the start, for 100 of face", rule="positive"),
        Column(
            "last_price",
            "number",
            "dirty, at the start of the period of returns that runs, for 100 of face; null: initial_price",
            required=False,
            rule="positive",
            observed=True,
        ),
        Column("funding_index", "string", "floating index; null: funding_fixed_rate is paid", required=False),
        Column("funding_fixed_rate", "number", "decimal a year; without an index", required=False),
        Column("funding_spread", "number", "decimal a year, added to the floating rate; null: 0", required=False),
        *observation_columns("funding_"),
        replace(frequency_column("funding_frequency", "of funding; null: return_frequency"), required=False),
        coupon_day_count_column("funding_day_count", "of funding"),
        fixing_calendar_column("funding_"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        end, maturity = trades.days("end_date"), trades.days("maturity_date")
        given = (end != Trades.NO_DATE) & (maturity != Trades.NO_DATE)
        late = "end_date is after the bond's maturity_date"
        early = trades.days("start_date") < trades.days("issue_date")
        faults = [
            *Bond().validate(trades, as_of),
            *rows_fault("end_date", "not_past", ended(_return_legs(trades), "start_date", as_of), "end in the past"),
            *rows_fault("end_date", "date_order", given & (end > maturity), late),
            *rows_fault("start_date", "date_order", early & given, "start_date is before the bond's issue_date"),
        ]
        return [*faults, *self._of_funding(leg_faults(_funding(trades), as_of), {fault.column for fault in faults})]

    def _of_funding(self, faults: list[RowFaults], told: set[str]) -> Iterator[RowFaults]:
        """Faults of the funding leg, by the swap's columns; of the calendar those that the bond has not told."""
        names = {column.name for column in self.columns}
        for fault in faults:
            column = {"maturity_date": "end_date"}.get(fault.column, f"funding_{fault.column}")
            column = column if column in names else fault.column
            message = fault.message.replace("maturity_date", "end_date")
            if column not in told:
                message = message.replace("a fixed leg", "funding without an index")
                yield replace(fault, column=column, message=message)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (
            Need("discount", ("zero_rate",), trades.labels("discount_curve")),
            Need("bond", ("zero_rate",), trades.labels("bond_curve")),
            Need("projection", ("zero_rate",), projection_curve(trades, conventions, "funding_index")),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        index = trades.labels("funding_index")
        terms = observation_faults(trades, index, model.conventions, "funding_")
        return [*terms, *fixing_faults(_FundingFlows(trades, model).coupons, "funding_index")]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        flows = remaining_periods(trades, "issue_date", "frequency", as_of)
        returns = np.minimum(_returns(trades, as_of), 400.0)
        return 0.5 + 0.03 * flows + returns * (0.1 + 0.1 * flows)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        curve, funding = trades.labels("discount_curve"), _FundingFlows(trades, model)
        own, projection = (
            trades.labels("bond_curve").otherwise(curve),
            projection_curve(funding.legs, model.conventions),
        )
        bond = bond_flows(trades, model.as_of)
        sign = np.where(trades.is_one("direction", "receive"), 1.0, -1.0)[bond.periods.trades]
        bond = replace(bond, face=sign * bond.face, interest=sign * bond.interest)
        valuations = leg_dates(_return_legs(trades)).periods(model.as_of)
        opening = _opening(trades, valuations.start, valuations.trades, model)
        returns = bond_returns(bond, valuations, opening, (curve, own), model)
        started, growth = funding.growth.telescoped(projection, curve, model)
        known, n = merged([returns.financed, funding.known, started]), len(trades)
        nodes, positions = model.projected(
            (curve.take(known.trade), known.day),
            (own.take(returns.own.trade), returns.own.day),
            *growth.requests(projection, curve),
            *returns.own_growth.requests(curve, own),
            *returns.financed_growth.requests(curve, curve),
        )
        legs = [
            KnownLeg(offsets_of(known.trade, n), known.amount, positions[0]),
            KnownLeg(offsets_of(returns.own.trade, n), returns.own.amount, positions[1]),
        ]
        grown = (growth, returns.own_growth, returns.financed_growth)
        projected = [
            ProjectedLeg(offsets_of(part.trade, n), part.coefficient, positions[2 + 2 * k], positions[3 + 2 * k])
            for k, part in enumerate(grown)
        ]
        return PreparedLegs(nodes, NO_NODES, (*legs, *projected))


class _FundingFlows:
    """:ivar legs: of funding, one a trade. :ivar known, growth: of their coupons. :ivar coupons: for one."""

    def __init__(self, trades: Trades, model: MarketModel) -> None:
        self.legs = _funding(trades)
        periods = leg_periods(self.legs, np.arange(len(trades)), model.as_of)
        interest, weight, self.coupons = unit_coupons(self.legs, periods, model)
        notional = periods.spread(signs(self.legs) * self.legs.numbers("notional"))
        self.known = Amounts(periods.trades, periods.payment, notional * interest)
        self.growth = self.coupons.growth(notional * weight).where(weight != 0.0)

    coupons: Coupons


def _opening(trades: Trades, start: NDArray[np.int32], trade: NDArray[np.int64], model: MarketModel) -> FloatArray:
    """float64[periods]: what the bond is worth at the starts of periods, in currency; NaN: still to come."""
    first = np.r_[True, trade[1:] != trade[:-1]] if len(trade) else np.zeros(0, np.bool_)
    initial = trades.numbers("initial_price")
    begins = start == leg_dates(_return_legs(trades)).starts()[trade]
    last = np.where(np.isnan(trades.numbers("last_price")), initial, trades.numbers("last_price"))
    price = np.where(begins, initial[trade], last[trade])
    known = begins | (first & (start <= model.as_of))
    sign = np.where(trades.is_one("direction", "receive"), 1.0, -1.0)
    worth = (sign * trades.numbers("quantity") * trades.numbers("face"))[trade] * price / 100.0
    return np.where(known, worth, np.nan)


def _returns(trades: Trades, as_of: int) -> FloatArray:
    return remaining_periods(_return_legs(trades), "start_date", "frequency", as_of)


def _return_legs(trades: Trades) -> Trades:
    """The dates of returns, by the columns of a leg."""
    names = {"start_date": "start_date", "end_date": "maturity_date", "return_frequency": "frequency"}
    names |= {name: name for name in ("calendar", "business_day_convention")}
    return trades.with_table(pa.table({to: trades.table.column(name) for name, to in names.items()}))


def _funding(trades: Trades) -> Trades:
    """The funding leg of each trade, with the columns `LEG_COLUMNS`; paid by who receives the return."""
    n, dates = len(trades), _return_legs(trades).table
    floats = trades.labels("funding_index").codes >= 0
    given = np.where(trades.is_one("direction", "receive"), "pay", "receive")
    size = trades.numbers("quantity") * trades.numbers("face") * trades.numbers("initial_price") / 100.0
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        name: dates.column(name) for name in dates.column_names if name != "frequency"
    }
    columns |= {
        "direction": pa.array(given, pa.string()),
        "leg_type": pa.array(np.where(floats, "floating", "fixed"), pa.string()),
        "currency": trades.table.column("currency"),
        "discount_curve": trades.table.column("discount_curve"),
        "notional": pa.array(size, pa.float64()),
        "frequency": _frequency(trades),
    }
    for name in (column.name for column in LEG_COLUMNS):
        if trades.has(f"funding_{name}") and name not in columns:
            columns[name] = trades.table.column(f"funding_{name}")
    assert all(len(column) == n for column in columns.values())
    return trades.with_table(pa.table(columns))


def _frequency(trades: Trades) -> pa.Array:
    labels: Labels = trades.labels("funding_frequency").otherwise(trades.labels("return_frequency"))
    return pa.array([*labels.names, None], pa.string()).take(pa.array(labels.codes % (len(labels.names) + 1)))
