"""Rules that say whether a cached result serves these inputs and these parameters.

A validator is called with the cached state, the task's inputs and the run's parameters, both by name. It is asked
only while the result has not expired. What all validators here compare can be named beforehand (`compared`), so a
cached result is found at once among a million; one's own function is asked for each result kept under the task's key.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from penstock import errors
from penstock.states import Cached

CacheValidator: TypeAlias = Callable[[Cached, Mapping[str, Any], Mapping[str, Any]], bool]


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of *value* in hex: equal for equal values, in every process.

    Dictionaries and sets count without their order; other values by their pickle. Raises SerializationError for a
    value that has none, since it cannot be pickled or holds itself.
    """
    failure = f"a value of type {type(value).__qualname__} cannot be told from others"
    with errors.told_as(errors.SerializationError, failure, Exception):  # pickling calls a user's classes
        return _digest(value)


def _digest(value: Any) -> str:
    from hashlib import sha256

    import cloudpickle

    if isinstance(value, dict):
        parts = sorted(f"{_digest(key)}:{_digest(item)}" for key, item in value.items())
    elif isinstance(value, set | frozenset):
        parts = sorted(map(_digest, value))
    elif isinstance(value, list | tuple):
        parts = list(map(_digest, value))
    else:
        return sha256(cloudpickle.dumps(value, protocol=5)).hexdigest()
    return sha256(f"{type(value).__qualname__} {' '.join(parts)}".encode()).hexdigest()


class Same:
    """Accepts a cached result if the inputs and the parameters of these names are the same; None stands for all."""

    def __init__(self, inputs: Iterable[str] | None = (), parameters: Iterable[str] | None = ()) -> None:
        """Compare the *inputs* and *parameters* of these names."""
        self._inputs = None if inputs is None else frozenset(inputs)
        self._parameters = None if parameters is None else frozenset(parameters)
        self.by_place: bool = self._inputs == frozenset()
        """Whether no input is compared: then a result serves only the place in the flow that it was made in."""

    def compared(self, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
        """Return the fingerprint of all that is compared."""
        return fingerprint([
            {name: value for name, value in given.items() if wanted is None or name in wanted}
            for given, wanted in ((inputs, self._inputs), (parameters, self._parameters))
        ])  # fmt: skip

    def __call__(self, state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        """Return whether *state* was made of the same inputs and parameters."""
        then, names = state.cached_parameters or {}, self._parameters
        hashed = {name: fingerprint(value) for name, value in then.items() if names is None or name in names}
        return _agree(state.hashed_inputs or {}, inputs, self._inputs) and _agree(hashed, parameters, names)


def _agree(hashed: Mapping[str, str], values: Mapping[str, Any], names: frozenset[str] | None) -> bool:
    compared = names if names is not None else {*hashed, *values}  # others may have no fingerprint
    return all(hashed.get(name) == (fingerprint(values[name]) if name in values else None) for name in compared)


duration_only: Final = Same()
"""Any result that has not expired and was made in the same place; the default."""
all_inputs: Final = Same(inputs=None)
"""A result of the same inputs."""
all_parameters: Final = Same(parameters=None)
"""A result of a run with the same parameters."""


def never_use(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:  # noqa: ARG001 - a validator's signature
    """Accept nothing."""
    return False


def partial_inputs_only(validate_on: str | Iterable[str] | None = None) -> Same:
    """Accept a result if the inputs named in *validate_on*, one or several, are the same."""
    return Same(inputs=[validate_on] if isinstance(validate_on, str) else validate_on or ())


def partial_parameters_only(validate_on: str | Iterable[str] | None = None) -> Same:
    """Accept a result of a run whose parameters named in *validate_on*, one or several, are the same."""
    return Same(parameters=[validate_on] if isinstance(validate_on, str) else validate_on or ())
