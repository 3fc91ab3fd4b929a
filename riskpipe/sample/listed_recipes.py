"""Cash, and what is held or dealt on exchanges."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import NO_DATE
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days
from riskpipe.sample.option_recipes import commodity_options, equity_options, fx_forwards
from riskpipe.sample.recipe import Desk, Recipe, equally, stocks
from riskpipe.sample.trade_terms import Columns, Draw, each, significant
from riskpipe.sample.universe import BY_CODE, COMMODITY_BY_NAME, CURRENCIES, EQUITY_BY_NAME, FX_SMILES, INDEX_BY_NAME


def cash_balances(draw: Draw) -> Columns:
    """Half of them to be there within a few days."""
    currency = draw.instruments
    soon = draw.as_of + draw.rng.integers(1, 30, len(draw))
    return {
        "currency": currency,
        "amount": draw.notional(currency, 5.0) * draw.sign,
        "value_date": np.where(draw.rng.random(len(draw)) < 0.5, soon, NO_DATE).astype(np.int32),
    }


def fx_swaps(draw: Draw) -> Columns:
    """From the next days to some months later, near the forwards of both dates."""
    terms = fx_forwards(draw)
    buy, sell = terms["buy_currency"], terms["sell_currency"]
    assert isinstance(buy, Labels)
    assert isinstance(sell, Labels)
    pair = buy.combine(sell, str.__add__)
    far = np.asarray(terms["delivery_date"], np.int32)
    near = business_days(np.minimum(draw.as_of + draw.rng.integers(-40, 10, len(draw)), far - 1), roll="backward")
    near_rate = draw.quotes.fx_forward(pair, np.maximum(draw.years(near), 0.0))
    moved = np.exp(0.01 * np.clip(draw.rng.standard_normal(len(draw)), -3.0, 3.0))
    bought = np.asarray(terms["buy_amount"], np.float64)
    return {
        "buy_currency": buy,
        "sell_currency": sell,
        "near_buy_amount": bought,
        "near_sell_amount": significant(bought * near_rate * moved, 6),
        "far_buy_amount": significant(bought * draw.quotes.fx_forward(pair, draw.years(far)) * moved, 6),
        "far_sell_amount": bought,
        "near_date": near,
        "far_date": far,
    }


def non_deliverable_forwards(draw: Draw) -> Columns:
    """The forwards, settled in dollars, fixed two days before; the sample has none but deliverable currencies."""
    terms = fx_forwards(draw)
    delivery = np.asarray(terms["delivery_date"], np.int32)
    return terms | {
        "settlement_currency": Labels.constant("USD", len(draw)),
        "fixing_date": np.maximum(business_days(delivery, -2), draw.as_of).astype(np.int32),
    }


def equity_positions(draw: Draw) -> Columns:
    """Shares, and funds that follow an index once, twice or inversely."""
    name = draw.instruments
    follows = name.map(lambda fund: _FUNDS[fund][0] if fund in _FUNDS else fund)
    currency = follows.map(lambda equity: EQUITY_BY_NAME[equity].currency)
    price = each(name, lambda fund: _FUNDS[fund][2] if fund in _FUNDS else EQUITY_BY_NAME[fund].spot)
    quantity = significant(draw.notional(currency, 2.0) / price, 2)
    return {
        "underlying": name,
        "currency": currency,
        "quantity": quantity * draw.sign,
        "proxy": follows.where(each(name, lambda fund: float(fund in _FUNDS)) > 0.0),
        "beta": each(name, lambda fund: _FUNDS[fund][1] if fund in _FUNDS else np.nan),
        "price": each(name, lambda fund: _FUNDS[fund][2] if fund in _FUNDS else np.nan),
    }


def equity_futures(draw: Draw) -> Columns:
    """On indices, dealt or margined last within a few per cent of today's price."""
    terms = equity_options(draw)
    expiry = np.asarray(terms["expiry_date"], np.int32)
    price = draw.quotes.equity_forward(draw.instruments, draw.years(expiry))
    size = each(draw.instruments, lambda name: _MULTIPLIERS[name])
    lots = np.maximum(np.abs(np.asarray(terms["quantity"], np.float64)) / size, 1.0)
    return {
        "underlying": draw.instruments,
        "contract": _no_contract(draw),
        "currency": terms["currency"],
        "quantity": np.round(lots) * draw.sign,
        "contract_size": size,
        "reference_price": _margined_last(draw, price),
        "expiry_date": expiry,
    }


