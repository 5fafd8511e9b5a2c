"""Names and places that a task's inputs fill in: targets, locations and names of task runs."""

import string
from collections.abc import Callable, Mapping
from typing import Any

from penstock import errors
from penstock.context import context
from penstock.engine.failures import told


def template_values(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template may name: the context, the parameters and the inputs."""
    known = {key: context.get(key) for key in context.keys() - {"logger", "config"}}
    return {**known, **(context.get("parameters") or {}), **inputs}


def filled(template: str | Callable[..., str], inputs: Mapping[str, Any], subject: str) -> str:
    """Return *template*, formatted with or called with what it may name.

    Raises TaskError naming *subject* (`target of task 'load'`) if it cannot be filled.
    """
    values = template_values(inputs)
    try:
        return string.Formatter().vformat(template, (), values) if isinstance(template, str) else template(**values)
    except Exception as error:  # a user's function, or the format of a value
        shown = repr(template) if isinstance(template, str) else getattr(template, "__name__", repr(template))
        message = f"The {subject}, {shown}, cannot be filled: {told(error)}"
        raise errors.TaskError(f"{message}; known are {errors.listing(values)}") from error
