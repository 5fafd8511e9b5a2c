"""What must not be shown: the values of the secrets that this process has asked for."""

import json
from collections.abc import Mapping
from typing import Any, Final

_SHORTEST: Final = 4  # characters; shorter texts are part of too many words
_secrets: tuple[str, ...] = ()  # the longest first; replaced and not changed, as threads read it


def hide(value: Any) -> None:
    """Have the texts in *value* hidden from now on, as they are and as JSON and `repr` write them."""
    global _secrets  # noqa: PLW0603 - one for the process, as its log is
    if isinstance(value, str) and len(value) >= _SHORTEST:
        _secrets = tuple(sorted({*_secrets, value, json.dumps(value)[1:-1], repr(value)[1:-1]}, key=len, reverse=True))
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            hide(inner)


def active() -> bool:
    """Return whether there is anything to hide."""
    return bool(_secrets)


def hidden(value: Any) -> Any:
    """Return *value* with `***` for every secret in its texts."""
    if not _secrets:
        return value
    if isinstance(value, str):
        for secret in _secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, Mapping):
        return {key: hidden(inner) for key, inner in value.items()}
    return type(value)(map(hidden, value)) if type(value) in (list, tuple) else value
