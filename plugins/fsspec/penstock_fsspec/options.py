"""Options that travel with a flow's metadata: credentials are in them by the name of a secret, never as such."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer

from penstock import Secret, errors
from penstock.hooks.kinds import Kind

_NAME: Final = "secret"
_CREDENTIAL: Final = re.compile(
    r"(^|[_-])(password|passwd|passphrase|secret|token|credentials?|key|(account|access|api|private|sas)[_-]?key"
    r"|connection[_-]?string|authorization)$",
    re.IGNORECASE,
)


def _restored(value: Any) -> Any:
    """Return *value* with secrets for the `{"secret": name}` that stands for them in data."""
    if isinstance(value, Mapping):
        if set(value) == {_NAME} and isinstance(value[_NAME], str):
            return Secret(value[_NAME])
        return {name: _restored(inner) for name, inner in value.items()}
    return [_restored(inner) for inner in value] if isinstance(value, list | tuple) else value


def _named(value: Any) -> Any:
    """Return *value* as data: `{"secret": name}` for a secret."""
    if isinstance(value, Secret):
        return {_NAME: value.name}
    if isinstance(value, Mapping):
        return {name: _named(inner) for name, inner in value.items()}
    return [_named(inner) for inner in value] if isinstance(value, list | tuple) else value


Options = Annotated[dict[str, Any], BeforeValidator(_restored), PlainSerializer(_named, when_used="json")]
"""Options of a client, nested as it likes; a `Secret` anywhere in them travels by its name."""


Credentials = Annotated[
    Secret | dict[str, Any] | None,
    BeforeValidator(lambda value: Secret(value) if isinstance(value, str) else _restored(value)),
    PlainSerializer(_named, when_used="json"),
]
"""The name of one secret that holds them all, or options of which each is a `Secret`."""


def revealed(value: Any) -> Any:
    """Return *value* with the values of its secrets; raises SecretMissingError."""
    if isinstance(value, Secret):
        return value.get()
    if isinstance(value, Mapping):
        return {name: revealed(inner) for name, inner in value.items()}
    return [revealed(inner) for inner in value] if isinstance(value, list) else value


def refuse_credentials(owner: Kind, values: Mapping[str, Any]) -> None:
    """Raise StorageError if *values*, options of *owner*, hold a credential that would travel with the metadata."""
    found = next(_credentials("", values), None)
    if found is not None:
        message = f'The option "{found}" of the {owner.type} {owner.kind} looks like a credential'
        hint = f'give its name, and keep the value outside of the flow: Secret("{found.rpartition(".")[2].upper()}")'
        raise errors.StorageError(f"{message}, which would go to the backend with the flow's metadata; {hint}")


def _credentials(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        inner = f"{path}{name}"
        if isinstance(value, Mapping):
            yield from _credentials(f"{inner}.", value)
        elif isinstance(value, str) and (_CREDENTIAL.search(name) or _has_password(value)):
            yield inner


def _has_password(text: str) -> bool:
    try:
        return "://" in text and urlsplit(text).password is not None
    except ValueError:  # not a URL after all
        return False
