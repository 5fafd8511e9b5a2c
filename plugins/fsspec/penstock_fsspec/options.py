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
    r"(^|[_-])(pass|password|passwd|pwd|passphrase|secret|token|credentials?|key|(account|access|api|private|sas)[_-]?key"
    r"|connection[_-]?string|authorization)$",
    re.IGNORECASE,
)
_HUMP: Final = re.compile("(?<=[a-z0-9])(?=[A-Z])")  # where `clientSecret` would have an underscore


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


def secret_named(name: str) -> Secret:
    """Return the secret of that name.

    Raises SecretMissingError that never says what was given in place of a name: it may be the value. A SettingsError
    would be shown together with that.
    """
    try:
        return Secret(name)
    except errors.SettingsError:
        message = "The name of a secret is expected, and what was given is no name: it may be the value itself"
        raise errors.SecretMissingError(f"{message}. Keep that outside of the flow: penstock secrets set") from None


def _secret(value: Any) -> Any:
    return secret_named(value) if isinstance(value, str) else _restored(value)


Credentials = Annotated[
    Secret | dict[str, Any] | None, BeforeValidator(_secret), PlainSerializer(_named, when_used="json")
]
"""The name of one secret that holds them all, or options of which each is a `Secret`."""

SecretName = Annotated[
    Secret | None,
    BeforeValidator(_secret),
    PlainSerializer(lambda secret: secret and secret.name, when_used="json"),
]
"""The name of a secret, which is all that travels."""


def revealed(value: Any) -> Any:
    """Return *value* with the values of its secrets; raises SecretMissingError."""
    if isinstance(value, Secret):
        return value.get()
    if isinstance(value, Mapping):
        return {name: revealed(inner) for name, inner in value.items()}
    return [revealed(inner) for inner in value] if isinstance(value, list) else value


def refuse_credentials(owner: Kind, values: Mapping[str, Any]) -> None:
    """Raise StorageError if *values*, options of *owner*, hold a credential that would travel with the metadata."""
    found = next(_credentials("", "", values), None)
    if found is not None:
        message = f'The option "{found}" of the {owner.type} {owner.kind} looks like a credential'
        hint = f'give its name, and keep the value outside of the flow: Secret("{found.rpartition(".")[2].upper()}")'
        raise errors.StorageError(f"{message}, which would go to the backend with the flow's metadata; {hint}")


def _credentials(path: str, name: str, value: Any) -> Iterator[str]:
    """Yield the paths of the texts in *value*, an option called *name*, that would tell a credential."""
    if name == "auth" and isinstance(value, list | tuple) and len(value) == 2:  # noqa: PLR2004 - a pair
        value = {"user": value[0], "password": value[1]}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _credentials(f"{path}.{key}" if path else str(key), str(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _credentials(path, name, inner)
    elif isinstance(value, str) and (_CREDENTIAL.search(_HUMP.sub("_", name)) or holds_credentials(value)):
        yield path


def holds_credentials(text: str) -> bool:
    """Return whether *text* is a URL with a password, or with a user where that may be a token."""
    try:
        place = urlsplit(text) if "://" in text else None
    except ValueError:  # not a URL after all
        return False
    return place is not None and bool(place.password or (place.scheme in ("http", "https") and place.username))
