"""The tasks that operators add: one that applies a function to two values, and those that look into a value."""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from penstock.tasks.base import Task
from penstock.tasks.bodies import defaults_from_attrs
from penstock.tasks.signatures import no_default

if TYPE_CHECKING:
    from typing import Unpack

    from penstock.tasks.options import NamedTaskArguments


class Operation(Task):
    """Applies a function to two values."""

    def __init__(self, name: str, function: Callable[[Any, Any], Any]) -> None:
        """Apply *function*."""
        super().__init__(name=name)
        self.function: Callable[[Any, Any], Any] = function

    def run(self, x: Any, y: Any) -> Any:
        """Return what the function makes of both values."""
        return self.function(x, y)


class Not(Task):
    """Negates a value."""

    def run(self, x: Any) -> bool:
        """Return whether the value is false."""
        return not x


class _Part(Task):
    def __init__(self, default: Any = no_default, **options: "Unpack[NamedTaskArguments]") -> None:
        """Make the task; without a *default* it fails where what it is to take is missing."""
        super().__init__(**options)
        self.default: Any = default


class GetItem(_Part):
    """Takes an item out of a value, or *default* where a key is missing: `GetItem(default=0)(table, "total")`."""

    @defaults_from_attrs("default")
    def run(self, task_result: Any, key: Any, default: Any = no_default) -> Any:
        """Return the item at *key*."""
        try:
            return task_result[key]
        except KeyError:
            if default is no_default:
                raise
            return default


class GetAttr(_Part):
    """Takes an attribute of a value, dots included, or *default* where it is missing: `GetAttr()(row, "user.id")`."""

    @defaults_from_attrs("default")
    def run(self, task_result: Any, attr: str, default: Any = no_default) -> Any:
        """Return the attribute *attr*."""
        try:
            return attrgetter(attr)(task_result)
        except AttributeError:
            if default is no_default:
                raise
            return default
