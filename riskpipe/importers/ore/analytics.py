"""ORE's analytics, which are not taken: what an active one asks for is a measure or an input of riskpipe's own."""

from __future__ import annotations

from msgspec import Struct

from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.xml import Element

# What every run has: present values, cash flows, levels of curves, a trade's columns.
_OF_EVERY_RUN = frozenset({"npv", "cashflow", "curves", "portfolioDetails"})
_NONE = "riskpipe has nothing like it"
_INSTEAD = {
    "historicalSimulationVar": (
        "ask for the measure historical_var, with the levels of its days as inputs.history and mporDays as "
        "history.horizon_days"
    ),
    "parametricVar": "ask for the measure delta_gamma_var, with the levels of some days as inputs.history",
    "pnl": "ask for the measure pnl_explain on both days",
    "pnlExplain": "ask for the measure pnl_explain on both days",
    "scenario": "the table factors has today's levels",
    "sensitivity": "ask for sensitivities in measures, with their sizes in bumps",
    "sensitivityStress": "ask for the measure stress, with its shifts in inputs.scenarios",
    "stress": "ask for the measure stress, with its shifts in inputs.scenarios",
    "initialMargin": _NONE,
    "simulation": _NONE,
    "xva": _NONE,
}


class Analytic(Struct, frozen=True):
    """:param files: what it reads besides, as its parameters name it."""

    kind: str
    files: tuple[str, ...]
    place: str


def active_analytics(root: Element) -> tuple[Analytic, ...]:
    """Those of ORE's main file that ask for more than every run of riskpipe has."""
    found = []
    for element in root.all("Analytics", "Analytic"):
        kind = element.attributes.get("type", "")
        given = {e.attributes.get("name", ""): e.text.strip() for e in element.all("Parameter")}
        if kind not in _OF_EVERY_RUN and given.get("active", "").upper() in ("Y", "YES", "TRUE", "1"):
            read = (name for name in given if name.endswith("File") and not name.lower().endswith("outputfile"))
            found.append(Analytic(kind, tuple(filter(None, map(given.get, read))), element.place))
    return tuple(found)


def tell_analytics(analytics: tuple[Analytic, ...], report: Report) -> None:
    for each in analytics:
        unread = f"{', '.join(each.files)} not read; " if each.files else ""
        instead = _INSTEAD.get(each.kind, "ask for measures in riskpipe.yaml")
        report.left_out("analytic", each.kind, each.place, f"{unread}{instead}")
