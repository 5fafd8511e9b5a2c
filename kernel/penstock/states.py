"""What a task run or a flow run can be in: the state classes, their predicates and their serialised form.

A state holds the bare value of a task (`result`) and, where that value was written, its `location`.
Serialised, a state carries the location and never the value, nor the context, which may hold values too.
"""

import copyreg
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from penstock import clock, packing
from penstock.context import context as surroundings

if TYPE_CHECKING:
    from penstock.results import Result


@dataclass(frozen=True, slots=True)
class Location:
    """Where a result was written: its address, the SHA-256 of its content in hex, and its size in bytes."""

    location: str
    digest: str = ""
    size: int = 0


Predicate: TypeAlias = "Callable[[State], bool]"


def _predicate(kind: str, meaning: str) -> Predicate:
    def holds(self: "State") -> bool:
        return isinstance(self, globals()[kind])

    holds.__doc__ = f"Return whether {meaning}."
    return holds


class State:
    """The state of a run: a type, a message for people, a result, and what is needed to go on from it.

    Two states are equal if their type, result and further fields are; the message, the context and the location do
    not count. The hash is by identity, as states are mutable.
    """

    __slots__ = ("cached_inputs", "context", "location", "message", "result")

    color: ClassVar[str] = "#696969"
    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, color: str | None = None, **kwargs: Any) -> None:
        """Take the *color* that people see, by default that of the class above; what a subclass adds are its slots."""
        super().__init_subclass__(**kwargs)
        cls.color = color or cls.color
        cls._fields = cls.__dict__.get("_fields") or (*cls._fields, *cls.__dict__.get("__slots__", ()))

    def __init__(
        self, message: str | None = None, result: Any = None, context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Make a state with a *message* for people and a *result*."""
        self.message: str | None = message
        self.result: Any = result
        self.context: dict[str, Any] = dict(context) if context else {}
        self.cached_inputs: dict[str, Any] = cached_inputs or {}
        self.location: Location | None = None

    @property
    def type(self) -> str:
        """The name of the state's class."""
        return type(self).__name__

    is_pending: ClassVar[Predicate] = _predicate("Pending", "the run has not begun, or waits to go on")

    def is_scheduled(self) -> bool:
        """Return whether the run waits for a time or for a place."""
        return isinstance(self, Scheduled | Queued)

    is_queued: ClassVar[Predicate] = _predicate("Queued", "the run waits for a place")
    is_submitted: ClassVar[Predicate] = _predicate("Submitted", "the run was handed over to what will run it")
    is_retrying: ClassVar[Predicate] = _predicate("Retrying", "the run failed and will be tried again")
    is_running: ClassVar[Predicate] = _predicate("Running", "the run is under way")
    is_finished: ClassVar[Predicate] = _predicate("Finished", "the run, or one round of its loop, has ended")
    is_looped: ClassVar[Predicate] = _predicate("Looped", "one round of a loop has ended and another follows")
    is_successful: ClassVar[Predicate] = _predicate("Success", "the run ended well; Cached, Mapped and Skipped count")
    is_cached: ClassVar[Predicate] = _predicate("Cached", "an earlier result was taken instead of running")
    is_mapped: ClassVar[Predicate] = _predicate("Mapped", "the run is the parent of mapped children")
    is_skipped: ClassVar[Predicate] = _predicate("Skipped", "the run was left out on purpose")
    is_failed: ClassVar[Predicate] = _predicate("Failed", "the run ended badly")
    is_cancelled: ClassVar[Predicate] = _predicate("Cancelled", "somebody ended the run")
    is_meta_state: ClassVar[Predicate] = _predicate("_MetaState", "this state wraps another")

    def is_terminal(self) -> bool:
        """Return whether no other state may follow in this attempt."""
        return isinstance(self, Finished) and not isinstance(self, Looped)

    @classmethod
    def children(cls, *, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """Return the state classes below this one, or their names."""
        found = [known for known in TYPES.values() if issubclass(known, cls) and (include_self or known is not cls)]
        return [known.__name__ for known in found] if names_only else list(found)

    @classmethod
    def parents(cls, *, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """Return the state classes above this one, or their names."""
        above = [known for known in TYPES.values() if issubclass(cls, known) and (include_self or known is not cls)]
        return [known.__name__ for known in above[::-1]] if names_only else above[::-1]

    def load_result(self, result: "Result") -> Self:
        """Read the result from where it was written, unless it is here, and return this state.

        *result* says how: it is of the kind that wrote, and configured as it was. A mapped state's children are
        read, and become its result.
        """
        self.result = self._read(result)
        return self

    def _read(self, result: "Result") -> Any:
        return self.result if self.result is not None or self.location is None else result.read(self.location)

    def serialize(self) -> dict[str, Any]:
        """Return the state as JSON values: type, message, location and further fields; never the result."""
        data: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.location is not None:
            data["location"] = asdict(self.location)
        return {**data, **{name: _to_json(getattr(self, name)) for name in self._fields}}

    @staticmethod
    def deserialize(data: Mapping[str, Any]) -> "State":
        """Return the state that `serialize` gave *data* for; raises ValueError for an unknown type."""
        known = TYPES.get(str(data.get("type")))
        if known is None:
            raise ValueError(f"There is no state of type {data.get('type')!r}; the types are {', '.join(TYPES)}")
        state = known(data.get("message"), **{name: _restored(name, data.get(name)) for name in known._fields})
        if data.get("location"):
            state.location = Location(**data["location"])
        return state

    def _compared(self) -> tuple[Any, ...]:
        return (self.result, self.cached_inputs, *(getattr(self, name) for name in self._fields))

    def __eq__(self, other: object) -> bool:
        """Compare type, result and further fields."""
        if not isinstance(other, State):
            return NotImplemented
        return type(self) is type(other) and self._compared() == other._compared()

    def __hash__(self) -> int:
        """Hash by identity."""
        return id(self)

    def __repr__(self) -> str:
        """Show type and message."""
        return f'<{self.type}: "{self.message}">' if self.message else f"<{self.type}>"

    def _repr_html_(self) -> str | None:
        from penstock.hooks import calls

        return calls.render_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the slots; an exception that cannot be pickled, or not be restored, becomes a text that says so."""
        names = [name for base in type(self).__mro__ for name in getattr(base, "__slots__", ())]
        values = {name: getattr(self, name) for name in names}
        if isinstance(self.result, Exception):
            values["result"] = packing.Packed(self.result)
        return copyreg.__newobj__, (type(self),), values  # type: ignore[attr-defined]  # what object's own gives

    def __setstate__(self, values: dict[str, Any]) -> None:
        """Unpickle the slots."""
        for name, value in values.items():
            setattr(self, name, value.exception if isinstance(value, packing.Packed) else value)


class Pending(State, color="#7ebdff"):
    """Not begun."""

    __slots__ = ()


class Scheduled(Pending, color="#ffab00"):
    """To begin at *start_time* (UTC; now if not given)."""

    __slots__ = ("start_time",)

    def __init__(
        self, message: str | None = None, result: Any = None, start_time: datetime | None = None, **kw: Any
    ) -> None:
        """Make a state that is due at *start_time*; its context says which attempt of the task it was made in."""
        super().__init__(message, result, **kw)
        self.start_time: datetime | None = _utc(start_time) or (None if isinstance(self, Paused) else clock.now())
        if (run_count := surroundings.get("task_run_count")) is not None:
            self.context["task_run_count"] = run_count


class Paused(Scheduled, color="#99a8e8"):
    """Waiting for somebody's approval until *start_time*, for ever if that is None."""

    __slots__ = ()


class Resume(Scheduled, color="#f58c0c"):
    """Approved, to go on."""

    __slots__ = ()


class Retrying(Scheduled, color="#f66a0a"):
    """Failed at attempt *run_count*, to be tried again at *start_time*."""

    __slots__ = ("run_count",)

    def __init__(
        self, message: str | None = None, result: Any = None, start_time: datetime | None = None,
        run_count: int | None = None, **kw: Any,
    ) -> None:  # fmt: skip
        """Make a state after attempt number *run_count*, which counts from 1: by default the one under way."""
        super().__init__(message, result, start_time, **kw)
        self.run_count: int = run_count if run_count is not None else surroundings.get("task_run_count", 1)


class _MetaState(State):
    """A state about another state."""

    __slots__ = ("state",)

    def __init__(self, message: str | None = None, result: Any = None, state: State | None = None, **kw: Any) -> None:
        """Wrap *state*, or what it wraps if it is a wrapper itself."""
        super().__init__(message, result, **kw)
        self.state: State | None = state.state if isinstance(state, _MetaState) else state


class ClientFailed(_MetaState, color="#eb0000"):
    """The backend could not be told of *state*."""

    __slots__ = ()


class Submitted(_MetaState, color="#ffdf5d"):
    """Handed over to what will run it."""

    __slots__ = ()


class Queued(_MetaState, color="#ffea7f"):
    """Waiting for a place until *start_time*."""

    __slots__ = ("start_time",)

    def __init__(
        self, message: str | None = None, result: Any = None, state: State | None = None,
        start_time: datetime | None = None, **kw: Any,
    ) -> None:  # fmt: skip
        """Make a state to be looked at again at *start_time* (UTC; now if not given)."""
        super().__init__(message, result, state, **kw)
        self.start_time: datetime = _utc(start_time) or clock.now()


class Running(State, color="#3d67ff"):
    """Under way."""

    __slots__ = ()


class Cancelling(Running, color="#e8e8e8"):
    """Under way, and told to stop."""

    __slots__ = ()


class Finished(State, color="#003ccb"):
    """Ended."""

    __slots__ = ()


class Looped(Finished, color="#003ccb"):
    """Round *loop_count* of a loop has ended with `result`; another follows."""

    __slots__ = ("loop_count",)

    def __init__(
        self, message: str | None = None, result: Any = None, loop_count: int | None = None, **kw: Any
    ) -> None:
        """Make a state after round *loop_count*, which counts from 1: by default the one under way."""
        super().__init__(message, result, **kw)
        self.loop_count: int = loop_count if loop_count is not None else surroundings.get("task_loop_count", 1)


class Success(Finished, color="#28a745"):
    """Ended well."""

    __slots__ = ()


class Cached(Success, color="#34d058"):
    """Not run, because an earlier result serves."""

    __slots__ = ("cached_parameters", "cached_result_expiration", "hashed_inputs")

    def __init__(
        self, message: str | None = None, result: Any = None, hashed_inputs: dict[str, str] | None = None,
        cached_parameters: dict[str, Any] | None = None, cached_result_expiration: datetime | None = None, **kw: Any,
    ) -> None:  # fmt: skip
        """Hold the result with the inputs and parameters it is valid for, and until when (UTC)."""
        super().__init__(message, result, **kw)
        self.hashed_inputs: dict[str, str] | None = hashed_inputs
        self.cached_parameters: dict[str, Any] | None = cached_parameters
        self.cached_result_expiration: datetime | None = _utc(cached_result_expiration)


class Mapped(Success, color="#003ccb"):
    """The parent of mapped children: `map_states` holds theirs, `n_map_states` says how many there are."""

    __slots__ = ("_n_map_states", "map_states")
    _fields: ClassVar[tuple[str, ...]] = ("n_map_states",)

    def __init__(
        self, message: str | None = None, result: Any = None, map_states: Sequence[State] | None = None,
        n_map_states: int | None = None, **kw: Any,
    ) -> None:  # fmt: skip
        """Hold the children's states, a sequence that may make them when they are asked for."""
        super().__init__(message, result, **kw)
        self.map_states: Sequence[State] = map_states if map_states is not None else []
        self._n_map_states: int | None = n_map_states

    @property
    def n_map_states(self) -> int:
        """How many children there are, which may be known where they are not."""
        return self._n_map_states or len(self.map_states)

    def _read(self, result: "Result") -> Any:
        if not self.map_states:
            return self.result
        self.map_states = [child.load_result(result) for child in self.map_states]
        return [child.result for child in self.map_states]

    def _compared(self) -> tuple[Any, ...]:
        return (*super()._compared(), list(self.map_states))


class Skipped(Success, color="#62757f"):
    """Left out on purpose."""

    __slots__ = ()


class Cancelled(Finished, color="#bdbdbd"):
    """Ended by somebody; neither a success nor a failure."""

    __slots__ = ()


class Failed(Finished, color="#eb0000"):
    """Ended badly; `result` is the exception, if there was one."""

    __slots__ = ()


class TimedOut(Failed, color="#ff4e33"):
    """Did not end in the time it had."""

    __slots__ = ()


class TriggerFailed(Failed, color="#ff5131"):
    """Not run, because its trigger did not accept how the upstream tasks ended."""

    __slots__ = ()


class ValidationFailed(Failed, color="#ff5131"):
    """Ran, but its result was refused."""

    __slots__ = ()


def _below(kind: type[State]) -> list[type[State]]:
    return [known for child in kind.__subclasses__() for known in (child, *_below(child))]


_ALL: Final[list[type[State]]] = [State, *_below(State)]
TYPES: Final = {known.__name__: known for known in _ALL if known is not _MetaState}
"""The state classes by name, each after those above it."""

_RESTORE: Final[dict[str, Callable[[Any], Any]]] = {
    "start_time": datetime.fromisoformat,
    "cached_result_expiration": datetime.fromisoformat,
    "state": State.deserialize,
}


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _restored(name: str, value: Any) -> Any:
    return _RESTORE[name](value) if name in _RESTORE and value is not None else value


def _to_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, State):
        return value.serialize()
    return value if value is None or isinstance(value, str | int | float) else str(value)
