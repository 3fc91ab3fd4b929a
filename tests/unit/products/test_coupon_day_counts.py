"""Day counts that ask for more than two dates are of fixed coupons alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from riskpipe.market.date_rules import COUPON_DAY_COUNTS, DAY_COUNTS
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.products.leg_columns import leg_faults
from riskpipe.products.schedule_columns import day_count_faults
from riskpipe.products.trades import Trades

BY_NAME = {product.name: product for product in PRODUCTS}


def choices(product: str, column: str) -> tuple[str, ...]:
    return next(found.choices for found in BY_NAME[product].columns if found.name == column)


def test_columns_of_floating_legs_have_the_others() -> None:
    for product, column in (("interest_rate_swap", "fixed_day_count"), ("bond", "day_count")):
        assert choices(product, column) == COUPON_DAY_COUNTS
    for product, column in (("interest_rate_swap", "float_day_count"), ("floating_rate_note", "day_count")):
        assert choices(product, column) == DAY_COUNTS


def test_of_legs_that_may_be_either_those_that_float() -> None:
    names = ["ACT/ACT ICMA", "ACT/ACT ICMA", "ACT/360", None]
    trades = Trades(pa.table({"pay_day_count": names}))
    (fault,) = day_count_faults(trades, "pay_day_count", np.array([True, False, True, True]))
    assert (fault.rows.tolist(), fault.rule) == ([0], "choice")
    assert fault.message.startswith("pay_day_count of a floating leg is none of ACT/360, ACT/365F")


def test_a_leg_of_a_swap_that_floats() -> None:
    legs = Trades(
        pa.table({"leg_type": ["floating", "fixed"], "day_count": ["BUS/252", "BUS/252"], "calendar": ["BRSP"] * 2})
    )
    (fault,) = (found for found in leg_faults(legs, 20_000) if found.rule == "choice")
    assert (fault.column, fault.rows.tolist()) == ("day_count", [0])
