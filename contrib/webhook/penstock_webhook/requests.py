"""Requests to a server of the user's: retried while that may help, bounded, and explained when they fail."""

import logging
import re
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx2
import stamina
from httpx2 import codes

from penstock import errors, redaction
from penstock_fsspec.options import revealed
from penstock_webhook import templates

BODY: Final = ("json", "data")
"""The options that are the body of a request."""
_SHAPES: Final[dict[str, tuple[type, ...]]] = {
    "url": (str,),
    "params": (dict,),
    "headers": (dict,),
    "cookies": (dict,),
    "auth": (list,),
    "timeout": (int, float, list),
    "verify": (bool, str),
    "allow_redirects": (bool,),
    "json": (object,),
    "data": (dict,),
}  # under the names that the library requests has for them
_PAIRS: Final = ("auth", "timeout")
_ATTEMPTS: Final = 4
_SILENCE: Final = 30.0  # seconds without a byte
_FLEETING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING: Final = (
    httpx2.NetworkError,
    httpx2.ProxyError,
    httpx2.RemoteProtocolError,
    httpx2.TimeoutException,
    OSError,
)
_REFUSED: Final = frozenset({codes.UNAUTHORIZED, codes.FORBIDDEN, codes.PROXY_AUTHENTICATION_REQUIRED})
_ABSENT: Final = frozenset({codes.NOT_FOUND, codes.GONE})
_MOST_WORDS: Final = 4096  # bytes of a server's own words that are read, and characters that are shown
_SHOWN: Final = 200
_USER: Final = re.compile(r"//[^/@]*@")


class _FleetingError(Exception):
    """What may be well the next time."""


class _Hidden(logging.Filter):
    """Takes the values of secrets out of what the client logs: the addresses of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redaction.hidden(record.getMessage()), ()
        return True


_hidden: Final = _Hidden()


@cache
def _trust(verify: bool | str) -> ssl.SSLContext:
    """Return whom to trust: those that the machine trusts, those of a file or folder, or everybody."""
    if isinstance(verify, bool):
        return httpx2.create_ssl_context(verify=verify)
    with errors.told_as(errors.SettingsError, f"No certificates can be read from verify={verify!r}", OSError):
        folder = Path(verify).is_dir()
        return ssl.create_default_context(cafile=None if folder else verify, capath=verify if folder else None)


def fault(options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the options of a request, without their values, or None."""
    unknown = set(options) - set(_SHAPES)
    if unknown:
        return f"a request has no {errors.listing(unknown)}; it has {errors.listing(_SHAPES)}"
    for name, value in options.items():
        if not isinstance(value, _SHAPES[name]):
            expected = " or ".join(shape.__name__ for shape in _SHAPES[name])
            return f"{name} of a request is of type {expected}; found {type(value).__name__}"
        if name in _PAIRS and isinstance(value, list) and len(value) != 2:  # noqa: PLR2004 - a pair
            return f"{name} of a request has two parts; found {len(value)}"
    return None if "url" in options else "a request needs a url"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the user describes it: its method, and options with `${NAME}` in them, for *known* or secrets."""

    method: str
    options: Mapping[str, Any]
    known: Mapping[str, str]

    @property
    def name(self) -> str:
        """The method and the address, in which nothing is filled in, and no user named."""
        return f"{self.method} {_USER.sub('//', self.options['url'])}"

    def client(self) -> httpx2.Client:
        """Return a client that connects as the options say."""
        logging.getLogger("httpx2").addFilter(_hidden)
        timeout = self.options.get("timeout", _SILENCE)
        connect, read = timeout if isinstance(timeout, list) else (timeout, timeout)
        limits = httpx2.Timeout(read, connect=connect)
        trusted = _trust(self.options.get("verify", True))
        follow = self.options.get("allow_redirects", False)
        return httpx2.Client(verify=trusted, timeout=limits, follow_redirects=follow)

    def send(self, client: httpx2.Client, content: bytes | None, most: int) -> bytes:
        """Return at most *most* bytes of the answer; *content* is sent.

        Raises FlowNotStoredError if the server has nothing there, StorageUnreachableError for all else.
        """
        built = self._built(client, content)
        try:
            for attempt in stamina.retry_context(on=_FleetingError, attempts=_ATTEMPTS, timeout=None, wait_initial=0.2):
                with attempt:
                    return self._answer(client, built, most)
        except _FleetingError as error:
            message = f"{self.name} fails: {error}"
            raise errors.StorageUnreachableError(f"{message}. Check that the server can be reached") from error
        raise AssertionError  # stamina raises the last error instead

    def _built(self, client: httpx2.Client, content: bytes | None) -> httpx2.Request:
        options = revealed(templates.fill(dict(self.options), self.known))
        headers = {"Accept-Encoding": "identity", **options.get("headers", {})}
        given = {name: options[name] for name in ("cookies", *BODY) if name in options}
        if content is not None:
            headers = {"Content-Type": "application/octet-stream", **headers}
            given["content"] = content
        try:
            url = httpx2.URL(options["url"]).copy_merge_params(options.get("params", {}))
            if url.scheme not in ("http", "https") or not url.host:
                raise ValueError  # noqa: TRY301 - told below, without what was filled in
            request = client.build_request(self.method, url, headers=headers, **given)
        except (ValueError, TypeError, httpx2.InvalidURL):
            message = f"{self.name} cannot be sent with what its secrets hold"
            hint = "expected are an address like https://HOST/PATH, and headers of one line in ASCII"
            raise errors.SettingsError(f"{message}: {hint}") from None  # the cause shows values
        if "auth" in options:
            user, password = options["auth"]
            request = next(httpx2.BasicAuth(user, password).auth_flow(request))
        return request

    def _answer(self, client: httpx2.Client, request: httpx2.Request, most: int) -> bytes:
        content = bytearray()
        try:
            with closing(client.send(request, stream=True)) as response:
                bound = most if response.is_success else _MOST_WORDS
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > bound:
                        break
        except _PASSING as error:
            raise _FleetingError(redaction.hidden(f"{type(error).__name__}: {error}")) from error
        except Exception as error:  # the client is other people's code
            cause = redaction.hidden(f"{type(error).__name__}: {error}")
            raise errors.StorageUnreachableError(f"{self.name} cannot be sent: {cause}") from error
        if not response.is_success:
            raise self._error(response, bytes(content))
        return bytes(content[:most])

    def _error(self, response: httpx2.Response, words: bytes) -> Exception:
        status = response.status_code
        said = redaction.hidden(" ".join(words.decode(errors="replace").split()))[:_SHOWN]
        answer = f"{status} ({said})" if said else f"{status}"
        if status in _FLEETING:
            return _FleetingError(f"the answer is {answer}")
        subject = f"{self.name} is answered with {answer}"
        if status in _ABSENT:
            return errors.FlowNotStoredError(f"{subject}: there is nothing. Check the address, or store the flow again")
        if status in _REFUSED:
            secrets = templates.names(dict(self.options)) - set(self.known)
            held = errors.listing(secrets, nothing="no secret, and may need one")
            advice = f"what it is sent with is wrong, has expired, or may not do this. It is sent with {held}"
            return errors.StorageUnreachableError(f"{subject}: {advice}")
        if response.is_redirect:
            place = "elsewhere"
            with suppress(httpx2.InvalidURL):
                place = f"to {response.url.join(response.headers['location']).host}"
            advice = f"it leads {place}. Give that address, or allow_redirects=True to send it on with its headers"
            return errors.StorageUnreachableError(f"{subject}: {advice}")
        return errors.StorageUnreachableError(f"{subject}; expected is a status of 200 to 299")
