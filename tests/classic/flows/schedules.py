"""When schedules are due: no flow is run, each scenario notes times in UTC."""

from datetime import datetime, time, timedelta, timezone

from classic import FRAMEWORK, adjustments, clocks, filters, note, refused, scenario, schedules
from dateutil import rrule

if FRAMEWORK == "prefect":
    import pendulum

    pendulum.tz._Timezone = pendulum.tz.timezone.Timezone
UTC = timezone.utc  # noqa: UP017 - Prefect 1 runs on older Pythons
FRIDAY = datetime(2026, 3, 20, 11, 30, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def due(schedule, n=8, after=FRIDAY):
    """Take down the next times of *schedule*."""
    note([one.astimezone(UTC).isoformat() for one in schedule.next(n, after=after)])


def hourly(**more):
    return clocks.IntervalClock(HOUR, start_date=datetime(2026, 1, 1, 0, 5, tzinfo=UTC), **more)


@scenario
def intervals():
    for step in (HOUR, timedelta(minutes=7), DAY, 3 * DAY, timedelta(hours=36)):
        due(schedules.IntervalSchedule(datetime(2026, 1, 1, 9, tzinfo=UTC), step))
        due(schedules.IntervalSchedule(interval=step))
    due(schedules.IntervalSchedule(FRIDAY, DAY, FRIDAY + 2 * DAY), after=FRIDAY - DAY)


@scenario
def crons():
    for text in ("0 6 * * 1-5", "*/7 3 * * *", "0 0 1,15 * *", "30 2 29 2 *", "0 12 13 * 5", "@weekly"):
        due(schedules.CronSchedule(text))
    due(schedules.CronSchedule("0 12 13 * 5", day_or=False))
    due(schedules.CronSchedule("0 0 * * *", FRIDAY + DAY, FRIDAY + 4 * DAY))


@scenario
def clocks_together():
    dates = clocks.DatesClock([FRIDAY + 5 * HOUR, FRIDAY + HOUR, FRIDAY - HOUR])
    due(schedules.Schedule(clocks=[hourly(), clocks.CronClock("*/5 12 * * *"), dates]))
    due(schedules.Schedule([hourly(), hourly()]))
    due(schedules.Schedule([]))


@scenario
def clocks_with_parameters():
    schedule = schedules.Schedule([hourly(parameter_defaults={"x": 1}), clocks.CronClock("40 * * * *", labels=["a"])])
    for event in schedule.next(4, after=FRIDAY, return_events=True):
        note([event.start_time.astimezone(UTC).isoformat(), event.parameter_defaults, event.labels])
        note([event == event.start_time, event < FRIDAY, event > FRIDAY])


@scenario
def clocks_that_meet():
    schedule = schedules.Schedule([hourly(parameter_defaults={"x": 1}), hourly(parameter_defaults={"x": 2})])
    events = schedule.next(6, after=FRIDAY, return_events=True)
    note(sorted([event.start_time.astimezone(UTC).isoformat(), event.parameter_defaults["x"]] for event in events))


@scenario
def times_of_clocks_that_meet():
    due(schedules.Schedule([hourly(parameter_defaults={"x": 1}), hourly(parameter_defaults={"x": 2})]), n=4)


@scenario
def filtered():
    nine, noon = filters.between_times(time(9), time(9, 30)), filters.at_time(time(12, 5))
    due(schedules.Schedule([hourly()], [filters.is_weekday], [nine, noon]))
    due(schedules.Schedule([hourly()], [filters.is_weekend], not_filters=[filters.between_times(time(3), time(23))]))
    for one in (
        filters.on_date(4, 1), filters.between_dates(3, 30, 4, 2), filters.between_dates(12, 30, 1, 2),
        filters.is_month_start, filters.is_month_end, filters.on_datetime(datetime(2026, 4, 1, 0, 5, tzinfo=UTC)),
        filters.between_datetimes(FRIDAY + DAY, FRIDAY + DAY + 2 * HOUR), filters.between_times(time(23), time(1)),
        *[filters.is_day_of_week(day) for day in range(7)],
    ):  # fmt: skip
        due(schedules.Schedule([hourly()], [one]))


@scenario
def never_again():
    due(schedules.Schedule([hourly()], [lambda moment: moment.year > 2030]))


@scenario
def dates_of_one_month_that_end_before_they_begin():
    due(schedules.Schedule([hourly()], [filters.between_dates(3, 22, 3, 21)]))


@scenario
def adjusted():
    daily = clocks.CronClock("0 9 * * *")
    due(schedules.Schedule([daily], [filters.is_weekend], adjustments=[adjustments.add(HOUR)]))
    due(schedules.Schedule([daily], [filters.is_day_of_week(5)], adjustments=[adjustments.next_weekday]))
    shifts = [adjustments.add(DAY), adjustments.next_weekday]
    due(schedules.Schedule([clocks.CronClock("0 9 * * 5")], adjustments=shifts))


@scenario
def a_weekend_that_is_put_off():
    due(schedules.Schedule([clocks.CronClock("0 9 * * *")], adjustments=[adjustments.next_weekday]))


@scenario
def rules():
    start = datetime(2026, 1, 1, 9, tzinfo=UTC)
    for rule in (
        rrule.rrule(rrule.DAILY, dtstart=start),
        rrule.rrule(rrule.WEEKLY, dtstart=start, byweekday=(rrule.MO, rrule.TH)),
        rrule.rrule(rrule.MONTHLY, dtstart=start, bymonthday=-1), rrule.rrule(rrule.HOURLY, dtstart=start, interval=5),
        rrule.rrule(rrule.MONTHLY, dtstart=start, byweekday=rrule.FR(2), count=6),
    ):  # fmt: skip
        due(schedules.RRuleSchedule(rule))
        due(schedules.Schedule([clocks.RRuleClock(rule, end_date=FRIDAY + 9 * DAY)]))


@scenario
def what_cannot_be():
    refused(lambda: clocks.IntervalClock(timedelta(0)))
    refused(lambda: clocks.CronClock("every day"))
    refused(lambda: clocks.DatesClock([]))


@scenario
def what_has_another_type():
    refused(lambda: clocks.IntervalClock(3600))
    refused(lambda: clocks.RRuleClock(3600))
    refused(lambda: schedules.Schedule(3600))


@scenario
def where_they_begin_and_end():
    one, other = hourly(end_date=FRIDAY + 9 * DAY), clocks.CronClock("0 0 * * *", FRIDAY, FRIDAY + DAY)
    schedule = schedules.Schedule([one, other, clocks.CronClock("0 0 * * *")])
    note([one.astimezone(UTC).isoformat() for one in (schedule.start_date, schedule.end_date)])
