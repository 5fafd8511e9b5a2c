"""A storage of flows that are imported from modules, as any other code that is installed."""

import importlib
import traceback
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from penstock import clock, errors
from penstock.context import context
from penstock.storage import Reference, Source, Storage
from penstock.storage.scripts import choose
from penstock_module import sources

if TYPE_CHECKING:
    from penstock import Flow

_MACHINERY: Final = (__file__, importlib.__file__)


class Module(Storage):
    """Flows in a module that is installed where they run: `Module("acme.flows")` or `Module("acme.flows:daily")`.

    Storing a flow writes nothing; the digest of the module's source is registered, and it is imported only if it is the
    same where the flow runs.
    """

    type: ClassVar[str] = "module"
    takes_urls: ClassVar[bool] = False
    positional: ClassVar[tuple[str, ...]] = ("module",)

    module: str = Field(
        description="the module's name, and after a colon the flow's there, or that of a function which returns it"
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, module: str, **options: Any) -> None: ...

    @field_validator("module")
    @classmethod
    def _importable(cls, module: str) -> str:
        parts = module.replace(":", ".", 1).split(".")
        if not all(map(str.isidentifier, parts)):
            raise PydanticCustomError("module", "expected is a name like package.module or package.module:flow")
        if parts[0] == "__main__":
            message = "what is run as a script is __main__, which no other process can import; say its module's name"
            raise PydanticCustomError("module", message)
        return module

    def pin(self, flow: "Flow") -> Reference:
        """Return the reference to the module's source as it would be imported here."""
        content = sources.read(self.module.partition(":")[0])
        return Source(flow.name, content, "script", clock.now()).refer(self.module)

    def fetch(self, reference: Reference) -> bytes:
        """Return the source of the module as it would be imported here; nothing of it is executed."""
        return sources.read(reference.location.partition(":")[0])

    def load(self, name: str, reference: Reference, content: bytes) -> "Flow":  # noqa: ARG002 - Python reads it again
        """Import the module, and return the flow *name* from it."""
        module_name, _, attribute = reference.location.partition(":")
        with context(loading_flow=[]):
            module = _imported(module_name)
            return _attribute(module, attribute, name) if attribute else _by_name(module, name)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a user's module
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if frame.filename not in _MACHINERY and frame.filename[0] != "<"]
        where = f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""
        message = f"The module {name} cannot be imported{where}: {type(error).__name__}: {error}"
        raise errors.FlowFileError(message) from error


def _by_name(module: ModuleType, name: str) -> "Flow":
    from penstock.flow import Flow

    flows: dict[str, Flow] = {}
    for flow in [value for value in vars(module).values() if isinstance(value, Flow)]:
        if flows.setdefault(flow.name, flow) is not flow:
            message = f'The module {module.__name__} holds two flows named "{flow.name}"'
            raise errors.FlowFileError(f'{message}; say which: Module("{module.__name__}:attribute")')
    return choose(flows, name, f"The module {module.__name__}")


def _attribute(module: ModuleType, attribute: str, name: str) -> "Flow":
    from penstock.flow import Flow

    place = f"{module.__name__}:{attribute}"
    try:
        found = attrgetter(attribute)(module)
    except AttributeError as error:
        hint = errors.did_you_mean(attribute, vars(module))
        raise errors.FlowFileError(f"There is no {place}: {error}.{hint}") from error
    if callable(found) and not isinstance(found, Flow):
        found = _made(found, place)
    if not isinstance(found, Flow):
        message = f"{place} is no flow, nor a function that returns one, but of type {type(found).__name__}"
        raise errors.FlowFileError(f"{message}; name a flow")
    if found.name != name:
        raise errors.FlowFileError(f'The flow at {place} is named "{found.name}"; registered was "{name}"')
    return found


def _made(function: Any, place: str) -> Any:
    try:
        return function()
    except Exception as error:  # a user's function
        raise errors.FlowFileError(f"{place} does not return a flow: {type(error).__name__}: {error}") from error
