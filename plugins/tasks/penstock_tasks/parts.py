"""Tasks that take a part out of a value."""

from operator import attrgetter
from typing import Any, Final

from penstock import tasks
from penstock_tasks.bodies import defaults_from_attrs

_MISSING: Final = object()


class _Part(tasks.Task):
    def __init__(self, default: Any = _MISSING, **options: Any) -> None:
        """Make the task; without a *default* it fails where what it is to take is missing."""
        super().__init__(**options)
        self.default: Any = default


class GetItem(_Part):
    """Takes an item out of a value, or *default* where a key is missing: `GetItem(default=0)(table, "total")`."""

    @defaults_from_attrs("default")
    def run(self, task_result: Any, key: Any, default: Any = _MISSING) -> Any:
        """Return the item at *key*."""
        try:
            return task_result[key]
        except KeyError:
            if default is _MISSING:
                raise
            return default


class GetAttr(_Part):
    """Takes an attribute of a value, dots included, or *default* where it is missing: `GetAttr()(row, "user.id")`."""

    @defaults_from_attrs("default")
    def run(self, task_result: Any, attr: str, default: Any = _MISSING) -> Any:
        """Return the attribute *attr*."""
        try:
            return attrgetter(attr)(task_result)
        except AttributeError:
            if default is _MISSING:
                raise
            return default
