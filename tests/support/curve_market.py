"""Curves that riskpipe and QuantLib see alike, for the tests of swaps, bonds and credit default swaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813

from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows

EPOCH = date(1970, 1, 1)
SERIAL_OF_EPOCH = 25569
FAR = 109_000 - SERIAL_OF_EPOCH  # a day that no trade reaches

EURO_INDICES = {
    "TERM": IndexConvention("TERM", "EUR.6M", day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
    "ESTR": IndexConvention("ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET"),
    "LATE": IndexConvention("LATE", "EUR.OIS", overnight=True, day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
}
"""A term rate, an overnight rate, and one that is fixed two days before."""


def day_number(day: date) -> int:
    return (day - EPOCH).days


def ql_date(days: int) -> Any:
    return ql.Date(int(days) + SERIAL_OF_EPOCH)


@dataclass
class CurveMarket:
    """Zero and hazard curves, recoveries and fixings of one day.

    :param curves: (kind, name) -> (pillar days, levels).
    """

    as_of: int
    curves: dict[tuple[str, str], tuple[list[int], list[float]]]
    recoveries: dict[str, float] = field(default_factory=dict)
    fixings: dict[str, dict[int, float]] = field(default_factory=dict)

    def snapshot(self) -> MarketSnapshot:
        rows: list[tuple[str, str, str | None, float]] = []
        for (kind, name), (pillars, levels) in self.curves.items():
            rows += [(kind, name, iso(day), level) for day, level in zip(pillars, levels, strict=True)]
        for index, values in self.fixings.items():
            rows += [("fixing", index, iso(day), value) for day, value in values.items()]
        rows += [("recovery", name, None, value) for name, value in self.recoveries.items()]
        kind, name, tenor, value = zip(*rows, strict=True)
        factor = [":".join(part for part in row[:3] if part) for row in rows]
        columns = {"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value}
        return MarketSnapshot.from_table(pa.table(columns), self.as_of)

    def model(self, conventions: Conventions | None = None, horizon_days: int = 0) -> MarketModel:
        return MarketModel(self.snapshot(), conventions or Conventions(), horizon_days)

    def logarithms(self, kind: str, name: str, today: int) -> tuple[list[Any], np.ndarray]:
        """QuantLib dates and minus logarithms of discount (survival) factors, log-linear between them."""
        pillars, levels = self.curves[kind, name]
        days = np.array([today, *(day for day in pillars if day > today), FAR])
        living = [level for day, level in zip(pillars, levels, strict=True) if day > today]
        rates = np.array([0.0, *living, living[-1]])
        return [ql_date(day) for day in days], rates * (days - today) / 365.0

    def discount(self, name: str, today: int | None = None) -> Any:
        dates, logarithms = self.logarithms("zero_rate", name, self.as_of if today is None else today)
        curve = ql.DiscountCurve(dates, np.exp(-logarithms).tolist(), ql.Actual365Fixed())
        return ql.YieldTermStructureHandle(curve)

    def survival(self, name: str, today: int | None = None) -> Any:
        dates, logarithms = self.logarithms("hazard_rate", name, self.as_of if today is None else today)
        times = np.array([date.serialNumber() for date in dates]) / 365.0
        hazards = np.diff(logarithms) / np.diff(times)
        curve = ql.HazardRateCurve(dates, [float(hazards[0]), *hazards.tolist()], ql.Actual365Fixed())
        return ql.DefaultProbabilityTermStructureHandle(curve)

    def shocked(self, random: np.random.Generator) -> CurveMarket:
        """The same points at other levels."""
        curves = {
            key: (
                pillars,
                [level + shift for level, shift in zip(levels, random.normal(0, 0.003, len(levels)), strict=True)],
            )
            for key, (pillars, levels) in self.curves.items()
            if key[0] == "zero_rate"
        }
        curves |= {
            key: (pillars, [level * random.uniform(0.95, 1.05) for level in levels])
            for key, (pillars, levels) in self.curves.items()
            if key[0] == "hazard_rate"
        }
        recoveries = {name: value * random.uniform(0.5, 1.5) for name, value in self.recoveries.items()}
        return CurveMarket(self.as_of, curves, recoveries, self.fixings)


def iso(day: int) -> str:
    return (EPOCH + timedelta(days=int(day))).isoformat()


class Rates:
    """What the tests share."""

    Market = CurveMarket
    day_number = staticmethod(day_number)
    ql_date = staticmethod(ql_date)
    iso = staticmethod(iso)

    calendars: ClassVar[dict[str, Any]] = {
        "weekends": ql.WeekendsOnly(),
        "TARGET": ql.TARGET(),
        "USNY": ql.UnitedStates(ql.UnitedStates.FederalReserve),
        "TARGET+USNY": ql.JointCalendar(ql.TARGET(), ql.UnitedStates(ql.UnitedStates.FederalReserve)),
        "GBLO": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    }
    conventions: ClassVar[dict[str, Any]] = {
        "unadjusted": ql.Unadjusted,
        "following": ql.Following,
        "modified_following": ql.ModifiedFollowing,
        "preceding": ql.Preceding,
    }
    day_counts: ClassVar[dict[str, Any]] = {
        "ACT/360": ql.Actual360(),
        "ACT/365F": ql.Actual365Fixed(),
        "ACT/ACT": ql.ActualActual(ql.ActualActual.ISDA),
        "30/360": ql.Thirty360(ql.Thirty360.BondBasis),
        "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis),
        "30U/360": ql.Thirty360(ql.Thirty360.USA),
    }
    coupon_day_counts: ClassVar[dict[str, Any]] = day_counts | {
        "ACT/364": ql.Actual364(),
        "NL/365": ql.Actual365Fixed(ql.Actual365Fixed.NoLeap),
        "ACT/ACT AFB": ql.ActualActual(ql.ActualActual.AFB),
        "ACT/ACT ICMA": ql.ActualActual(ql.ActualActual.ISMA),
    }
    periods: ClassVar[dict[str, Any]] = {
        "1M": ql.Period(1, ql.Months),
        "3M": ql.Period(3, ql.Months),
        "6M": ql.Period(6, ql.Months),
        "1Y": ql.Period(1, ql.Years),
        "1T": ql.Period(0, ql.Days),
    }

    @classmethod
    def fixed_day_counts(cls, random: np.random.Generator, frequency: Sequence[str]) -> list[str]:
        """Of fixed coupons; QuantLib guesses how many months a single period by ACT/ACT ICMA has."""
        names = random.choice(list(cls.coupon_day_counts), len(frequency)).tolist()
        guessed = [name == "ACT/ACT ICMA" and of == "1T" for name, of in zip(names, frequency, strict=True)]
        return [str(name) for name in np.where(guessed, "ACT/364", names)]

    @staticmethod
    def trades(product: Product, columns: dict[str, Any]) -> Trades:
        """A canonical table that keeps the product's own rules."""
        size = len(next(iter(columns.values())))
        common = {"trade_id": [f"T{k}" for k in range(size)], "book": ["rates"] * size}
        dates = {
            name: pa.array(np.asarray(values, np.int32)).cast(pa.date32())
            for name, values in columns.items()
            if name.endswith("_date") and not any(isinstance(value, date) for value in values)
        }
        table = canonical(pa.table({**common, **columns, **dates}), product)
        trades = Trades(table)
        assert check_rows(trades, product) == []
        return trades

    @staticmethod
    def chooser(random: np.random.Generator, size: int) -> Callable[[Iterable[str]], list[str]]:
        """A function that draws `size` of some names."""
        return lambda names: [str(name) for name in random.choice(list(names), size)]

    @staticmethod
    def bond_value(bond: Any, curve: Any, survival: Any = None, recovery: float = 0.4) -> float:
        """Of a bond whose issuer may default, where `survival` is given."""
        safe = survival is None
        engine = ql.DiscountingBondEngine(curve) if safe else ql.RiskyBondEngine(survival, recovery, curve)
        bond.setPricingEngine(engine)
        return float(bond.NPV())

    @classmethod
    def schedule(
        cls,
        start: int,
        maturity: int,
        frequency: str,
        calendar: str,
        convention: str,
        last: str | None = None,
    ) -> Any:
        return ql.Schedule(
            ql_date(start),
            ql_date(maturity),
            cls.periods[frequency],
            cls.calendars[calendar],
            cls.conventions[convention],
            cls.conventions[last or convention],
            ql.DateGeneration.Backward,
            False,
        )

    @staticmethod
    def random_dates(
        random: np.random.Generator, size: int, as_of: int, years: int = 12
    ) -> tuple[np.ndarray, np.ndarray]:
        """A third each seasoned, starting about now and forward starting; half with whole years, half broken.

        Of many trades the last four are the extremes: two of one day and two of fifty years.
        """
        kind = random.integers(0, 3, size)
        offset = np.choose(
            kind,
            [random.integers(-1500, 0, size), random.integers(-5, 6, size), random.integers(6, 700, size)],
        )
        start = as_of + offset
        month = start.astype("datetime64[D]").astype("datetime64[M]")
        day = start - month.astype("datetime64[D]").astype(int)
        whole = (month + 12 * random.integers(1, years, size)).astype("datetime64[D]").astype(int) + day
        broken = start + random.integers(40, 365 * years, size)
        maturity = np.where(random.random(size) < 0.5, whole, broken)
        maturity = np.maximum(maturity, np.maximum(as_of + random.integers(1, 100, size), start + 10))
        if size >= 100:
            tuesday = as_of + 7 + (5 - as_of) % 7  # 1970-01-01 was a Thursday
            start[-4:] = [tuesday, tuesday + 7, as_of - 100, as_of + 40]
            maturity[-4:] = [tuesday + 1, tuesday + 8, as_of + 18_250, as_of + 40 + 18_262]
        return start, maturity
