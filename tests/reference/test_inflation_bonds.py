"""Inflation-linked bonds against QuantLib's CPIBond: 1e-10 of face, base and shocked curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813
from inflation_market import AS_OF, CONVENTIONS, INDICES, QuantLibMarket, random_market, snapshot_of

from riskpipe.market.model import MarketModel
from riskpipe.products.inflation_bond import InflationBond

TRADES = 500
TOLERANCE = 1e-10


def random_bonds() -> dict[str, Any]:
    random = np.random.default_rng(5)
    issue = AS_OF + random.integers(-1800, 1, TRADES)
    maturity = np.maximum(issue + random.integers(200, 365 * 40, TRADES), AS_OF + 2)
    return {
        "currency": ["EUR"] * TRADES,
        "index": random.choice(list(INDICES), TRADES).tolist(),
        "discount_curve": ["OIS"] * TRADES,
        "base_index": random.uniform(90.0, 140.0, TRADES),
        "issue_date": issue,
        "maturity_date": maturity,
        "quantity": np.round(random.normal(0.0, 1000.0, TRADES)) + 0.5,
        "face": [100.0] * TRADES,
        "coupon": random.uniform(0.0, 0.03, TRADES),
        "frequency": random.choice(["6M", "1Y"], TRADES).tolist(),
        # QuantLib takes a single odd period for the first and the last at once.
        "day_count": np.where(maturity - issue < 367, "30E/360", "ACT/ACT ICMA").tolist(),
        "calendar": ["TARGET"] * TRADES,
        "business_day_convention": ["following"] * TRADES,
        "deflation_floor": (random.random(TRADES) < 0.5).tolist(),
    }


def test_bonds(rates: Any) -> None:
    """QuantLib's CPIBond, with what its redemption is short of the face where that is floored."""
    product, book = InflationBond(), random_bonds()
    trades = rates.trades(product, book)
    assert product.validate(trades, AS_OF) == []
    markets = [random_market(seed) for seed in (1, 2)]
    snapshots = [snapshot_of(*market) for market in markets]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert product.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    floored = 0
    for column, market in enumerate(markets):
        quantlib = QuantLibMarket(*market)
        engine = ql.DiscountingBondEngine(quantlib.discount)
        for k in range(TRADES):
            row = {name: values_[k] for name, values_ in book.items()}
            dates = rates.schedule(row["issue_date"], row["maturity_date"], row["frequency"], "TARGET", "unadjusted")
            lag, observed = quantlib.observation(row["index"])
            bond = ql.CPIBond(
                0, 100.0, False, float(row["base_index"]), lag, quantlib.indices[row["index"]], observed, dates,
                [float(row["coupon"])], rates.coupon_day_counts[row["day_count"]], ql.Following,
            )  # fmt: skip
            bond.setPricingEngine(engine)
            last = bond.cashflows()[-1]
            short = max(100.0 - last.amount(), 0.0) if row["deflation_floor"] else 0.0
            floored += short > 0.0
            expected = bond.NPV() + short * quantlib.discount.discount(last.date())
            error = abs(values[k, column] / row["quantity"] - expected)
            assert error < TOLERANCE * max(expected, 100.0), (error, row)
    assert floored > 20


def test_real_prices_and_yields(rates: Any) -> None:
    """QuantLib's, over its index ratio at settlement; real yields are those of bonds without an index."""
    product, book = InflationBond(), random_bonds()
    book |= {"settlement_days": [2.0] * TRADES, "deflation_floor": [False] * TRADES}
    trades, market = rates.trades(product, book), random_market(1)
    model = MarketModel(snapshot_of(*market), CONVENTIONS)
    pv = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), model.base)[:, 0]
    found = product.figure_values(trades, model, pv, product.figures)
    quantlib, accruing = QuantLibMarket(*market), 0
    engine = ql.DiscountingBondEngine(quantlib.discount)
    for k in range(TRADES):
        row = {name: values_[k] for name, values_ in book.items()}
        dates = rates.schedule(row["issue_date"], row["maturity_date"], row["frequency"], "TARGET", "unadjusted")
        lag, observed = quantlib.observation(row["index"])
        index, count = quantlib.indices[row["index"]], rates.coupon_day_counts[row["day_count"]]
        terms = (dates, [float(row["coupon"])], count, ql.Following)
        bond = ql.CPIBond(2, 100.0, False, float(row["base_index"]), lag, index, observed, *terms)
        bond.setPricingEngine(engine)
        street = ql.FixedRateBond(2, 100.0, dates, [float(row["coupon"])], count, ql.Unadjusted)
        settled = bond.settlementDate()
        if bond.notional(settled) == 0.0:
            assert np.isnan([found[name][k] for name in found]).all()
            continue
        ratio = ql.CPI.laggedFixing(index, settled, lag, observed) / row["base_index"]
        expected = {"accrued": street.accruedAmount(settled), "dirty_price": bond.dirtyPrice() / ratio}
        accruing += expected["accrued"] > 0.0
        price = ql.BondPrice(found["dirty_price"][k] - expected["accrued"], ql.BondPrice.Clean)
        frequency = {"6M": ql.Semiannual, "1Y": ql.Annual}[row["frequency"]]
        rule = (count, ql.Compounded, frequency, settled)
        expected["yield"] = ql.BondFunctions.bondYield(street, price, *rule, 1e-14, 1000, 0.01)
        for name, value in expected.items():
            assert abs(found[name][k] - value) < 100.0 * TOLERANCE * max(1.0, abs(value) / 100.0), (name, k, row)
        assert found["clean_price"][k] == found["dirty_price"][k] - found["accrued"][k]
    assert accruing > 400
