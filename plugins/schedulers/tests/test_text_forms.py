"""Schedules as people write them, wherever one is taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Flow, errors, get_backend
from penstock.hooks import manager
from penstock.schedules import Schedule
from penstock_schedulers import ClockSchedule, CronSchedule, IntervalSchedule, RRuleSchedule

RULES = "DTSTART:20260105T090000 RRULE:FREQ=WEEKLY"
MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 6 * * 1-5", CronSchedule("0 6 * * 1-5")),
        ("0 6 * * 1-5 Europe/Paris", CronSchedule("0 6 * * 1-5", timezone="Europe/Paris")),
        ("  0  6 * *  mon-fri   UTC ", CronSchedule("0 6 * * mon-fri")),
        ("0 6 1 JAN MON EST", CronSchedule("0 6 1 JAN MON", timezone="EST")),
        ("@daily", CronSchedule("@daily")),
        ("@Hourly America/Argentina/Ushuaia", CronSchedule("@Hourly", timezone="America/Argentina/Ushuaia")),
        ("every 10 minutes", IntervalSchedule(10 * MINUTES)),
        ("Every minute", IntervalSchedule(MINUTES)),
        ("every day Asia/Kathmandu", IntervalSchedule(timedelta(days=1), timezone="Asia/Kathmandu")),
        ("every 2 weeks, 1 day and 3 hours", IntervalSchedule(timedelta(weeks=2, days=1, hours=3))),
        ("every 1h30m", IntervalSchedule(90 * MINUTES)),
        ("every 0.5 s CET", IntervalSchedule(timedelta(seconds=0.5), timezone="CET")),
        (RULES, RRuleSchedule(RULES)),
    ],
)
def test_text_stands_for_a_schedule(text: str, expected: Schedule) -> None:
    assert Schedule.resolve(text) == expected
    assert Flow("x", schedule=text).schedule == expected


@given(
    st.integers(1, 10**6), st.sampled_from([("s", 1), ("minutes", 60), ("Hour", 3600), ("d", 86400), ("weeks", 604800)])
)
def test_any_number_of_any_unit_is_an_interval(number: int, unit: tuple[str, int]) -> None:
    expected = IntervalSchedule(timedelta(seconds=number * unit[1]))
    assert Schedule.resolve(f"every {number} {unit[0]}") == expected


def test_text_stands_wherever_a_schedule_does() -> None:
    flow = Flow("x")
    flow.schedule = "every 10 minutes"
    assert flow.schedule is not None
    assert flow.schedule.next(1, datetime(2026, 1, 1, tzinfo=UTC)) == [datetime(2026, 1, 1, 0, 10, tzinfo=UTC)]
    flow.schedule = {"type": "cron", "cron": "@daily"}
    assert flow.schedule == CronSchedule("@daily")
    clocks: Any = ["@daily Europe/Paris", "every 6 hours"]
    both = ClockSchedule(clocks)
    assert both.clocks == [CronSchedule("@daily", timezone="Europe/Paris"), IntervalSchedule(timedelta(hours=6))]
    assert Schedule.restore(both.spec()) == both
    assert Schedule.resolve("@daily", labels=["gpu"], timezone="CET") == CronSchedule(
        "@daily", labels={"gpu"}, timezone="CET"
    )


def test_a_flow_that_was_given_text_is_registered_and_scheduled() -> None:
    flow = Flow("x", schedule="0 6 * * 1-5 Europe/Paris")
    assert flow.register("tutorial")
    store = get_backend()
    assert store.get_flow("tutorial", "x").spec["schedule"]["options"] == {
        "cron": "0 6 * * 1-5",
        "timezone": "Europe/Paris",
    }
    assert store.schedule_due(datetime(2026, 3, 20, 12, tzinfo=UTC), ahead=1) == 1
    store.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "evry 10 minutes",
            r"No schedule is written 'evry 10 minutes'; expected one of\n(.*\n)*.*\"every 10 minutes\"",
        ),
        ("", "No schedule is written ''"),
        ("weekly", 'No plugin offers a schedule "weekly". Text of a schedule is one of\n'),
        ("every two hours", "No interval is written 'every two hours'; expected a number and a unit"),
        ("every", "No interval is written"),
        ("every 10 minutes past the hour", "No interval is written"),
        ("every 0 minutes", 'option "interval" of schedule "interval": .*greater than 0'),
        ("every 99999999999999999999 weeks", "too long"),
        ("0 0 6 * * 1", "it has 6 fields; expected 5.*Seconds have no field"),
        ("0 0 6 * * MON", "it has 6 fields; expected 5"),
        ("0 6 * * Europe/Paris", "it has 4 fields; expected 5"),
        ("0 0 31 2 *", "never comes"),
        ("@daily Europe/Pari", "no such time zone.*Did you mean Europe/Paris"),
        ("every 10 minutes Mars/Base", "no such time zone"),
        ("RRULE:FREQ=DAILY", "does not say when its rules begin"),
    ],
)
def test_other_text_is_refused_showing_what_is_expected(text: str, words: str) -> None:
    with pytest.raises(errors.PenstockError, match=words):
        Schedule.resolve(text)
    with pytest.raises(errors.PenstockError):
        Flow("x", schedule=text)


def test_two_zones_are_one_too_many() -> None:
    assert Schedule.resolve("@daily CET", timezone="CET") == CronSchedule("@daily", timezone="CET")
    with pytest.raises(errors.ScheduleError, match="names the time zone CET, and UTC was given"):
        Schedule.resolve("@daily CET", timezone="UTC")


def test_a_mapping_of_an_unknown_type_is_no_text() -> None:
    with pytest.raises(errors.UnknownTypeError, match="Did you mean cron"):
        Schedule.resolve({"type": "crom"})


def test_without_the_plugin_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_registry", manager.Registry())
    with pytest.raises(errors.PluginMissingError, match="penstock-schedulers"):
        Flow("x", schedule="every 10 minutes")
