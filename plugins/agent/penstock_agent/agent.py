"""The agent: a loop that takes due runs, watches over their processes, and keeps an eye on schedules."""

import os
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from penstock import clock, errors, settings
from penstock.backends import Backend
from penstock.backends.models import Claim
from penstock.hooks import manager
from penstock.hooks.kinds import sorted_labels
from penstock.run_configs import RunConfig
from penstock.run_configs.base import Launch, Launched
from penstock_agent.endings import take_over
from penstock_agent.events import Event
from penstock_agent.job import Job
from penstock_agent.local import LocalRun, Spares
from penstock_agent.lookout import Lookout
from penstock_agent.spool import Spool, path_of
from penstock_agent.supervision import Supervised, Times

_TICK_SECONDS: Final = 0.05
_ASK_SECONDS: Final = 5.0
"""How often an agent asks for runs though nothing tells it of any: slots are also set by hand."""
_BATCH: Final = 10
_SPARE_SECONDS: Final = 1.0
"""How often the spare is looked after: it is made when the run that took the last one has begun."""
_LONGEST_PAUSE_SECONDS: Final = 5.0
_HURRY_SECONDS: Final = 1.0
"""How long an agent that is told twice to stop waits for the backend."""


class Agent:
    """Takes runs whose labels it has, each into a process of its own, at most *limit* at once.

    *backend* is by default the one that the settings name. *tell* is called with every event, on the thread of `run`.
    """

    def __init__(
        self,
        name: str | None = None,
        labels: Collection[str] = (),
        limit: int | None = None,
        backend: Backend | None = None,
        *,
        show_logs: bool = False,
        tell: Callable[[Event], None] | None = None,
    ) -> None:
        """Prepare; nothing is asked or started yet."""
        chosen = settings.get()
        self.name = name or socket.gethostname()
        self.labels = frozenset(sorted_labels(labels))
        self.limit = limit if limit is not None else chosen.agent.limit
        self._settings = chosen
        self._times = Times(chosen.agent.lease_seconds, chosen.agent.heartbeat_seconds, chosen.agent.grace_seconds)
        self._backend = backend if backend is not None else _backend()
        self._show_logs = show_logs
        self._tell = tell or (lambda _event: None)
        self._running: list[Supervised] = []
        self._idle = False
        self._spares = Spares(sorted({type(self._backend).__module__, *_usual_modules(chosen)}))
        self._claiming = _Duty(self._claim, _ASK_SECONDS)
        self._duties = [
            self._claiming,
            _Duty(self._schedule, chosen.scheduler.interval_seconds),
            _Duty(self._take_over, chosen.scheduler.interval_seconds),
            _Duty(self._end_lost, chosen.scheduler.interval_seconds),
            _Duty(self._spares.fill, _SPARE_SECONDS),
        ]
        self._pause = 0.0
        self._quiet_until = 0.0
        self._lenient_until = 0.0
        self._leap = clock.Leap(longest=self._times.lease / 2)
        self._hurry = threading.Event()

    def run(self, stop: threading.Event, *, until_idle: bool = False, hurry: threading.Event | None = None) -> None:
        """Work until *stop* is set, then let the runs under way end within the grace time, or end them.

        Once *hurry* is set too, they are killed. With *until_idle* end as well when no run is under way and the
        backend has none to give. Raises BackendError at once if the backend cannot be used at all; later it waits
        until the backend is back.
        """
        self._hurry = hurry or self._hurry
        self._begin()
        lookout = Lookout(self._backend, self._settings.agent.poll_seconds, self._claiming.asked)
        lookout.start()
        try:
            while not (stop.is_set() or (until_idle and self._idle)):
                self._turn()
                stop.wait(_TICK_SECONDS)
            self._drain()
        finally:
            lookout.close()
            self._abandon()
            self._spares.close()
        self._tell(Event("stopped"))

    def _begin(self) -> None:
        self._idle = False
        self._lenient_until = clock.monotonic() + self._times.lease
        self._schedule()
        self._guarded(self._take_over)
        for record in manager.registry().records:
            if record.error is not None:
                self._tell(Event("plugin", f"{record.name} is broken: {record.error}"))
        asked = f"agent {self.name}, labels: {errors.listing(self.labels)}, backend: {_place(self._backend)}"
        self._tell(Event("started", asked))

    def _turn(self) -> None:
        """Watch over the runs under way, then do whatever duty is due."""
        self._watch()
        for duty in self._duties:
            if duty.is_due():
                self._guarded(duty)

    def _guarded(self, duty: Callable[[], None]) -> None:
        """Do a duty; if the backend is away, or refuses, say so once and leave it in peace for a while."""
        if clock.monotonic() < self._quiet_until:
            return
        try:
            duty()
        except errors.BackendError as error:
            if not self._pause:
                self._tell(Event("trouble", str(error)))
            self._pause = min(max(self._pause * 2, 0.1), _LONGEST_PAUSE_SECONDS)
            self._quiet_until = clock.monotonic() + self._pause
            self._lenient_until = self._quiet_until + self._times.lease
        else:
            self._pause = 0.0

    # duties

    def _watch(self) -> None:
        for supervised in self._running:
            supervised.tend()
        self._guarded(self._report)

    def _report(self) -> None:
        for supervised in list(self._running):
            run = supervised.report()
            if run is not None:
                self._running.remove(supervised)
                self._claiming.asked.set()  # there is room for another
                self._tell(Event("ended", run=run))

    def _claim(self) -> None:
        free = _BATCH if self.limit is None else min(_BATCH, self.limit - len(self._running))
        if free <= 0:
            return
        claims = self._backend.claim(self.name, self.labels, limit=free, lease_seconds=self._times.lease)
        self._idle = not claims and not self._running
        for claim in claims:
            self._tell(Event("claimed", run=claim.run))
            self._running.append(self._start(claim))
            self._claiming.asked.set()  # there may be more

    def _schedule(self) -> None:
        self._backend.schedule_due(ahead=self._settings.scheduler.ahead)

    def _end_lost(self) -> None:
        """End runs whose lease nobody renewed; none when nobody could: the backend was away, or time made a leap.

        Who has just begun does not know whether the backend was, and waits for a lease's time, too.
        """
        if self._leap.happened():
            self._lenient_until = clock.monotonic() + self._times.lease
        if clock.monotonic() >= self._lenient_until:
            self._backend.end_lost_runs()

    def _take_over(self) -> None:
        held = {path_of(one.claim.run.id, one.claim.fence) for one in self._running}
        take_over(self._backend, held, self._tell)

    # starting and stopping

    def _start(self, claim: Claim) -> Supervised:
        process, spool, fault = None, None, ""
        try:
            spool = Spool(path_of(claim.run.id, claim.fence))
            spec = claim.spec.get("run_config")
            config: RunConfig = RunConfig.restore(spec) if spec is not None else LocalRun()
            process = self._launch(claim, config)
        except Exception as error:  # noqa: BLE001 - a run config is a plugin's code: the other runs go on
            told = (
                str(error) if isinstance(error, errors.PenstockError | OSError) else f"{type(error).__name__}: {error}"
            )
            fault = f"The process of the run could not be started: {told}"
        return Supervised(self._backend, claim, process, self._times, self._tell, spool, fault)

    def _launch(self, claim: Claim, config: RunConfig) -> Launched:
        job = Job(
            claim=claim,
            backend=self._backend.spec(),
            lease_seconds=self._times.lease,
            heartbeat_seconds=self._times.heartbeat,
            show_logs=self._show_logs,
            agent=os.getpid() if isinstance(config, LocalRun) else 0,  # others may write their spool elsewhere
        )
        env = {"PENSTOCK_HOME": str(self._settings.home.absolute())}
        launch = Launch(claim.run.id, job.model_dump_json().encode(), env)
        if isinstance(config, LocalRun) and config.takes_a_spare():
            return config.start(launch, self._spares.take())
        return config.start(launch)

    def _drain(self) -> None:
        """Let the runs under way end; after the grace time end them, and leave what the backend does not take."""
        self._tell(Event("stopping", f"{len(self._running)} runs under way" if self._running else ""))
        grace = self._times.grace
        self._watch_for(grace)
        for supervised in self._running:
            supervised.stop("shutdown")
        self._watch_for(_HURRY_SECONDS if self._hurry.is_set() else grace + _LONGEST_PAUSE_SECONDS)

    def _watch_for(self, seconds: float) -> None:
        deadline = clock.monotonic() + seconds
        while self._running and clock.monotonic() < deadline:
            if self._hurry.is_set():
                for supervised in self._running:
                    supervised.kill("shutdown")
            self._watch()
            clock.sleep(_TICK_SECONDS)

    def _abandon(self) -> None:
        """Kill what is left; the backend ends those runs when their leases expire."""
        for supervised in self._running:
            supervised.stop("lost")
        deadline = clock.monotonic() + _LONGEST_PAUSE_SECONDS
        while not self._all_ended() and clock.monotonic() < deadline:
            clock.sleep(_TICK_SECONDS)

    def _all_ended(self) -> bool:
        return len([supervised for supervised in self._running if supervised.tend()]) == len(self._running)


class _Duty:
    """Something to be done every so many seconds, and when it is asked for; it stays due until it is done."""

    def __init__(self, do: Callable[[], None], seconds: float) -> None:
        self._do = do
        self._seconds = seconds
        self._next = 0.0
        self.asked = threading.Event()

    def is_due(self) -> bool:
        return self.asked.is_set() or clock.monotonic() >= self._next

    def __call__(self) -> None:
        self.asked.clear()
        self._next = 0.0
        self._do()
        self._next = clock.monotonic() + self._seconds


def _backend() -> Backend:
    from penstock.registration import get_backend

    return get_backend()


def _usual_modules(chosen: settings.Settings) -> Iterator[str]:
    """Yield where the classes are that most runs need: those the settings name. They are not imported here."""
    for kind, options in (("storage", chosen.storage), ("executor", chosen.executor), ("result", chosen.result or {})):
        offer = manager.registry().offers[kind].get(str(options.get("type")))
        if offer is not None:
            yield offer.target.partition(":")[0] if isinstance(offer.target, str) else offer.target.__module__


def _place(backend: Backend) -> Any:
    """Return where the backend is, for people: the place that it shows, or its URL."""
    return getattr(backend, "place", None) or getattr(backend, "url", backend.type)
