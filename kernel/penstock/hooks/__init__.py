"""How the kernel and its plugins meet: markers, hook specifications, the loader, and name look-up."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from penstock.hooks.manager import PluginRecord


def observing(plugin: object, name: str | None = None) -> "AbstractContextManager[PluginRecord]":
    """Let *plugin*, a module or an object with methods marked `@hookimpl`, take part in what runs inside the block.

    Raises PluginError if it cannot.
    """
    from penstock.hooks import manager

    return manager.registry().holding(plugin, name or f"{type(plugin).__name__}-{id(plugin):x}")


def installed() -> "tuple[PluginRecord, ...]":
    """Return what is known of every plugin of this process by name, of blocked and broken ones too."""
    from penstock.hooks import manager

    return tuple(manager.registry().records)


def implementations(hook: str) -> list[tuple[str, Callable[..., Any]]]:
    """Return each plugin's name and implementation of *hook*, which may be one that a plugin brought.

    An implementation takes the hook's arguments by keyword, and is called with those that it names.
    """
    from penstock.hooks import manager

    found = getattr(manager.registry().manager.hook, hook).get_hookimpls()
    return [(known.plugin_name, partial(_call, known)) for known in reversed(found)]


def _call(implementation: Any, **arguments: Any) -> Any:
    return implementation.function(*[arguments[name] for name in implementation.argnames])
