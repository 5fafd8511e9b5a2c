"""Parameters of particular types."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from penstock import Parameter, errors
from penstock.tasks.signatures import no_default


class DateTimeParameter(Parameter[datetime]):
    """A time: given as a datetime, a date or ISO 8601 text, UTC unless it says otherwise; None stays None."""

    def __init__(
        self, name: str, default: Any = no_default, *, required: bool | None = None, tags: Iterable[str] | None = None
    ) -> None:
        """Make a parameter and add it to the flow whose block this is in."""
        super().__init__(name, default, required=required, type=datetime, tags=tags)
        self.default: Any = self.validate(self.default)

    def validate(self, value: Any) -> datetime | None:
        """Return the time, of a date its beginning; raises ParameterError for what is no date and not ISO 8601."""
        if value is None:
            return None
        failure = f'parameter "{self.name}" must be a datetime or text such as 2026-01-31T08:00; found {value!r}'
        if not isinstance(value, date | str):
            raise errors.ParameterError(failure)
        with errors.told_as(errors.ParameterError, failure, ValueError):
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
