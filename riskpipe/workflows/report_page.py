"""How a report becomes one HTML file: templates, style, scripts and data in it, and nothing that is loaded."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from riskpipe.results.time_spent import hours_text

SCRIPTS = ("charts.min.js", "tables.js", "report.js")
"""Apache ECharts, as `make charts` makes it, and what the page does with it."""


def render(values: dict[str, Any], charts: dict[str, Any]) -> str:
    """The page; every value that comes from outside is escaped.

    Its content security policy lets the scripts run that are in this package, known by their hashes, and nothing else;
    nothing is fetched from anywhere.

    :param charts: what scripts draw; JSON.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("riskpipe.workflows"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": _count,
        "money": _money,
        "short": _short,
        "seconds": _seconds,
        "size": _size,
        "hours": hours_text,
        "share": _share,
    }
    scripts = [_asset(name) for name in SCRIPTS]
    page = {
        "style": Markup(_asset("report.css")),
        "scripts": [Markup(script) for script in scripts],
        "policy": _policy(scripts),
        "charts": Markup(script_json(charts)),
    }
    return environment.get_template("report.html.j2").render(values | page)


def script_json(value: Any) -> str:
    """JSON that may stand within a script element: nothing in it can end that, or begin a comment."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _asset(name: str) -> str:
    return (resources.files("riskpipe.workflows") / "templates" / name).read_text("utf-8")


def _policy(scripts: list[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    # Charts and bars set styles of their own elements; a style can fetch nothing here.
    styles = "style-src 'unsafe-inline'"
    return f"default-src 'none'; script-src {allowed}; {styles}; base-uri 'none'; form-action 'none'"


# -- how numbers are written


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _money(value: float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1 or value == 0 else f"{value:,.2g}"
    return re.sub("^-", "−", text)


def _short(value: float) -> str:
    """For axes: two or three digits and a unit."""
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= size:
            return re.sub("^-", "−", f"{value / size:.3g}{unit}")
    return re.sub("^-", "−", f"{value:.3g}")


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 60:
        minutes, seconds = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02} min"
    return f"{value * 1000:.0f} ms" if 0 < value < 0.1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def _size(value: float | None) -> str:
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