def commodity_futures(draw: Draw) -> Columns:
    """On the deliveries of the options."""
    terms = commodity_options(draw)
    delivery = np.asarray(terms["delivery_date"], np.int32)
    size = each(draw.instruments, lambda name: COMMODITY_BY_NAME[name].lot)
    return {
        "underlying": draw.instruments,
        "currency": terms["currency"],
        "quantity": np.asarray(terms["quantity"], np.float64) / size,
        "contract_size": size,
        "reference_price": _margined_last(draw, draw.quotes.commodity_forward(draw.instruments, draw.years(delivery))),
        "expiry_date": terms["expiry_date"],
        "delivery_date": delivery,
    }


def fx_futures(draw: Draw) -> Columns:
    """Of pairs with the dollar second, two business days from their last day to delivery."""
    pair, expiry = draw.instruments, draw.horizon(0.3, 1.5)
    first = pair.map(lambda name: name[:3])
    delivery = business_days(expiry, 2)
    price = draw.quotes.fx_forward(pair, draw.years(delivery))
    return {
        "pair": pair,
        "contract": _no_contract(draw),
        "quantity": np.maximum(np.round(draw.notional(first, 5.0) / _LOT), 1.0) * draw.sign,
        "contract_size": np.full(len(draw), _LOT),
        "reference_price": _margined_last(draw, price),
        "expiry_date": expiry,
        "delivery_date": delivery,
    }


def future_options(draw: Draw) -> Columns:
    """On the deliveries of commodity options; those of two exchanges are margined like the futures."""
    terms = commodity_options(draw)
    names, expiry, delivery = draw.instruments, terms["expiry_date"], terms["delivery_date"]
    size = each(names, lambda name: COMMODITY_BY_NAME[name].lot)
    margined = each(names, lambda name: float(name in ("BRENT", "TTF"))) > 0.0
    price = draw.quotes.commodity_forward(names, draw.years(np.asarray(delivery, np.int32)))
    premium = 0.4 * price * draw.quotes.deviation(names, draw.years(np.asarray(expiry, np.int32)))
    return terms | {
        "quantity": np.asarray(terms["quantity"], np.float64) / size,
        "contract_size": size,
        "exercise": Labels((draw.rng.random(len(draw)) < 0.3).astype(np.int32), ("american", "european")),
        "margining": Labels(margined.astype(np.int32), ("premium", "futures")),
        "reference_price": np.where(margined, significant(premium, 3), np.nan),
        "model": Labels.constant("black", len(draw)),
    }


def interest_rate_futures(draw: Draw) -> Columns:
    """Quarters from next week on; a third of those on overnight rates are in theirs."""
    index = draw.instruments
    overnight = each(index, lambda name: float(INDEX_BY_NAME[name].convention.overnight)) > 0.0
    running = overnight & (draw.rng.random(len(draw)) < 0.3)
    start = business_days(draw.as_of + np.where(running, -45, 7 + 91 * draw.rng.integers(0, 12, len(draw))))
    end = business_days(start + 91)
    rate = draw.quotes.par_rate(index, draw.years(start), draw.years(end))
    return {
        "currency": index.map(lambda name: INDEX_BY_NAME[name].currency),
        "index": index,
        "contract": _no_contract(draw),
        "quantity": np.maximum(np.round(50.0 * np.exp(draw.rng.standard_normal(len(draw)))), 1.0) * draw.sign,
        "point_value": np.full(len(draw), 2500.0),
        "reference_price": np.round(100.0 - 100.0 * rate + 0.05 * draw.rng.standard_normal(len(draw)), 3),
        "expiry_date": np.where(overnight, business_days(end, -1), business_days(start, -2)).astype(np.int32),
        "start_date": start,
        "maturity_date": end,
        "day_count": index.map(lambda name: INDEX_BY_NAME[name].float_day_count),
        "convexity_volatility": np.where(draw.rng.random(len(draw)) < 0.5, 0.008, np.nan),
    }


