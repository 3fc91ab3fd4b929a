"""riskpipe.yaml: the packaged template with the sample's date, paths and conventions filled in."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

from riskpipe.market.factors import days_of
from riskpipe.sample.day_numbers import last_business_days, to_iso
from riskpipe.sample.universe import CURRENCIES, FUTURES, INDICES, SwapIndex

SCHEMA_FILE = "riskpipe.schema.json"


def config_text(
    as_of: date,
    scenarios: int,
    *,
    data: str = "data",
    output: str = "output",
    schema: str = f"./{SCHEMA_FILE}",
    by_point: bool = False,
) -> str:
    """The commented configuration of the nightly run.

    :param data: where the inputs are, from the file's directory.
    :param schema: where the JSON schema is, for editors.
    :param by_point: with sensitivities by point, and blocks that have all of their columns:
        cut, these cost more than twice as much.
    """
    text = files("riskpipe.sample").joinpath("nightly.yaml").read_text(encoding="utf-8")
    values = {
        "SCHEMA": schema,
        "AS_OF": as_of.isoformat(),
        "DATA": data,
        "DAYS": str(scenarios),
        **_days_of_a_stress(as_of, scenarios),
        "OUTPUT": output,
        "BY_POINT": ", bucketed_delta, bucketed_vega" if by_point else "",
        "MAX_SCENARIOS": "8192" if by_point else "1024",
        "MARKET": market_section().rstrip(),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _days_of_a_stress(as_of: date, scenarios: int) -> dict[str, str]:
    """The week before the last, of a history of so many moves; it stays in those of the days around `as_of`."""
    days = last_business_days(days_of(as_of), scenarios + 1)
    return {
        name: to_iso(int(days[-min(back, max(scenarios - 1, 1))]))
        for name, back in (("FIRST_DAY", 10), ("LAST_DAY", 6))
    }


def market_section() -> str:
    """The section `market`: discount curves and index conventions of the sample's market data."""
    currencies = "".join(f"    {c.code}: {{discount_curve: {c.discount_curve}}}\n" for c in CURRENCIES)
    futures = "".join(f"    {name}: {{curve: contracts, roll_days: 1, calendar: XNYS}}\n" for name in FUTURES)
    indices = "".join(f"    {index.name}: {{{_index_fields(index)}}}\n" for index in INDICES)
    return (
        "# What turns factors into curves. Without an entry: discount curve <CCY>.OIS; an index is the\n"
        "# forward curve of its name, a term rate with the leg's day count.\n"
        "market:\n"
        "  credit_model: midpoint      # midpoint | isda\n"
        "  # curves:\n"
        "  #   EUR.ESTR: {interpolation: linear_zero}      # default: log_linear_discount\n"
        "  # surfaces:                                     # EURUSD is quoted in spreads, USDJPY by delta\n"
        "  #   EURUSD: {strangle: market, strike_interpolation: cubic_spline}     # default: smile, linear\n"
        "  currencies:\n"
        f"{currencies}"
        "  indices:\n"
        f"{indices}"
        "  commodities:                # contracts: a price is that of the contract of its date | interpolated\n"
        f"{futures}"
    )


def _index_fields(index: SwapIndex) -> str:
    convention = index.convention
    fields = {
        "curve": convention.curve,
        "overnight": str(convention.overnight).lower(),
        "day_count": convention.day_count,
        "fixing_lag": convention.fixing_lag,
        "calendar": convention.calendar,
    }
    return ", ".join(f"{name}: {value}" for name, value in fields.items())
