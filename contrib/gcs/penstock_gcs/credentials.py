"""Google's credentials, from what a secret holds."""

from collections.abc import Mapping
from typing import Any, Final

import google.auth
from google.oauth2 import credentials, service_account

from penstock import errors

_SCOPES: Final = ["https://www.googleapis.com/auth/devstorage.read_write"]
_EXPECTED: Final = (
    "expected is the JSON of a service account or of an authorized user, or an access token. "
    "For credentials of other kinds, set GOOGLE_APPLICATION_CREDENTIALS to their file"
)


def load(given: Any) -> tuple[Any, str | None]:
    """Return the credentials that *given* stands for, the machine's own if it is None, and the project they name.

    Raises SettingsError for what is none, DefaultCredentialsError if the machine has none.
    """
    if given is None:
        found: tuple[Any, str | None] = google.auth.default(scopes=_SCOPES)
        return found
    if isinstance(given, str):
        return credentials.Credentials(given.strip()), None  # type: ignore[no-untyped-call]  # google-auth's
    kind = given.get("type") if isinstance(given, Mapping) else type(given).__name__
    match kind:
        case "service_account":
            read: Any = service_account.Credentials.from_service_account_info
        case "authorized_user":
            read = credentials.Credentials.from_authorized_user_info
        case _:
            raise errors.SettingsError(f'Credentials of the type "{kind}" cannot be used; {_EXPECTED}')
    try:
        return read(dict(given), scopes=_SCOPES), given.get("project_id")
    except ValueError as error:
        message = f'Credentials of the type "{kind}" are incomplete or damaged: {error}'
        raise errors.SettingsError(f"{message}; {_EXPECTED}") from error
