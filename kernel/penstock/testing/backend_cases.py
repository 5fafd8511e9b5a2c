"""What the contract of backends is made with: fixtures, schedules, reports."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

import pytest

from penstock import clock, hooks, states
from penstock.backends import Backend
from penstock.backends.models import Claim, Log, StateReport
from penstock.hooks.kinds import KindSpec
from penstock.hooks.markers import hookimpl
from penstock.schedules import ClockEvent, Schedule
from penstock.spec import FlowSpec, TaskSpec

HOUR: Final = timedelta(hours=1)
NOON: Final = datetime(2026, 1, 2, 12, tzinfo=UTC)
JOIN_SECONDS: Final = 30
ELSEWHERE: Final = KindSpec(
    type="no-such-storage",
    options={"bucket": "flows", "nested": {"deep": [1, None, "grüße"]}},
    distribution="acme",
)


class EveryMinute(Schedule):
    """The schedule of the flows in these tests."""

    type: ClassVar[str] = "contract-every-minute"

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """Return the next *n* whole minutes."""
        begin = (after or clock.now()).replace(second=0, microsecond=0)
        return [begin + timedelta(minutes=number) for number in range(1, n + 1)]


class TwoClocks(EveryMinute):
    """Two clocks at once, each with parameters and labels of its own."""

    type: ClassVar[str] = "contract-two-clocks"

    def events(self, n: int, after: datetime | None = None) -> list[ClockEvent]:
        """Return two events for each of the next *n* whole minutes."""
        return [
            event
            for time in self.next(n, after)
            for event in (ClockEvent(time), ClockEvent(time, {"limit": 5}, ["gpu", "big"]))
        ]


class Broken(Schedule):
    """A schedule that raises."""

    type: ClassVar[str] = "contract-broken"

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """Raise, as a plugin may."""
        raise RuntimeError(f"no {n} times after {after}")


class _Plugin:
    @hookimpl
    def penstock_register_schedule(self) -> list[type[Schedule]]:
        """Offer the schedules of these tests."""
        return [EveryMinute, TwoClocks, Broken]


def report(state: states.State, slug: str | None = None, index: int | None = None) -> StateReport:
    """Return the report that a run, or one of its tasks, is in *state* now."""
    name = slug if index is None else f"{slug}[{index}]"
    return StateReport(state=state.serialize(), timestamp=clock.now(), slug=slug, name=name, map_index=index)


def line(sequence: int, message: str = "a line", attempt: int = 1) -> Log:
    """Return a log line."""
    logger = "penstock.task.count"
    return Log(
        sequence=sequence,
        attempt=attempt,
        timestamp=clock.now(),
        level="INFO",
        logger=logger,
        message=message,
    )


class BackendCase:
    """The fixtures that the contract's tests share."""

    @pytest.fixture
    def backend(self) -> Backend:
        """Return a backend that remembers nothing yet."""
        raise NotImplementedError

    @pytest.fixture
    def tutorial(self, backend: Backend) -> Backend:
        """Return the backend with the flow "hello" in the project "tutorial"."""
        backend.create_project("tutorial")
        backend.register_flow(
            FlowSpec(name="hello", tasks=[TaskSpec(slug="say-1", name="say", type="x")]), project="tutorial"
        )
        return backend

    @pytest.fixture
    def claimed(self, tutorial: Backend) -> Claim:
        """Return the claim of the one run of "hello"."""
        tutorial.create_flow_run("tutorial", "hello", name="brisk-otter")
        (claim,) = tutorial.claim("ann", lease_seconds=60)
        return claim

    @pytest.fixture(name="_schedules")
    def schedules(self) -> Iterator[None]:
        """Offer the schedules of these tests."""
        with hooks.observing(_Plugin(), "backend-contract"):
            yield
