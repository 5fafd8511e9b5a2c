"""The keys that a secret holds, whichever of their usual names it gives them."""

from collections.abc import Mapping
from typing import Any, Final

from penstock import Secret, errors
from penstock_fsspec import options

_NAMES: Final = {
    "key": ("key", "accesskey", "accesskeyid"),
    "secret": ("secret", "secretkey", "secretaccesskey"),
    "token": ("token", "sessiontoken"),
}


def keys(given: Secret | dict[str, Any] | None) -> dict[str, str]:
    """Return key, secret and token as s3fs calls them; nothing if nothing is given.

    Raises SettingsError naming what is missing, SecretMissingError.
    """
    if given is None:
        return {}
    source = f'The secret "{given.name}"' if isinstance(given, Secret) else 'The option "credentials"'
    values = options.revealed(given)
    if not isinstance(values, Mapping):
        raise errors.SettingsError(f"{source} is no JSON object; {_EXPECTED}")
    found = {_plain(name): value for name, value in values.items()}
    known = {
        option: str(found[name]) for option, names in _NAMES.items() for name in names if found.get(name) is not None
    }
    if not {"key", "secret"} <= set(known):
        raise errors.SettingsError(f"{source} has {errors.listing(values, 'nothing')}; {_EXPECTED}")
    return known


_EXPECTED: Final = 'expected is {"key": …, "secret": …}, with "token" where the keys are temporary'


def _plain(name: str) -> str:
    """Return what `AccessKeyId`, `ACCESS_KEY_ID` and `aws_access_key_id` have in common."""
    return "".join(letter for letter in name.lower() if letter.isalpha()).removeprefix("aws")
