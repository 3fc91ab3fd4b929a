from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market.date_rules import FREQUENCIES
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment
from riskpipe.market.schedules import Schedule, lengths_of, period_count, schedule

EPOCH = 25569
PERIODS = {
    "1W": ql.Period(1, ql.Weeks),
    "4W": ql.Period(4, ql.Weeks),
    "1M": ql.Period(1, ql.Months),
    "2M": ql.Period(2, ql.Months),
    "4M": ql.Period(4, ql.Months),
    "3M": ql.Period(3, ql.Months),
    "6M": ql.Period(6, ql.Months),
    "1Y": ql.Period(1, ql.Years),
    "1T": ql.Period(0, ql.Days),
}
CALENDARS = {
    "weekends": ql.WeekendsOnly(),
    "TARGET": ql.TARGET(),
    "USNY": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "JPTO+GBLO": ql.JointCalendar(ql.Japan(), ql.UnitedKingdom(ql.UnitedKingdom.Settlement)),
}
CONVENTIONS = {
    "unadjusted": ql.Unadjusted,
    "following": ql.Following,
    "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
}


class RandomTrades:
    """Broken first periods, month ends, whole numbers of periods and very short trades."""

    def __init__(self, size: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        start = generator.integers(14000, 24000, size)
        months = generator.choice([1, 3, 6, 12, 24, 60, 120], size)
        month = start.astype("datetime64[D]").astype("datetime64[M]")
        maturity = (month + months).astype("datetime64[D]").astype(int) + generator.integers(0, 31, size)
        exact = generator.random(size) < 0.3
        same_day = start - month.astype("datetime64[D]").astype(int)
        maturity = np.where(exact, (month + months).astype("datetime64[D]").astype(int) + same_day, maturity)
        short = generator.random(size) < 0.1
        maturity = np.where(short, start + generator.integers(4, 70, size), np.maximum(maturity, start + 4))
        self.start, self.maturity = start.astype(np.int32), maturity.astype(np.int32)
        self.frequency = [str(v) for v in generator.choice(FREQUENCIES, size)]
        self.calendar = [str(v) for v in generator.choice(list(CALENDARS), size)]
        self.convention = [str(v) for v in generator.choice(list(CONVENTIONS), size)]

    def schedule(
        self, after: int | None = None, start: Labels | None = None, maturity: Labels | None = None
    ) -> Schedule:
        labels = [Labels.of(names) for names in (self.frequency, self.calendar, self.convention)]
        return schedule(self.start, self.maturity, labels[0], Adjustment(*labels[1:], start, maturity), after=after)

    def quantlib(self, k: int, last: int | None = None) -> list[int]:
        convention = CONVENTIONS[self.convention[k]]
        dates = ql.Schedule(
            ql.Date(int(self.start[k]) + EPOCH),
            ql.Date(int(self.maturity[k]) + EPOCH),
            PERIODS[self.frequency[k]],
            CALENDARS[self.calendar[k]],
            convention,
            convention if last is None else last,
            ql.DateGeneration.Backward,
            False,
        )
        return [date.serialNumber() - EPOCH for date in dates]


def test_periods_are_quantlibs() -> None:
    trades = RandomTrades(2000, 11)
    made = trades.schedule()
    for k in range(2000):
        dates = trades.quantlib(k)
        rows = slice(made.offsets[k], made.offsets[k + 1])
        assert made.start[rows].tolist() == dates[:-1], k
        assert made.end[rows].tolist() == dates[1:], k
    assert made.offsets[-1] == len(made)
    assert np.array_equal(made.trades, np.repeat(np.arange(2000), np.diff(made.offsets)))


def test_a_convention_of_its_own_for_the_maturity() -> None:
    trades = RandomTrades(1000, 16)
    made = trades.schedule(maturity=Labels.constant("unadjusted", 1000))
    for k in range(1000):
        dates = trades.quantlib(k, ql.Unadjusted)
        rows = slice(made.offsets[k], made.offsets[k + 1])
        assert made.start[rows].tolist() == dates[:-1], k
        assert made.end[rows].tolist() == dates[1:], k


def test_a_start_as_given_is_where_the_first_period_begins_and_changes_no_other_date() -> None:
    trades = RandomTrades(1000, 17)
    given, moved = trades.schedule(start=Labels.constant("unadjusted", 1000)), trades.schedule()
    first = given.start[given.offsets[:-1]]
    assert np.array_equal(first, trades.start)
    assert (first != moved.start[moved.offsets[:-1]]).mean() > 0.1
    for k in range(1000):
        ends = [made.end[made.offsets[k] : made.offsets[k + 1]].tolist() for made in (given, moved)]
        # where the start rolls onto the next date, a first period of a few days is left of it
        assert ends[0][-len(ends[1]) :] == ends[1], k
        assert len(ends[0]) - len(ends[1]) <= (ends[0][0] - trades.start[k] < 7), k


def test_unadjusted_dates_are_those_of_an_unadjusted_schedule() -> None:
    trades = RandomTrades(500, 12)
    made = trades.schedule()
    trades.convention = ["unadjusted"] * 500
    plain = trades.schedule()
    same = np.diff(made.offsets) == np.diff(plain.offsets)
    assert same.mean() > 0.95  # adjustment may swallow a first period of a few days
    keep = same[made.trades], same[plain.trades]
    assert np.array_equal(made.unadjusted_end[keep[0]], plain.end[keep[1]])
    assert np.array_equal(made.unadjusted_start[keep[0]], plain.start[keep[1]])


@pytest.mark.parametrize("after", [14000, 16500, 18000, 21003, 30000])
def test_leaving_out_past_periods_changes_nothing_else(after: int) -> None:
    trades = RandomTrades(2000, 13)
    every, late = trades.schedule(), trades.schedule(after=after)
    keep = every.end > after
    assert np.array_equal(late.trades, every.trades[keep])
    for name in ("start", "end", "unadjusted_start", "unadjusted_end"):
        assert np.array_equal(getattr(late, name), getattr(every, name)[keep])


def test_a_trade_does_not_depend_on_its_neighbours() -> None:
    trades = RandomTrades(50, 14)
    made = trades.schedule()
    for k in range(50):
        names = (trades.frequency, trades.calendar, trades.convention)
        frequency, *adjustment = (Labels.of(each[k : k + 1]) for each in names)
        alone = schedule(trades.start[k : k + 1], trades.maturity[k : k + 1], frequency, Adjustment(*adjustment))
        assert np.array_equal(alone.end, made.end[made.offsets[k] : made.offsets[k + 1]])


def test_start_and_maturity_on_one_business_day_make_no_period() -> None:
    saturday = np.array([20414], np.int32)
    frequency, calendar, convention = (Labels.of([name]) for name in ("3M", "TARGET", "following"))
    made = schedule(saturday, saturday + 1, frequency, Adjustment(calendar, convention))
    assert made.offsets.tolist() == [0, 0]


def test_no_trades() -> None:
    empty = np.zeros(0, np.int32)
    made = schedule(empty, empty, Labels.of([]), Adjustment(Labels.of([]), Labels.of([])))
    assert made.offsets.tolist() == [0]


def test_counts_and_frequencies() -> None:
    trades = RandomTrades(500, 15)
    counts = period_count(trades.start, trades.maturity, Labels.of(trades.frequency))
    assert np.all(np.abs(counts - np.diff(trades.schedule().offsets)) <= 1)
    assert lengths_of(Labels.of(["1T", "1Y", "3M", "4W"])).tolist() == [0, 12, 3, -28]
    with pytest.raises(ValueError, match=r"'5M'.*1M, 2M"):
        lengths_of(Labels.of(["5M"]))
    with pytest.raises(ValueError, match="unknown frequency none"):
        lengths_of(Labels.of(["1M", None]))
    # a name that no trade has does no harm
    assert lengths_of(Labels.of(["5M", "1M"]).take(np.array([1]))).tolist() == [1]


def test_periods_before_a_day_are_those_of_the_whole_schedule() -> None:
    random = np.random.default_rng(3)
    n, today = 400, 20_000
    start = (today + random.integers(-3000, 1000, n)).astype(np.int32)
    maturity = (start + random.integers(1, 9000, n)).astype(np.int32)
    frequency = Labels.of([str(f) for f in random.choice(["1M", "3M", "6M", "1Y", "1T"], n)])
    calendar = Labels.of([str(c) for c in random.choice(["TARGET", "weekends"], n)])
    convention = Labels.of([str(c) for c in random.choice(["unadjusted", "following", "modified_following"], n)])
    terms = (start, maturity, frequency, Adjustment(calendar, convention))
    for after in (None, today):
        whole = schedule(*terms, after=after)
        some = schedule(*terms, after=after, before=today + 20)
        kept = whole.start <= today + 20
        assert 0 < kept.sum() < len(kept)
        assert some.trades.tolist() == whole.trades[kept].tolist()
        for name in ("start", "end", "unadjusted_start", "unadjusted_end"):
            assert getattr(some, name).tolist() == getattr(whole, name)[kept].tolist()
