"""Parameters that are times."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from penstock import Flow, errors
from penstock_tasks import DateTimeParameter


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00:00+02:00", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("20260131T080000Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        (datetime(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),  # noqa: DTZ001 - a naive one is what is given
        (date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),
        (None, None),
    ],
    ids=["date", "minutes", "offset", "basic", "naive", "date object", "none"],
)
def test_a_time_is_given_as_iso_8601_and_is_utc_unless_it_says_otherwise(given: Any, expected: datetime | None) -> None:
    with Flow("times") as flow:
        at = DateTimeParameter("at")
    found = flow.run(at=given).result[at].result
    assert found == expected
    assert found is None or found.tzinfo is not None


def test_a_time_may_have_a_default_which_is_read_like_one_that_is_given() -> None:
    with Flow("default") as flow:
        at = DateTimeParameter("at", default="2026-01-31")
    assert flow.run().result[at].result == datetime(2026, 1, 31, tzinfo=UTC)
    assert at.json_schema() == {"format": "date-time", "type": "string"}
    with pytest.raises(errors.ParameterError, match="found 'soon'"):
        DateTimeParameter("later", default="soon")
    with pytest.raises(errors.ParameterError, match=r"found 5$"):
        flow.run(at=5)
