"""A schedule made of clocks: what they say together, without what filters leave out, moved by adjustments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush, merge
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator
from pydantic_core import PydanticCustomError

from penstock import errors
from penstock.hooks import kinds
from penstock.schedules import ClockEvent, Schedule
from penstock_schedulers import rules
from penstock_schedulers.planned import Coming, Planned, PlannedSchedule, coming

EXAMINED: Final = 10_000
"""So many events of the clocks are looked at to answer one question; what lies behind them is not seen."""


def _clock(given: Any) -> Schedule:
    if not isinstance(given, Schedule | kinds.KindSpec | Mapping | str):
        raise PydanticCustomError("clock", "expected a clock such as CronClock('@daily')")
    return Schedule.resolve(given)


def _function(kind: str, given: Any) -> Callable[[datetime], Any]:
    if isinstance(given, rules.Rule):
        message = f"it needs its arguments: {given.call}"
        raise PydanticCustomError("arguments", "{message}", {"message": message})
    try:
        function: Callable[[datetime], Any] = given if callable(given) else rules.find(kind, given)
    except (errors.ScheduleError, errors.SettingsError, TypeError) as error:
        raise PydanticCustomError("function", "{message}", {"message": str(error)}) from error
    return function


Data: TypeAlias = Mapping[str, Any] | str
"""A function as it travels: its name, or `{"name": ..., "arguments": {...}}`."""
Clock = Annotated[Schedule, BeforeValidator(_clock), PlainSerializer(kinds.dump)]
Filter = Annotated[
    Callable[[datetime], bool],
    BeforeValidator(partial(_function, "filter")),
    PlainSerializer(partial(rules.as_data, "filter")),
]
Adjustment = Annotated[
    Callable[[datetime], datetime],
    BeforeValidator(partial(_function, "adjustment")),
    PlainSerializer(partial(rules.as_data, "adjustment")),
]


class ClockSchedule(PlannedSchedule):
    """Due when one of its clocks is: `Schedule(clocks=[IntervalClock(...), CronClock(...)], filters=[is_weekday])`.

    A clock is any other schedule. Of the times they name, those are due that pass all of `filters`, one of `or_filters`
    if there are any, and none of `not_filters`; the `adjustments` are then applied in their order. Each event is due
    once; two at one time that have other parameters or labels are two. After ten thousand times of the clocks that were
    looked at in vain, none is taken to follow.
    """

    type: ClassVar[str] = "clocks"
    positional: ClassVar[tuple[str, ...]] = ("clocks", "filters", "or_filters", "not_filters", "adjustments")

    clocks: list[Clock] = Field(description="schedules whose times are merged")
    filters: list[Filter] = Field(default_factory=list, description="what a time has to fulfil")
    or_filters: list[Filter] = Field(default_factory=list, description="what a time has to fulfil one of")
    not_filters: list[Filter] = Field(default_factory=list, description="what a time may not fulfil")
    adjustments: list[Adjustment] = Field(default_factory=list, description="how a time is changed")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            clocks: Sequence[Schedule | str],
            filters: Sequence[Callable[[datetime], bool] | Data] | None = None,
            or_filters: Sequence[Callable[[datetime], bool] | Data] | None = None,
            not_filters: Sequence[Callable[[datetime], bool] | Data] | None = None,
            adjustments: Sequence[Callable[[datetime], datetime] | Data] | None = None,
        ) -> None: ...

    @classmethod
    def from_text(cls, text: str, **options: Any) -> Schedule:
        """Return the schedule that *text* stands for: `"0 6 * * 1-5 Europe/Paris"`, `"every 10 minutes"`.

        Raises ScheduleError showing the forms, UnknownTypeError for a word that may be meant as a type.
        """
        from penstock_schedulers import text as texts

        return texts.read(text, **options)

    @property
    def start_date(self) -> datetime | None:
        """The earliest start of its clocks, of those that have one."""
        return min(self._dates("start_date"), default=None)

    @property
    def end_date(self) -> datetime | None:
        """The latest end of its clocks, of those that have one."""
        return max(self._dates("end_date"), default=None)

    @property
    def most_jitter(self) -> timedelta:
        """The largest jitter of its clocks."""
        return max(
            (clock.most_jitter for clock in self.clocks if isinstance(clock, PlannedSchedule)), default=timedelta(0)
        )

    def coming(self, after: datetime) -> Coming:
        """Yield the events of the clocks that pass the filters, at their adjusted times."""
        due: list[ClockEvent] = []  # at the time that was told last
        for planned in self._adjusted(after):
            event = planned.event
            if due and due[0].start_time != event.start_time:
                due.clear()
            if event.start_time > after and event not in due:
                due.append(event)
                yield planned

    def spec(self) -> kinds.KindSpec:
        """Return this schedule as data; raises ScheduleError for a function that no plugin registers."""
        for clock in self.clocks:
            clock.spec()
        for function in (*self.filters, *self.or_filters, *self.not_filters):
            rules.as_data("filter", function)
        for adjustment in self.adjustments:
            rules.as_data("adjustment", adjustment)
        return super().spec()

    def _dates(self, name: str) -> list[datetime]:
        return [date for clock in self.clocks if (date := getattr(clock, name, None)) is not None]

    def _adjusted(self, after: datetime) -> Coming:
        """Yield events in the order of their adjusted times, from *after* or a little before."""
        moves = [rules.moves(adjustment) for adjustment in self.adjustments]
        least, most = (sum((bounds[side] for bounds in moves), timedelta(0)) for side in (0, 1))
        waiting: list[tuple[datetime, int, Planned]] = []
        try:
            for number, planned in enumerate(self._chosen(after, after - most)):
                moment = self._adjust(planned.moment)
                time = moment.astimezone(UTC)
                adjusted = replace(planned, event=replace(planned.event, start_time=time), moment=moment)
                heappush(waiting, (time, number, adjusted))
                while waiting and waiting[0][0] <= planned.event.start_time + least:  # no later event moves before it
                    yield heappop(waiting)[-1]
        except OverflowError:  # past the year 9999 there are no dates
            pass
        yield from (found for _, _, found in sorted(waiting))

    def _chosen(self, after: datetime, since: datetime) -> Coming:
        """Yield the clocks' events after *since* that pass the filters, until too many after *after* did not."""
        examined = 0
        streams = (coming(clock, since) for clock in self.clocks)
        for planned in merge(*streams, key=lambda planned: planned.event.start_time):
            if self._passes(planned.moment):
                yield planned
            examined += planned.event.start_time > after
            if examined == EXAMINED:
                return

    def _passes(self, moment: datetime) -> bool:
        return (
            all(passes(moment) for passes in self.filters)
            and (not self.or_filters or any(passes(moment) for passes in self.or_filters))
            and not any(passes(moment) for passes in self.not_filters)
        )

    def _adjust(self, moment: datetime) -> datetime:
        for adjust in self.adjustments:
            least, most = rules.moves(adjust)
            moved = adjust(moment)
            if moved.tzinfo is None or not least <= moved.astimezone(UTC) - moment.astimezone(UTC) <= most:
                message = f"The adjustment {rules.shown(adjust)} made {moved} of {moment}; expected a time with a zone"
                hint = "A penstock_schedulers.Rule may say that it moves more"
                raise errors.ScheduleError(f"{message}, later by {least} to {most}. {hint}")
            moment = moved
        return moment

    @field_validator("clocks", mode="before")
    @classmethod
    def _listed(cls, clocks: Any) -> Any:
        if isinstance(clocks, Schedule):
            raise PydanticCustomError("clocks", "expected a list of clocks, [CronClock('@daily')]")
        return clocks

    @model_validator(mode="before")
    @classmethod
    def _none_is_nothing(cls, options: Any) -> Any:
        given = options.items() if isinstance(options, dict) else None
        return options if given is None else {name: value for name, value in given if value is not None}
