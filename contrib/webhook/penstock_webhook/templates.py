"""Options of a request with `${NAME}` in their texts: the values of secrets, filled in at the moment of the request."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from penstock import Secret, redaction

_PLACE: Final = re.compile(r"\$(?:\$|\{(\w[\w.-]*)\})", re.ASCII)


def fill(value: Any, known: Mapping[str, str]) -> Any:
    """Return *value* with what each `${NAME}` in it stands for, and `$` for each `$$`.

    A name is one of *known*, else that of a secret or an environment variable, whose value is hidden from then on in
    what is logged. Raises SecretMissingError.
    """
    if isinstance(value, str):
        return _PLACE.sub(lambda found: _meant(found[1], known) if found[1] else "$", value)
    if isinstance(value, Mapping):
        return {name: fill(inner, known) for name, inner in value.items()}
    return [fill(inner, known) for inner in value] if isinstance(value, list) else value


def _meant(name: str, known: Mapping[str, str]) -> str:
    if name in known:
        return known[name]
    value = str(Secret(name).get()).strip()
    redaction.hide([value, quote(value), quote(value, safe="")])  # as it may stand in a URL
    return value


def names(value: Any) -> set[str]:
    """Return the names that `fill` would ask for, and those of secrets that stand in *value* as such."""
    if isinstance(value, Secret):
        return {value.name}
    if isinstance(value, str):
        return {found for found in _PLACE.findall(value) if found}
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return set().union(*map(names, inner))


def bare(value: Any) -> Any:
    """Return *value* without the texts that have a `${NAME}` in them: what remains stands there as it is."""
    if isinstance(value, Mapping):
        return {name: bare(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [bare(inner) for inner in value]
    return None if isinstance(value, str) and names(value) else value


def around(text: str) -> str:
    """Return what stands around each `${NAME}` in *text*."""
    return _PLACE.sub("", text)
