"""The tasks that operators add."""

from collections.abc import Callable
from typing import Any

from penstock.tasks.base import Task


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


class GetItem(Task):
    """Takes an item out of a value."""

    def run(self, task_result: Any, key: Any) -> Any:
        """Return the item at *key*."""
        return task_result[key]
