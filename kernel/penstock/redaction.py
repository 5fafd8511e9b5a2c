"""What must not be shown: the values of the secrets that this process has asked for."""

import json
from collections.abc import Mapping
from typing import Any, Final

_SHORTEST: Final = 4  # characters; shorter texts are part of too many words
_secrets: Final[set[str]] = set()  # one for the process, as its log is; threads add to it


def hide(value: Any) -> None:
    """Have the texts in *value* hidden from now on, as they are and as JSON and `repr` write them."""
    if isinstance(value, str) and len(bare := value.strip()) >= _SHORTEST:  # the rest is often stripped
        _secrets.update((bare, json.dumps(bare)[1:-1], repr(bare)[1:-1]))
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            hide(inner)


def known() -> list[str]:
    """Return the texts that are hidden here; another process that is to hide them too is given them."""
    return [*_secrets]


def hidden(value: Any) -> Any:
    """Return *value* with `***` for every secret in its texts; what shows one by its `repr` becomes that text."""
    if not _secrets or isinstance(value, int | float | None):
        return value
    if isinstance(value, Mapping):
        return {key: hidden(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(hidden, value))
    try:
        shown = cleaned = value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - an object of the user's, which is not to end what logs it
        return f"<{type(value).__qualname__}, which cannot be shown>"
    for secret in sorted(_secrets, key=len, reverse=True):  # one may be part of another
        cleaned = cleaned.replace(secret, "***")
    return value if cleaned == shown else cleaned
