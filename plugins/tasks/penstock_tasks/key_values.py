"""The key-value store that flows share: small JSON values, kept by the backend; by default that of penstock's home."""

from typing import Any

from penstock import errors, get_backend
from penstock.backends.models import Document


def set_key_value(key: str, value: Any) -> None:
    """Keep *value*, which is JSON of at most 256 KiB, under *key*; raises DocumentError."""
    get_backend().put_document(Document(kind="value", name=key, data={"value": value}))


def get_key_value(key: str) -> Any:
    """Return the value of *key*; raises DocumentError naming a near one if there is none."""
    backend = get_backend()
    found = backend.list_documents("value", name=key)
    if not found:
        hint = errors.did_you_mean(key, list_keys()) or " List the keys: penstock kv list"
        raise errors.DocumentError(f'The key-value store has no key "{key}".{hint}')
    return found[0].data["value"]


def delete_key(key: str) -> bool:
    """Delete *key*; return whether it was there."""
    return get_backend().delete_document("value", key)


def list_keys() -> list[str]:
    """Return the keys, sorted."""
    return [one.name for one in get_backend().list_documents("value", limit=1_000_000)]
