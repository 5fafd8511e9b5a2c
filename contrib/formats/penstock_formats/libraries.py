"""The libraries that this plugin's serializers stand on, each an extra of the distribution."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock import errors


def library(name: str, extra: str) -> Any:
    """Return an imported module; raises PluginMissingError saying which *extra* to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        distribution = name.partition(".")[0]
        message = f'The serializer "{extra}" needs {distribution}, which cannot be imported: {error}'
        raise errors.PluginMissingError(f'{message}\nTry: pip install "penstock-formats[{extra}]"') from error


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what a library raises inside the block into a SerializationError that begins with *what*."""
    try:
        yield
    except Exception as error:  # each library has errors of its own
        raise errors.SerializationError(f"{what}: {type(error).__name__}: {error}") from error
