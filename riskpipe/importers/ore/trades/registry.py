"""Which function converts which trade type, and where its terms are."""

from __future__ import annotations

from typing import Final

from riskpipe.importers.ore.trades import (
    bond_trades,
    commodity_trades,
    credit_trades,
    equity_swap_trades,
    equity_trades,
    fx_barrier_trades,
    fx_trades,
    option_trades,
    rate_trades,
)
from riskpipe.importers.ore.trades.trade import Converter

REGISTRY: Final[dict[str, tuple[str, Converter]]] = {
    "Swap": ("SwapData", rate_trades.swap),
    "CrossCurrencySwap": ("CrossCurrencySwapData", rate_trades.swap),
    "InflationSwap": ("InflationSwapData", rate_trades.swap),
    "ForwardRateAgreement": ("ForwardRateAgreementData", rate_trades.forward_rate_agreement),
    "Swaption": ("SwaptionData", option_trades.swaption),
    "CapFloor": ("CapFloorData", option_trades.cap_floor),
    "FxForward": ("FxForwardData", fx_trades.forward),
    "FxSwap": ("FxSwapData", fx_trades.swap),
    "FxOption": ("FxOptionData", fx_trades.option),
    "FxBarrierOption": ("FxBarrierOptionData", fx_barrier_trades.barrier_option),
    "FxTouchOption": ("FxTouchOptionData", fx_barrier_trades.touch_option),
    "FxDigitalOption": ("FxDigitalOptionData", fx_barrier_trades.digital_option),
    "CreditDefaultSwap": ("CreditDefaultSwapData", credit_trades.default_swap),
    "IndexCreditDefaultSwap": ("IndexCreditDefaultSwapData", credit_trades.index_swap),
    "Bond": ("BondData", bond_trades.bond),
    "EquityForward": ("EquityForwardData", equity_trades.forward),
    "EquityOption": ("EquityOptionData", equity_trades.option),
    "EquityBarrierOption": ("EquityBarrierOptionData", equity_trades.barrier_option),
    "EquitySwap": ("EquitySwapData", equity_swap_trades.swap),
    "CommodityForward": ("CommodityForwardData", commodity_trades.forward),
    "CommodityOption": ("CommodityOptionData", commodity_trades.option),
    "CommoditySwap": ("SwapData", commodity_trades.swap),
}
"""By ORE's trade type: the element with its terms, and what converts it."""
