"""scenarios.parquet: a few named stresses, by globs over the factors and with every type of shift."""

from __future__ import annotations

import pyarrow as pa

Shift = tuple[str, str, float]

STRESSES: dict[str, tuple[Shift, ...]] = {
    # Autumn 2008 in one day: stocks halve, vols double, spreads triple, yields fall, dollar and yen gain.
    "equity_crash_2008": (
        ("spot:*_*_*", "log", -0.55),
        ("spot:SPX", "log", -0.48),
        ("spot:NDX", "log", -0.50),
        ("spot:RUT", "log", -0.54),
        ("spot:SX5E", "log", -0.52),
        ("spot:DAX", "log", -0.50),
        ("spot:UKX", "log", -0.44),
        ("spot:NKY", "log", -0.53),
        ("spot:SMI", "log", -0.40),
        ("spot:AS51", "log", -0.46),
        ("spot:OMX", "log", -0.52),
        ("black_vol:*", "relative", 1.00),
        ("fx_vol:*", "relative", 0.70),
        ("hazard_rate:*", "relative", 2.00),
        ("zero_rate:*", "absolute", -0.0100),
        ("spot:USDJPY", "relative", -0.12),
        ("spot:EURUSD", "relative", -0.10),
    ),
    "rates_up_200": (("zero_rate:*", "absolute", 0.0200),),
    # A later row wins on the same point: the short ends move by their own amount.
    "bear_steepening": (
        ("zero_rate:*", "absolute", 0.0100),
        ("zero_rate:*:1M", "absolute", 0.0),
        ("zero_rate:*:3M", "absolute", 0.0005),
        ("zero_rate:*:6M", "absolute", 0.0010),
        ("zero_rate:*:1Y", "absolute", 0.0025),
        ("zero_rate:*:2Y", "absolute", 0.0040),
    ),
    "usd_rally": (
        ("spot:EURUSD", "set", 1.00),
        ("spot:GBPUSD", "relative", -0.12),
        ("spot:AUDUSD", "relative", -0.15),
        ("spot:USDJPY", "relative", 0.12),
        ("spot:USDCHF", "relative", 0.10),
        ("spot:USDCAD", "relative", 0.09),
        ("spot:USDSEK", "relative", 0.15),
        ("fx_vol:*", "absolute", 0.03),
    ),
    "credit_widening": (
        ("hazard_rate:*", "relative", 1.00),
        ("hazard_rate:*_BANK_*", "relative", 1.80),
    ),
    "oil_spike": (
        ("forward_price:WTI*:*", "relative", 0.60),
        ("forward_price:BRENT:*", "relative", 0.60),
        ("forward_price:TTF:*", "relative", 0.40),
        ("black_vol:WTI*:*", "absolute", 0.20),
        ("black_vol:BRENT:*", "absolute", 0.20),
    ),
    "vol_spike": (
        ("black_vol:*", "relative", 0.50),
        ("fx_vol:*", "relative", 0.50),
    ),
    # March 2020: everything at once, oil worst of all.
    "combined_covid_2020": (
        ("spot:*_*_*", "log", -0.38),
        ("spot:SPX", "log", -0.34),
        ("spot:NDX", "log", -0.28),
        ("spot:RUT", "log", -0.43),
        ("spot:SX5E", "log", -0.38),
        ("spot:DAX", "log", -0.38),
        ("spot:UKX", "log", -0.35),
        ("spot:NKY", "log", -0.31),
        ("spot:SMI", "log", -0.26),
        ("spot:AS51", "log", -0.37),
        ("spot:OMX", "log", -0.33),
        ("black_vol:*", "relative", 0.90),
        ("black_vol:*:1M:*", "relative", 1.60),
        ("fx_vol:*", "relative", 0.60),
        ("forward_price:WTI*:*", "log", -0.70),
        ("forward_price:BRENT:*", "log", -0.60),
        ("forward_price:COPPER:*", "log", -0.20),
        ("zero_rate:USD.*", "absolute", -0.0110),
        ("zero_rate:GBP.*", "absolute", -0.0060),
        ("zero_rate:EUR.*", "absolute", -0.0030),
        ("hazard_rate:*", "relative", 1.20),
        ("spot:AUDUSD", "relative", -0.13),
        ("spot:GBPUSD", "relative", -0.10),
        ("spot:USDSEK", "relative", 0.08),
    ),
}  # fmt: skip


def stress_table() -> pa.Table:
    """scenario, factor, shift_type, shift: a row for every shift, in the order in which they apply."""
    rows = [(name, *shift) for name, shifts in STRESSES.items() for shift in shifts]
    scenario, factor, shift_type, shift = zip(*rows, strict=True)
    return pa.table(
        {"scenario": scenario, "factor": factor, "shift_type": shift_type, "shift": shift},
        schema=pa.schema(
            [
                ("scenario", pa.string()),
                ("factor", pa.string()),
                ("shift_type", pa.string()),
                ("shift", pa.float64()),
            ]
        ),
    )
