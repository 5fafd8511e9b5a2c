"""What a call of `penstock` was told for all its commands: how much to say, and which backend to ask."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from penstock.backends import Backend


@dataclass(slots=True)
class Invocation:
    """The options that any command may carry."""

    quiet: bool = False
    verbose: bool = False
    backend: str | None = None

    @contextmanager
    def settings(self) -> Iterator[None]:
        """Let what was given on the command line go over all other settings inside the block."""
        values: dict[str, Any] = {}
        if self.quiet or self.verbose:
            values["logging"] = {"level": "DEBUG" if self.verbose else "CRITICAL"}
        if self.backend:
            values["backend"] = self.backend
        if not values:
            yield
            return
        from penstock import settings

        with settings.override(values):
            yield


def in_colours() -> bool | None:
    """Return whether text is styled: None if that is for a terminal alone, False where NO_COLOR is set."""
    return False if os.environ.get("NO_COLOR") else None


def open_backend() -> "Backend":
    """Return the backend that the settings name, to be closed when the command ends."""
    from penstock import get_backend

    backend = get_backend()
    click.get_current_context().call_on_close(backend.close)
    return backend


def current() -> Invocation:
    """Return the invocation of the command that runs."""
    return click.get_current_context().ensure_object(Invocation)
