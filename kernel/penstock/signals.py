"""Exceptions that a task raises to choose its own state: `raise signals.SKIP("nothing new today")`.

They derive from BaseException so that a task's own `except Exception` lets them through.
"""

import copyreg
from typing import Any, ClassVar

from penstock import states


class PenstockSignal(BaseException):
    """A state on its way out of a task body; `state` is of the class that the signal stands for."""

    _state_class: ClassVar[type[states.State]] = states.State

    def __init_subclass__(cls, state: type[states.State] | None = None, **kwargs: Any) -> None:
        """Stand for *state*, by default for that of the class above."""
        super().__init_subclass__(**kwargs)
        cls._state_class = state or cls._state_class

    def __init__(self, message: str | None = None, *args: Any, **state_kwargs: Any) -> None:
        """Make the signal's state; its result is the signal itself unless *result* is given."""
        super().__init__(message)
        state_kwargs.setdefault("result", self._default_result())
        self.state: states.State = self._state_class(message, *args, **state_kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle class, message and state, whatever a subclass is made of."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]

    def _default_result(self) -> Any:
        return self


class FAIL(PenstockSignal, state=states.Failed):
    """End the task as Failed."""


class TRIGGERFAIL(FAIL, state=states.TriggerFailed):
    """End the task as TriggerFailed."""


class VALIDATIONFAIL(FAIL, state=states.ValidationFailed):
    """End the task as ValidationFailed."""


class SUCCESS(PenstockSignal, state=states.Success):
    """End the task as Success."""


class RETRY(PenstockSignal, state=states.Retrying):
    """Run the task again, at `start_time` or after its retry delay, whatever its `max_retries`."""


class SKIP(PenstockSignal, state=states.Skipped):
    """End the task as Skipped, with `result=` as its value if one is given."""

    def _default_result(self) -> None:
        return None


class PAUSE(PenstockSignal, state=states.Paused):
    """Hold the task until it is resumed, or until `start_time`."""


class LOOP(PenstockSignal, state=states.Looped):
    """Run the task again, with `result`, by default a text, as the context's `task_loop_result`."""

    def _default_result(self) -> str:
        return repr(self)


class ENDRUN(PenstockSignal):
    """End the task, or the flow run, in the given state, without retries."""

    def __init__(self, state: states.State) -> None:
        """End in *state*; raises TypeError for what is none, such as the class of one."""
        if not isinstance(state, states.State):
            raise TypeError(f"ENDRUN takes a state; found {state!r}. Write ENDRUN(Failed('why'))")
        BaseException.__init__(self, state.message)
        self.state: states.State = state


def signal_from_state(state: states.State) -> type[PenstockSignal]:
    """Return the class of the signal that ends a task as *state* is; raises ValueError if there is none.

    `raise signal_from_state(state)(state.message)` passes on how something else has ended.
    """
    for kind in (FAIL, TRIGGERFAIL, VALIDATIONFAIL, SUCCESS, RETRY, SKIP, PAUSE, LOOP):
        if kind._state_class is type(state):  # noqa: SLF001 - of this module
            return kind
    raise ValueError(f"No signal stands for a {state.type} state")
