"""ORE's market as riskpipe's: points, and the conventions that turn them into curves and surfaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.importers.book import Book
from riskpipe.importers.import_report import LeftOutError, Report
from riskpipe.importers.ore.convention_files import Conventions
from riskpipe.importers.ore.cross_currency import spot_date
from riskpipe.importers.ore.curve_configurations import CurveConfigurations
from riskpipe.importers.ore.fixings import Fixings
from riskpipe.importers.ore.growing_curves import Curve
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.kept_quotes import kept_quotes
from riskpipe.importers.ore.market_configuration import TodaysMarket
from riskpipe.importers.ore.pricing_engines import PricingEngines
from riskpipe.importers.ore.projected_index import ProjectedIndex
from riskpipe.importers.ore.quote_lines import Quotes
from riskpipe.importers.ore.quoted_dates import number
from riskpipe.importers.ore.setup import Setup
from riskpipe.importers.ore.stripped_caps import Optionlets
from riskpipe.importers.ore.yield_curves import YieldCurve, YieldCurves
from riskpipe.market.factors import date_of, days_of

QUOTES_BECAME_RATES = "its quotes became zero rates, by ORE's conventions"


class OreMarket:
    """What trades may ask of ORE's market; what they ask for is put into the book, once.

    :ivar built: yield curves by their names in the book.
    :ivar price_indices: by their names in the book.
    :ivar stripped: volatilities of single rates, by surface of caps.
    """

    def __init__(self, setup: Setup, book: Book, report: Report) -> None:
        self.setup, self.book, self.report = setup, book, report
        self.as_of = days_of(setup.as_of)
        self.configurations = CurveConfigurations(setup.existing("curveConfigFile"))
        self.conventions = Conventions(setup.existing("conventionsFile"))
        self.todays = TodaysMarket(setup.need("marketConfigFile"), setup.configuration)
        self.quotes = Quotes(setup.need("marketDataFile"), setup.as_of, report)
        self.fixings = Fixings(setup.path("fixingDataFile"), setup.as_of, report)
        self.engines = PricingEngines(setup.path("pricingEnginesFile"))
        self.curves = YieldCurves(
            self.as_of,
            self.quotes,
            self.conventions,
            self.configurations.yield_curves(),
            self.fixings.today,
            lambda currency: self.todays.curve("DiscountingCurves", currency),
        )
        self.stripped: dict[str, Optionlets] = {}
        self.price_indices: dict[str, ProjectedIndex] = {}
        self.built: dict[str, Curve] = {}
        self._done: dict[tuple[str, str], str | LeftOutError] = {}

    def once(self, kind: str, name: str, place: str, make: Callable[[], str]) -> str:
        """What `make` puts into the book, once, and its name there; a failure is in the report.

        :raises LeftOutError: it could not be made.
        """
        key = (kind, name)
        if key not in self._done:
            try:
                self._done[key] = make()
            except LeftOutError as error:
                self._done[key] = error
                self.report.left_out(kind, name, place, str(error))
        found = self._done[key]
        if isinstance(found, LeftOutError):
            raise LeftOutError(f"{kind} {name}: {found}")
        return found

    # --- curves ---
    def curve(self, curve_id: str) -> str:
        """The name of a yield curve."""
        return self.once("curve", curve_id, self.curves.place(curve_id), lambda: self._curve(curve_id))

    def _curve(self, curve_id: str) -> str:
        found = self.curves.get(curve_id)
        name = _name(curve_id)
        self.built[name] = found.curve
        element = self.curves.configured(curve_id)
        discount = element.get("DiscountCurve") or curve_id
        others = {} if discount == curve_id else {self.curve(discount): self.curves.get(discount).curve}
        kept = kept_quotes(name, found, element, self.quotes, self.conventions, others)
        forward = "flat_forward" if len(found.curve.days) > 1 else None
        self.book.convention("curves", name, extrapolation=forward, **(kept.settings if kept is not None else {}))
        if kept is not None:
            for row in kept.rows:
                self.book.points.setdefault(str(row["factor"]), dict(row))
            self.report.taken("curve", curve_id, found.place, f"{len(kept.rows)} quotes")
            return name
        for day, zero in zip(found.curve.days.tolist(), found.curve.zeros.tolist(), strict=True):
            tenor = date_of(day).isoformat()
            self.book.point("zero_rate", name, zero, tenor, currency=found.currency, tenor=tenor)
        self.report.add("curve", curve_id, found.place, _remarks(found))
        return name

    def discount_curve(self, currency: str) -> str:
        name = self.curve(self.todays.curve("DiscountingCurves", currency))
        self.book.convention("currencies", currency, discount_curve=name)
        return name

    def yield_curve(self, name: str) -> str:
        """A curve by the name that today's market has for it; "" asks for none."""
        if self.todays.find("YieldCurves", name):
            return self.curve(self.todays.curve("YieldCurves", name))
        return self.curve(self.todays.curve("IndexForwardingCurves", name))

    def index(self, name: str) -> str:
        """A floating-rate index, with its curve and its fixings."""
        place = self.todays.place("IndexForwardingCurves", name)
        return self.once("index", name, place, lambda: self._index(name))

    def _index(self, name: str) -> str:
        index = index_of(name)
        curve = self.curve(self.todays.curve("IndexForwardingCurves", name))
        self.book.convention(
            "indices",
            name,
            curve=curve,
            overnight=index.overnight or None,
            day_count=index.day_count,
            fixing_lag=None if index.overnight else index.fixing_days or None,
            calendar=index.calendar,
        )
        lines = list(self.fixings.of(name))
        for line in lines:
            self.book.point("fixing", name, line.value, line.day.isoformat(), tenor=line.day.isoformat())
        self.report.taken("index", name, self.todays.place("IndexForwardingCurves", name))
        if lines:
            self.report.taken("fixings", name, lines[0].place, f"{len(lines)}")
        return name

    def overnight(self, index: str) -> bool:
        return index_of(index).overnight

    def fixing_days(self, index: str) -> int:
        return index_of(index).fixing_days

    # --- exchange rates ---
    def spot(self, one: str, other: str) -> None:
        """What the exchange rate of two currencies is made of: their pair, or each one's with a third currency."""
        if one == other:
            return
        pairs = self.todays.names("FxSpots")
        for pair in (one + other, other + one):
            if pair in pairs:
                self._spot_of(pair)
                return
        for third in dict.fromkeys([self.book.base_currency, "EUR", "USD", *(pair[:3] for pair in pairs)]):
            found = [next((p for p in (c + third, third + c) if p in pairs), "") for c in (one, other)]
            if all(found):
                for pair in found:
                    self._spot_of(pair)
                return
        raise LeftOutError(f"today's market has no exchange rate of {one} and {other}")

    def reset(self, rate: str, foreign: str, own: str) -> float:
        """What notionals that follow an exchange rate ask for: the rate, its discount curves, its fixings.

        :param rate: ORE's index, such as FX-ECB-EUR-USD.
        :returns: its forwards over the book's: by its own conventions the spot may be for another day than the pair's.
        """
        self.spot(foreign, own)
        for currency in (foreign, own):
            self.discount_curve(currency)
        for index in self.fixings.indices:
            base, quoted = _rates_of(index)
            if {base, quoted} == {foreign, own}:
                for line in self.fixings.of(index):
                    tenor = line.day.isoformat()
                    self.book.point("fixing", base + quoted, line.value, tenor, tenor=tenor)
        days = [number(spot_date(self.conventions, (foreign, own), self.as_of, name=name)) for name in (rate, "")]
        grown, paid = (self._factors(currency, days) for currency in (foreign, own))
        return float(paid[0] / grown[0] * grown[1] / paid[1])

    def _factors(self, currency: str, days: list[int]) -> FloatArray:
        return self.curves.get(self.todays.curve("DiscountingCurves", currency)).curve.discount(np.array(days))

    def _spot_of(self, pair: str) -> None:
        self.once("spot", pair, self.todays.place("FxSpots", pair), lambda: self._spot(pair))

    def _spot(self, pair: str) -> str:
        specification = self.todays.find("FxSpots", pair).split("/")
        base, quoted = specification[1], specification[2]
        line = self.quotes.find(f"FX/RATE/{base}/{quoted}")
        rate = line.value if line is not None else 1.0 / self.quotes.get(f"FX/RATE/{quoted}/{base}").value
        settled = number(spot_date(self.conventions, (base, quoted), self.as_of))
        place = line.place if line is not None else ""
        today = rate
        if settled > self.as_of:
            factors = [self._factors(currency, [settled])[0] for currency in (base, quoted)]
            today = float(rate * factors[1] / factors[0])
            self.report.turned("spot", pair, place, f"quoted for {date_of(settled)}; the book has today's rate")
        else:
            self.report.taken("spot", pair, place)
        self.book.point("spot", base + quoted, today, currency=quoted)
        return base + quoted


def _rates_of(index: str) -> tuple[str, str]:
    """The currencies of FX-ECB-EUR-USD; "" and "" where it is no exchange rate."""
    parts = index.split("-")
    return (parts[2], parts[3]) if len(parts) == 4 and parts[0] == "FX" else ("", "")


def _name(curve_id: str) -> str:
    """Colons divide the parts of a factor's id."""
    return curve_id.replace(":", ".")


def _remarks(found: YieldCurve) -> list[str]:
    missing = [f"without {len(found.missing)} optional quotes that are not there"] if found.missing else []
    return [QUOTES_BECAME_RATES, *missing]
