"""Parameters: the inputs of a flow run."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, Self, get_args

from penstock import errors
from penstock.context import active_flow, context
from penstock.tasks import Task
from penstock.tasks.base import where
from penstock.tasks.signatures import no_default

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import TypeVar

    from penstock.spec import ParameterSpec

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")


class Parameter(Task, Generic[T]):
    """A value that is given when the flow is run; a root task whose slug is its name.

    It is required unless it has a default; `default=None` makes it optional. With a type, `Parameter[int]("n")` or
    `type=int`, which may be anything that pydantic validates, the value given is validated and converted.
    """

    def __init__(
        self, name: str, default: Any = no_default, *, required: bool | None = None,
        type: Any = None, tags: Iterable[str] | None = None,  # noqa: A002 - the term users know
    ) -> None:  # fmt: skip
        """Make a parameter and add it to the flow whose block this is in."""
        super().__init__(name=name, slug=name, tags=tags)
        self.default: Any = None if default is no_default else default
        self.required: bool = (default is no_default) if required is None else required
        self.type: Any = type
        flow = active_flow.get()
        if flow is not None:
            flow.add_task(self)

    def _take_type(self, alias: Any) -> None:
        if self.type is None:
            self.type = get_args(alias)[0]

    __orig_class__: property = property(fset=_take_type)
    """Where `typing` writes down that `Parameter[int]` was called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Self:
        """Add this parameter itself to the flow and return it."""
        if args:
            raise TypeError(f"{self!r} takes no inputs; its value is given when the flow is run")
        added: Self = where(self, kwargs.get("flow")).add_task(self)
        return added

    def copy(self, name: str | None = None, **changes: Any) -> Self:
        """Return a copy under another *name*."""
        if not name:
            raise TypeError(f"A copy of {self!r} needs a name of its own: parameter.copy('other')")
        return super().copy(name=name, slug=name, **changes)

    def run(self) -> Any:
        """Return the value given to this run, or the default."""
        return (context.get("parameters") or {}).get(self.name, self.default)

    def validate(self, value: Any) -> Any:
        """Return *value* converted to the parameter's type; raises ParameterError saying what does not fit."""
        if self.type is None or (value is None and not self.required):
            return value
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(self.type).validate_python(value)
        except ValidationError as error:
            expected = getattr(self.type, "__name__", str(self.type))
            faults = "; ".join(_fault(dict(item)) for item in error.errors())
            message = f'parameter "{self.name}" must be {expected}; found {value!r}: {faults}'
            raise errors.ParameterError(message) from error

    def json_schema(self) -> dict[str, Any] | None:
        """Return the JSON schema of the parameter's type, or None if it has no type."""
        if self.type is None:
            return None
        from pydantic import TypeAdapter

        return TypeAdapter(self.type).json_schema()

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Parameter: {self.name}>"


def check_names(flow: str, known: "Mapping[str, Parameter | ParameterSpec]", given: Iterable[str], usage: str) -> None:
    """Raise ParameterError if *given* lacks a required parameter of *known* or names another; *usage* gives one."""
    names = set(given)
    for name in sorted(names - known.keys()):
        hint = errors.did_you_mean(name, known) or f" Its parameters are {errors.listing(known)}."
        raise errors.ParameterError(f'Flow "{flow}" has no parameter "{name}".{hint}')
    missing = [name for name, parameter in known.items() if parameter.required and name not in names]
    if missing:
        message = f'Flow "{flow}" needs a value for {errors.listing(missing)}: {usage.format(missing[0])}'
        raise errors.ParameterError(message)


def _fault(item: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"])
    return f"{where}: {item['msg']}" if where else str(item["msg"])
