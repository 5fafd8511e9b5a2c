"""Calls on other people's workers: packed here, run there, and what came of them; large values stay there.

For executors on a cluster, which bring a call to a worker and its answer back. What a call of the engine returns holds
a list `values` and a dictionary `states`. A value that is large stays where it was made, and a stand-in for it comes
here: it fetches the value when it is looked into, and is an input of further calls without ever doing so.
"""

import io
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import wrapt

from penstock import errors
from penstock_executors import pickling, pool, worker

if TYPE_CHECKING:
    from concurrent import futures

SMALL: Final = 1 << 16
"""How many bytes, pickled, a value may have to come here with the call's answer."""
_TOGETHER: Final = 1 << 20
"""How many bytes the values of one call may have together to do so."""


class StandIn(wrapt.LazyObjectProxy):  # type: ignore[type-arg]  # of what it stands for nothing is known
    """A value that stayed where it was made, under *index* in what *held* names; *fetch* brings it."""

    def __init__(self, held: Any, index: int, fetch: Callable[[Any, int], Any]) -> None:
        """Fetch nothing yet."""
        super().__init__(lambda: fetch(held, index))
        self._self_held = held
        self._self_index = index

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as the value itself."""
        return _itself, (self.__wrapped__,)


def _itself(value: Any) -> Any:
    return value


def _named(stand_in: StandIn) -> tuple[Any, int]:
    """Return what names the object that a value is in, and the value's index there."""
    return stand_in._self_held, stand_in._self_index  # noqa: SLF001 - of this module, in the form that wrapt asks for


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays on a worker: the answer to the call, in which places stand for the values, and the values."""

    answer: bytes
    values: list[Any]


@dataclass(frozen=True, slots=True)
class Packed:
    """A call on its way: the function's name, digest and pickle, the arguments' pickle, and what its stand-ins name."""

    name: str
    digest: bytes
    function: bytes
    arguments: bytes
    held: list[Any]


def pack(functions: pickling.Functions, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Packed:
    """Return a call as it travels; raises SerializationError naming what cannot be pickled."""
    try:
        function = functions.of(fn)
        frame, held = io.BytesIO(), list[Any]()
        _Pickler(frame, held).dump((args, kwargs))
    except Exception as error:
        raise pickling.refused(fn, args, kwargs, error, lambda value: _Pickler(io.BytesIO(), []).dump(value)) from error
    return Packed(pickling.name_of(fn), function.digest, function.pickled, frame.getvalue(), held)


class _Pickler(pickling.Pickler):
    """Pickles a stand-in as the place of what it stands for."""

    def __init__(self, frame: io.BytesIO, held: list[Any]) -> None:
        super().__init__(frame, protocol=pickle.HIGHEST_PROTOCOL)
        self._held = held

    def reducer_override(self, obj: Any) -> Any:
        if not issubclass(type(obj), StandIn):  # wrapt makes a class for each
            return super().reducer_override(obj)
        held, index = _named(obj)
        position = next((n for n, one in enumerate(self._held) if one is held), len(self._held))
        if position == len(self._held):
            self._held.append(held)
        return _placed, (position, index)


_local: Final = threading.local()


@contextmanager
def _placing(find: Callable[[int, int], Any]) -> Iterator[None]:
    """Let places that are unpickled inside the block, in this thread, become what *find* returns for them."""
    before, _local.find = getattr(_local, "find", None), find
    try:
        yield
    finally:
        _local.find = before


def _placed(position: int, index: int) -> Any:
    return _local.find(position, index)


def resources(fn: Callable[..., Any], prefix: str) -> dict[str, float]:
    """Return what of a worker the tags of a task ask for, as in `dask-resource:GPU=1`, where the prefix stands first.

    *fn* is what the engine submits, whose `identify(0)` gives the task's name, slug and tags. Raises ExecutorError for
    an amount that is no number.
    """
    identify = getattr(fn, "identify", None)
    asked: dict[str, float] = {}
    for tag in sorted(identify(0)[2]) if identify is not None else ():
        if tag.startswith(f"{prefix}:"):
            name, _, amount = tag.removeprefix(f"{prefix}:").partition("=")
            try:
                asked[name] = float(amount or 1)
            except ValueError:
                message = f"The tag {tag!r} asks for an amount that is no number; write {prefix}:{name}=1"
                raise errors.ExecutorError(message) from None
    return asked


# on a worker

_functions: Final[OrderedDict[bytes, Callable[..., Any]]] = OrderedDict()
_lock: Final = threading.Lock()


def run(digest: bytes, function: bytes, arguments: bytes, *held: Kept) -> bytes | Kept:
    """Run a call that was packed, where *held* are the objects that its stand-ins name; return its answer.

    That is bytes for `conclude`, or `Kept`, which is to stay here but for its `answer`.
    """
    with _lock:
        known = _functions.get(digest)
        if known is None:
            known = _functions[digest] = worker.loaded_function(function)
            if len(_functions) > worker.FUNCTIONS_KEPT:
                _functions.popitem(last=False)
    kept: list[Any] = []
    with _placing(lambda position, index: held[position].values[index]):
        answer = worker.answered(
            known,
            lambda: pickle.loads(arguments),  # noqa: S301 - from the driver, over the cluster's own connections
            lambda prefix, value: worker.dumps(prefix, _parted(value, kept)),
        )
    return Kept(bytes(answer), kept) if kept else bytes(answer)


@dataclass(frozen=True, slots=True)
class _Stays:
    """The place of a value that stays."""

    index: int

    def __reduce__(self) -> Any:
        return _placed, (0, self.index)


def _parted(value: Any, kept: list[Any]) -> Any:
    """Return what a call returned with places for its large values, which are put into *kept*."""
    values, states = getattr(value, "values", None), getattr(value, "states", None)
    if not isinstance(values, list) or not isinstance(states, dict):
        return value
    room = _TOGETHER

    def stay(one: Any) -> Any:
        nonlocal room
        size = _size(one, min(SMALL, room))
        if size is not None:
            room -= size
            return one
        kept.append(one)
        return _Stays(len(kept) - 1)

    value.values = [stay(one) for one in values]
    for state in states.values():
        if not isinstance(state.result, BaseException):
            state.result = stay(state.result)
    return value


_ATOMS: Final = {int: 16, float: 9, bool: 1, type(None): 1}


def _size(value: Any, most: int) -> int | None:
    """Return how many bytes the pickle of *value* has, or None if they are more than *most*."""
    if type(value) in _ATOMS and most > _ATOMS[type(value)]:
        return _ATOMS[type(value)]
    frame = _Bounded(most)
    try:
        pickling.Pickler(frame, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except _FullError:
        return None
    except Exception:  # noqa: BLE001 - told where the answer is pickled
        return 0
    return frame.size


class _FullError(Exception):
    """More was written than there is room for."""


class _Bounded:
    """A file that counts, and takes so many bytes."""

    def __init__(self, most: int) -> None:
        self.size = 0
        self._most = most

    def write(self, part: Any) -> int:
        length = memoryview(part).nbytes
        self.size += length
        if self.size > self._most:
            raise _FullError
        return length


# back where the call came from


def conclude(
    future: "futures.Future[Any]", name: str, answer: bytes, held: Any, fetch: Callable[[Any, int], Any]
) -> None:
    """Set the future of a call to what came of it; its large values become stand-ins, which *held* names."""
    with _placing(lambda _, index: StandIn(held, index, fetch)):
        pool.conclude(future, name, answer)


def fail(future: "futures.Future[Any]", name: str, why: str, cause: BaseException | None = None) -> None:
    """Let a call fail whose answer never came."""
    lost = errors.ExecutorError(f"{name} {why}")
    lost.__cause__ = cause
    future.set_exception(lost)


def bring(holders: Iterable[Any], fetch: Callable[[list[Any]], Sequence[Kept]]) -> None:
    """Put the values themselves in the place of their stand-ins, in lists and in the `result` of states.

    *fetch* is given what the stand-ins name, each once, and returns it.
    """
    places = [
        *((one, number, item) for one in holders if isinstance(one, list) for number, item in enumerate(one)),
        *((one, None, one.result) for one in holders if not isinstance(one, list)),
    ]
    stand_ins = [(one, number, *_named(item)) for one, number, item in places if issubclass(type(item), StandIn)]
    named = {id(held): held for _, _, held, _ in stand_ins}
    brought = dict(zip(named, fetch(list(named.values())) if named else (), strict=True))
    for one, number, held, index in stand_ins:
        value = brought[id(held)].values[index]
        if number is None:
            one.result = value
        else:
            one[number] = value
