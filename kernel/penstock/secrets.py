"""Secrets: values kept apart from flows, asked for by name where they are needed."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from penstock import errors
from penstock.context import active_flow, context
from penstock.hooks import calls
from penstock.redaction import hide

_NAME: Final = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """The name of a secret; its value is asked for where the code runs that needs it: `Secret("TOKEN").get()`.

    A value comes from `context.secrets`, a plugin, the variable `PENSTOCK_SECRETS__TOKEN` or `TOKEN`, or the file
    `secrets/TOKEN` in penstock's home folder, whichever has it first. In the options of a storage or result only the
    name travels. Values that were asked for are hidden in everything that this process logs.
    """

    name: str
    """Letters, digits, `_`, `.` and `-`."""

    def __post_init__(self) -> None:
        """Raise SettingsError for another name, which could lead elsewhere."""
        if not _NAME.fullmatch(self.name):
            # it may be the secret itself, so it is not shown
            raise errors.SettingsError("What was given is no name for a secret: use letters, digits, _, . and -")

    def get(self) -> Any:
        """Return the value: text, or what a JSON object or array in it stands for.

        Raises SecretMissingError if nobody knows it, FlowError inside a flow's block, where its value would become
        part of the flow.
        """
        if active_flow.get() is not None:
            message = f"{self!r}.get() inside the block of {active_flow.get()!r} would put the value into the flow"
            raise errors.FlowError(f"{message}; call it in a task")
        value = self._find()
        if value is None:
            hint = f"Set PENSTOCK_SECRETS__{self.name}, or: penstock secrets set {self.name}"
            raise errors.SecretMissingError(f'There is no secret "{self.name}". {hint}')
        decoded = _decoded(value)
        hide([value, decoded])
        return decoded

    def exists(self) -> bool:
        """Return whether somebody knows it."""
        return self._find() is not None

    def _find(self) -> Any:
        given = context.get("secrets") or {}
        return given[self.name] if self.name in given else calls.secret(self.name)

    def __repr__(self) -> str:
        """Name it, and show nothing of its value."""
        return f'Secret("{self.name}")'


def _decoded(value: Any) -> Any:
    """Return a JSON object or array as such; a number may be a token, so text it stays."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError):
            return json.loads(value)
    return value
