"""Running one job: the flow is restored, run, and reported on."""

import json
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from penstock import Secret, errors, hooks, logs, settings, states
from penstock.backends import Backend
from penstock.engine.failures import describe
from penstock.spec import FlowSpec
from penstock_agent.capture import capturing
from penstock_agent.reporter import Reporter, persist
from penstock_agent.resuming import earlier_states
from penstock_agent.slots import Slots, limited_tags
from penstock_agent.spool import Spool, path_of

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock_agent.job import Job

TERMINATED: Final = 128 + signal.SIGTERM
UNREPORTED: Final = 70
"""The exit code when the backend could not be told how the run ended."""


def run(job: "Job") -> int:
    """Run *job* to its end and return the exit code: 0 if the backend knows how it ended, or the agent that sends it.

    The spool is left for the agent, who ends what the flow left running before it deletes it.
    """
    options = {"type": job.backend.type, **job.backend.options}
    _tell_processes(options)
    with settings.override({"backend": options}):  # so that tasks which ask for the backend find this one
        backend = Backend.restore(job.backend)
        spool = Spool(path_of(job.claim.run.id, job.claim.fence))
        reporter = Reporter(backend, job, spool, _end_this_process)
        with _observing(reporter):
            try:
                with _interrupted_by_term(reporter):
                    ended = _run_flow(job, backend)
            except KeyboardInterrupt:
                ended = states.Cancelled("The run was interrupted.")
            reporter.flow_state(_finished(ended))
            reporter.close()
        backend.close()
        spool.close()
    if reporter.muted:
        return TERMINATED
    return UNREPORTED if reporter.lost else 0


def _tell_processes(backend: Mapping[str, Any]) -> None:
    """Let the processes that the flow starts, workers above all, find the backend of the run."""
    place, *_ = (str(backend[name]) for name in ("url", "type") if name in backend)
    others = {name: value for name, value in backend.items() if name not in ("url", "type")}
    os.environ["PENSTOCK_BACKEND"] = place
    os.environ.update({f"PENSTOCK_BACKEND__{name.upper()}": json.dumps(value) for name, value in others.items()})


def _run_flow(job: "Job", backend: Backend) -> states.State:
    claimed = job.claim.run
    try:
        spec = FlowSpec.model_validate(job.claim.spec)
        flow = restore(spec)
        known = persist(lambda: earlier_states(backend, claimed, flow)) if job.claim.fence > 1 else None
        with _within_limits(job, backend, flow):
            return flow.run(
                claimed.parameters,
                task_states=known,
                executor=_executor(job, spec),
                context={
                    "scheduled_start_time": claimed.scheduled_time,
                    "project_name": claimed.project,
                    "secrets": _secrets(spec),
                },
                run_id=claimed.id,
                run_name=claimed.name,
                attempt=claimed.attempt,
                run_on_schedule=False,
            )
    except errors.PenstockError as error:
        return states.Failed(str(error), error, context={"exception": describe(error)})
    except (Exception, SystemExit) as error:  # noqa: BLE001 - what a flow's own code may raise
        return states.Failed(f"{type(error).__name__}: {error}", error, context={"exception": describe(error)})


def _within_limits(job: "Job", backend: Backend, flow: "Flow") -> AbstractContextManager[object]:
    """Return a context in which tasks wait for slots of their tags; it is not there where no tag is limited."""
    tags = {tag for task in flow.tasks for tag in task.options.tags}
    limited = persist(lambda: limited_tags(backend, tags))
    return hooks.observing(Slots(backend, job.claim, limited), "penstock-agent-slots") if limited else nullcontext()


def restore(spec: FlowSpec) -> "Flow":
    """Return the flow that *spec* describes, from its storage.

    Raises StorageError if it was registered without one or is not there as it was registered, PluginMissingError
    saying what to install.
    """
    from penstock.results import Result
    from penstock.storage import Storage

    if spec.storage is None:
        message = f'Flow "{spec.name}" was registered without a storage, so there is nothing to run; register it again'
        raise errors.StorageError(message)
    flow = Storage.restore(spec.storage).get_flow(spec.name)
    if flow.result is None and spec.result is not None:
        flow.result = Result.restore(spec.result)
    return flow


def _secrets(spec: FlowSpec) -> dict[str, Any]:
    """Return the secrets that the flow's storage names; raises SecretMissingError."""
    names = spec.storage.options.get("secrets", []) if spec.storage is not None else []
    return {name: Secret(name).get() for name in names}


def _executor(job: "Job", spec: FlowSpec) -> Any:
    """Return the executor that was asked for with the run, else the one registered; None leaves it to the flow."""
    from penstock.executors import Executor

    if job.claim.run.executor is not None:
        return Executor.resolve(job.claim.run.executor)
    return Executor.restore(spec.executor) if spec.executor is not None else None


def _finished(state: states.State) -> states.State:
    """Return *state*; Paused if tasks wait for somebody, or Failed if nothing can bring the run to an end any more."""
    if state.is_terminal():
        return state
    if waiting := sorted({name for name, one in _task_states(state) if isinstance(one, states.Paused)}):
        return states.Paused(f"{', '.join(waiting)} may go on when somebody says so: penstock runs approve")
    return states.Failed(f"The flow stopped as {state.type}: {state.message}")


def _task_states(state: states.State) -> Iterator[tuple[str, states.State]]:
    for task, one in (state.result or {}).items():
        for child in one.map_states if isinstance(one, states.Mapped) else (one,):
            yield task.name, child


@contextmanager
def _observing(reporter: Reporter) -> Iterator[None]:
    with hooks.observing(reporter, "penstock-agent-reporter"):
        reporter.start()
        # states are reported as such; in words only failures, for the place they come from
        with capturing("penstock", reporter.line), logs.narrating(logging.ERROR):
            yield


@contextmanager
def _interrupted_by_term(reporter: Reporter) -> Iterator[None]:
    """Let SIGTERM interrupt the flow once, so that it cleans up; what its tasks come to then is not reported.

    Afterwards SIGTERM is ignored, so that what was noted is still sent; who cannot wait for that has SIGKILL.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        reporter.muted = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_this_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
