"""What an error of Google Cloud Storage means, and what to do about it."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import requests
from fsspec.exceptions import FSTimeoutError
from gcsfs.retry import HttpError
from google.auth import exceptions

_RIGHT: Final = re.compile(r"storage\.\w+\.\w+")


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket as messages name it: where it is, and which secret holds the credentials for it."""

    bucket: str
    endpoint: str | None
    secret: str | None

    def without_bucket(self) -> str:
        """Say that there is no such bucket."""
        hint = f'Create it (gcloud storage buckets create gs://{self.bucket}), or correct the option "bucket"'
        return f'there is no bucket "{self.bucket}" at {self._service}. {hint}'

    def explain(self, error: BaseException) -> str | None:
        """Return what *error* means, or None if that is not known."""
        origin = error.__cause__ if isinstance(error, FSTimeoutError) else error
        answer = _answer(origin)
        return self._answered(*answer) if answer else self._failed(origin)

    def _answered(self, code: int, told: str) -> str | None:
        """Explain an error that the service answered with."""
        if code == HTTPStatus.FORBIDDEN:
            return self._refused(told)
        if code == HTTPStatus.UNAUTHORIZED and "Anonymous" in told:
            return f'{self._service} asks for credentials. Name a secret that holds them with the option "credentials"'
        if code == HTTPStatus.UNAUTHORIZED:
            return f"{self._service} does not accept {self._keys}: they have expired or were revoked. Get new ones"
        if code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return f"{self._service} was too busy or failed ({code}), also when asked again. Try later"
        return None

    def _failed(self, error: BaseException | None) -> str | None:
        """Explain an error that the client raised on its own."""
        match error:
            case exceptions.DefaultCredentialsError():
                chain = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
                return (
                    f'no credentials were found. Name a secret that holds them with the option "credentials", {chain}'
                )
            case exceptions.GoogleAuthError():
                return f"{self._keys} cannot be used: {' '.join(str(error).split())}. Get new ones"
            case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
                return f'nobody answers at {self._service}. Check the network, and the option "endpoint_url"'
            case aiohttp.ClientError():
                return f"the connection to {self._service} broke off, also when tried again. Try later"
        return None

    def _refused(self, told: str) -> str:
        right = match[0] if (match := _RIGHT.search(told)) else "what was asked for"
        hint = f"Grant them the role roles/storage.objectUser on the bucket {self.bucket}"
        return f"{self._service} refuses {right} to {self._keys}: {told.strip() or 'it does not say why'} {hint}"

    @property
    def _service(self) -> str:
        return self.endpoint or "Google Cloud Storage"

    @property
    def _keys(self) -> str:
        return f'the credentials in the secret "{self.secret}"' if self.secret else "the credentials found here"


def _answer(error: Any) -> tuple[int, str] | None:
    """Return the status and the words that the service answered with, in the forms that gcsfs gives them."""
    if isinstance(error, HttpError):
        return int(error.code or 0), str(error.message)
    if isinstance(error, requests.exceptions.ProxyError):
        return HTTPStatus.BAD_GATEWAY, ""
    if isinstance(error, OSError) and str(error).startswith("Forbidden"):
        return HTTPStatus.FORBIDDEN, str(error).partition("\n")[2]
    return None