def bond_futures(draw: Draw) -> Columns:
    """On governments' bonds near par, half of them financed at the currency's discount curve."""
    curve = draw.instruments
    currency = curve.map(lambda name: name[:3])
    expiry = business_days(draw.as_of + draw.rng.integers(5, 150, len(draw)))
    issue = business_days(draw.as_of - draw.rng.integers(30, 700, len(draw)))
    maturity = add_months(issue, draw.choice((60, 84, 120, 360), (2, 2, 4, 2)))
    years = draw.years(maturity)
    coupon = np.round(800.0 * draw.quotes.par_rate(curve, np.zeros(len(draw)), years)) / 800.0
    at_six = 1.06 ** -np.round(years)  # conversion factors are prices at a yield of 6 %
    factor = np.round(coupon / 0.06 * (1.0 - at_six) + at_six, 4)
    return {
        "currency": currency,
        "contract": _no_contract(draw),
        "quantity": np.maximum(np.round(50.0 * np.exp(draw.rng.standard_normal(len(draw)))), 1.0) * draw.sign,
        "contract_size": np.full(len(draw), 100_000.0),
        "reference_price": _margined_last(draw, 100.0 / factor),
        "expiry_date": expiry,
        "delivery_date": business_days(expiry, 2),
        "conversion_factor": factor,
        "discount_curve": curve,
        "repo_curve": currency.map(lambda code: BY_CODE[code].discount_curve).where(draw.rng.random(len(draw)) < 0.5),
        "net_basis": np.full(len(draw), 0.05),
        "coupon": coupon,
        "frequency": currency.map(lambda code: "1Y" if code == "EUR" else "6M"),
        "day_count": Labels.constant("ACT/ACT", len(draw)),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": currency.map(lambda code: BY_CODE[code].calendar),
        "business_day_convention": Labels.constant("following", len(draw)),
    }


def _no_contract(draw: Draw) -> Labels:
    """The sample has no prices of contracts: they are made of their underlyings."""
    return Labels(np.full(len(draw), -1, np.int32), ())


def _margined_last(draw: Draw, price: FloatArray) -> FloatArray:
    """Prices of a day or a trade before, near today's."""
    return significant(price * np.exp(0.01 * np.clip(draw.rng.standard_normal(len(draw)), -3.0, 3.0)), 6)


_MULTIPLIERS = {"SPX": 50.0, "NDX": 20.0, "SX5E": 10.0, "UKX": 10.0, "NKY": 1000.0}
"""Index -> units of it a contract."""
_LOT = 125_000.0

_FUNDS = {
    "SPX_ETF": ("SPX", 1.0, 671.3),
    "SPX_2X_ETF": ("SPX", 2.0, 118.4),
    "SX5E_ETF": ("SX5E", 1.0, 58.2),
    "NKY_INVERSE_ETF": ("NKY", -1.0, 842.0),
}
"""Fund -> the index that it follows, how many times, and its price."""

_AGAINST_DOLLAR = tuple(pair for pair in FX_SMILES if "USD" in pair)
_LISTED_PAIRS = ("EURUSD", "GBPUSD", "AUDUSD")

RECIPES = {
    "cash_balance": Recipe(
        "CSH", 0.005, cash_balances, (Desk("treasury/all/cash", 1, equally(c.code for c in CURRENCIES), 0.8),)
    ),
    "equity_position": Recipe(
        "EQP",
        0.01,
        equity_positions,
        (Desk("equity/us/cash", 2, stocks("US"), 0.8), Desk("equity/world/funds", 1, equally(_FUNDS), 0.7)),
        counterparty=False,
    ),
    "fx_swap": Recipe("FXS", 0.02, fx_swaps, (Desk("fx/g10/swaps", 1, equally(FX_SMILES), 0.5),)),
    "equity_future": Recipe(
        "EQU", 0.01, equity_futures, (Desk("equity/listed/futures", 1, equally(_MULTIPLIERS)),), counterparty=False
    ),
    "commodity_future": Recipe(
        "CMU",
        0.01,
        commodity_futures,
        (Desk("commodity/listed/futures", 1, equally(COMMODITY_BY_NAME)),),
        counterparty=False,
    ),
    "fx_future": Recipe(
        "FXU", 0.005, fx_futures, (Desk("fx/listed/futures", 1, equally(_LISTED_PAIRS)),), counterparty=False
    ),
    "interest_rate_future": Recipe(
        "IRU",
        0.01,
        interest_rate_futures,
        (Desk("rates/listed/shortterm", 1, equally(("USD.SOFR", "EUR.EURIBOR3M", "GBP.SONIA"))),),
        counterparty=False,
    ),
    "bond_future": Recipe(
        "BDU",
        0.01,
        bond_futures,
        (Desk("rates/listed/bonds", 1, equally(("USD.GOVT", "EUR.GOVT", "GBP.GOVT"))),),
        counterparty=False,
    ),
    "future_option": Recipe(
        "FUO",
        0.01,
        future_options,
        (Desk("commodity/listed/options", 1, equally(COMMODITY_BY_NAME)),),
        counterparty=False,
    ),
    "ndf": Recipe("NDF", 0.01, non_deliverable_forwards, (Desk("fx/em/ndfs", 1, equally(_AGAINST_DOLLAR)),)),
}
