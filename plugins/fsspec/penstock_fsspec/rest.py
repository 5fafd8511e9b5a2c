"""Reading from the REST API of a service: retries, rate limits, ETags and bounds, in one place for all of them.

It stands on httpx2 and stamina, which come with the extra `penstock-fsspec[rest]`.
"""

import json
import re
import ssl
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from hashlib import sha256
from typing import Final, TypeVar

import httpx2
import stamina
from httpx2 import codes
from pydantic import TypeAdapter, ValidationError

from penstock import clock, errors
from penstock.logs import get_logger

JSON: Final = "application/json"
MEBIBYTE: Final = 1 << 20
_DOCUMENT_LIMIT: Final = 32 * MEBIBYTE
_ATTEMPTS: Final = 4
_REDIRECTS: Final = 5
_SILENCE: Final = 30.0  # seconds without a byte
_PAUSE: Final = 60.0  # seconds, where a service limits us and does not say for how long
_LONGEST_PAUSE: Final = 7 * 86400.0
_EPOCH: Final = 1e9  # a smaller number is no moment but a number of seconds
_WORDS: Final = 200  # characters of a service's own words
_FLEETING: Final = frozenset({500, 502, 503, 504})
_ABSENT: Final = frozenset({404, 409, 410, 422})  # GitHub: 409 in an empty repository, 422 for an unknown commit

T = TypeVar("T")
Query = Mapping[str, str | int]


class ServiceError(errors.StorageUnreachableError):
    """A service does not answer, or not as its API is documented."""


class AbsentError(ServiceError, LookupError):
    """A service has nothing at an address, or hides it from us."""


class AccessError(ServiceError, PermissionError):
    """A service refuses our token, or wants one."""


class RateLimitError(ServiceError):
    """A service answers no more until a moment that is later than we wait for."""

    def __init__(self, message: str, resets: datetime) -> None:
        """Take the message, and the moment in UTC, which is kept as `resets`."""
        super().__init__(message)
        self.resets = resets


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered."""

    status: int
    headers: httpx2.Headers
    content: bytes


class _FleetingError(Exception):
    """What may be well the next time."""


class _KeptAnswers:
    """Answers that have an ETag, up to a number of bytes; those used least recently go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Answer | None:
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def keep(self, key: str, answer: Answer) -> None:
        if "etag" not in answer.headers or len(answer.content) > self._most_bytes // 4:
            return
        with self._lock:
            self._bytes -= len(self._answers.pop(key).content) if key in self._answers else 0
            self._answers[key] = answer
            self._bytes += len(answer.content)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._answers.popitem(last=False)[1].content)


_kept: Final = _KeptAnswers(32 * MEBIBYTE)  # one for the process: ETags outlive the object that met them


def plain_address(service: str, address: str) -> str:
    """Return the address of *service* without a slash at its end.

    Raises SettingsError, showing no password, if it is none of http or https, or has a password or a query.
    """
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        raise errors.SettingsError(f"The address of {service} is no URL: {error}") from error
    if url.userinfo:
        raise errors.SettingsError(f"The address of {service} at {url.host} holds a password; give it as a secret")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise errors.SettingsError(f"The address of {service} is like https://HOST/PATH; found {address!r}")
    return address.rstrip("/")


class RestClient:
    """Reads from *service*, whose API is at *address*. Threads may share it.

    * *credentials* are headers, made of the secret that is named *secret*. They go to the hosts of *address* and of
      *trusted*, which are addresses too, and nowhere else, whatever redirects say. No message and no `repr` shows them.
    * *headers* go with every request.
    * It waits for a rate limit to reset if that takes no more than *patience* seconds.
    """

    def __init__(
        self,
        service: str,
        address: str,
        *,
        secret: str,
        credentials: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        trusted: Iterable[str] = (),
        patience: float = 60.0,
    ) -> None:
        """Raise SettingsError for an address that is no plain http or https one, and for a token that cannot be one."""
        self.service = service
        self.address = plain_address(service, address)
        self.secret = secret
        self._trusted = {_origin(httpx2.URL(plain_address(service, one))) for one in (address, *trusted)}
        self._credentials = dict(credentials or {})
        if not all(value.isascii() and value.isprintable() for value in self._credentials.values()):
            raise errors.SettingsError(f'The secret "{secret}" holds no token of {service}: that is one line of ASCII')
        self._headers = {"User-Agent": "penstock", **(headers or {})}
        self._patience = patience
        self._client = httpx2.Client(timeout=_SILENCE, verify=_certificates())
        weakref.finalize(self, self._client.close)

    @property
    def has_token(self) -> bool:
        """Whether there are credentials."""
        return bool(self._credentials)

    def __repr__(self) -> str:
        """Name the service and its address."""
        return f"<RestClient {self.service} at {self.address}>"

    def read(self, shape: TypeAdapter[T], path: str, what: str, query: Query | None = None) -> T:
        """Return the document at *path*, which has to be of *shape*; otherwise as `get` and `parsed`."""
        return self.parsed(shape, self.get(path, what, query), what)

    def parsed(self, shape: TypeAdapter[T], answer: Answer, what: str) -> T:
        """Return the document of *answer*; raises ServiceError if it is not of *shape*."""
        try:
            return shape.validate_json(answer.content)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"]))
            found = f"{answer.headers.get('content-type', 'no content type')}: {where} {fault['msg']}"
            raise ServiceError(
                f"What {self.service} answers for {what} is not what its API documents ({found}). "
                f"Check that {self.address} is the address of its API"
            ) from None  # a validation error shows what was answered, which may hold anything

    def get(
        self,
        path: str,
        what: str,
        query: Query | None = None,
        *,
        accept: str = JSON,
        limit: int = _DOCUMENT_LIMIT,
        method: str = "GET",
    ) -> Answer:
        """Return the answer at *path*, which is quoted and relative to the address of the API, or an address itself.

        *what* names in messages what was asked for. Raises AbsentError, AccessError, RateLimitError, and ServiceError
        for everything else, an answer of more than *limit* bytes included.
        """
        url = httpx2.URL(path if "://" in path else f"{self.address}/{path}").copy_merge_params(dict(query or {}))
        waited = 0.0
        while True:
            answer = self._asked(method, url, accept, what, limit)
            if answer.status < codes.MULTIPLE_CHOICES:
                return answer
            pause = _pause(answer)
            if pause is None:
                raise self._refused(answer, what)
            if waited + pause > self._patience:
                raise self._limited(what, pause)
            get_logger(__name__).warning("%s limits how often it is asked: waiting for %.0f s", self.service, pause)
            clock.sleep(pause)
            waited += pause

    def _asked(self, method: str, url: httpx2.URL, accept: str, what: str, limit: int) -> Answer:
        """Return the answer, or the one from before if the service says that it still holds."""
        asked = [method, str(url), accept, *map(repr, sorted(self._credentials.items()))]
        key = sha256("\n".join(asked).encode()).hexdigest()
        known = _kept.get(key)
        headers = {**self._headers, "Accept": accept, **({"If-None-Match": known.headers["etag"]} if known else {})}
        answer = self._persist(method, url, headers, what, limit)
        if known is not None and answer.status == codes.NOT_MODIFIED:
            return known
        if answer.status == codes.OK:
            _kept.keep(key, answer)
        return answer

    def _persist(self, method: str, url: httpx2.URL, headers: Mapping[str, str], what: str, limit: int) -> Answer:
        try:
            for attempt in stamina.retry_context(on=_FleetingError, attempts=_ATTEMPTS, timeout=None, wait_initial=0.2):
                with attempt:
                    return self._followed(method, url, headers, what, limit)
        except _FleetingError as error:
            message = f"{self.service} gives no answer for {what}: {error}"
            raise ServiceError(f"{message}. Check that {self.address} can be reached, then try again") from error
        raise AssertionError  # stamina raises the last error instead

    def _followed(self, method: str, url: httpx2.URL, headers: Mapping[str, str], what: str, limit: int) -> Answer:
        for _ in range(_REDIRECTS):
            answer = self._exchanged(method, url, headers, what, limit)
            if answer.status == codes.NOT_MODIFIED or "location" not in answer.headers:
                return answer
            here, url = url, url.join(answer.headers["location"])
            if url.scheme not in ("https", here.scheme):
                break
        place = f"{url.scheme}://{url.host}"  # the rest may hold a token of its own
        raise ServiceError(f"{self.service} sends us on to {place} for {what}, and we do not go. Check {self.address}")

    def _exchanged(self, method: str, url: httpx2.URL, headers: Mapping[str, str], what: str, limit: int) -> Answer:
        sent = {**headers, **(self._credentials if _origin(url) in self._trusted else {})}
        content = bytearray()
        try:
            with self._client.stream(method, url, headers=sent) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > limit:
                        raise self._too_large(what, limit)
        except httpx2.RequestError as error:
            raise _FleetingError(_cause(error)) from error
        if response.status_code in _FLEETING:
            raise _FleetingError(f"it answers {response.status_code}")
        return Answer(response.status_code, response.headers, bytes(content))

    def _too_large(self, what: str, limit: int) -> ServiceError:
        message = f"What {self.service} answers for {what} is larger than {limit:,} bytes, which is the most we take"
        return ServiceError(f"{message}. Keep data out of the repository, or keep the flow in another storage")

    def _refused(self, answer: Answer, what: str) -> ServiceError:
        said = self._said(answer)
        if answer.status in _ABSENT:
            return AbsentError(f"{self.service} does not find {what}: {said}")
        if answer.status not in (codes.UNAUTHORIZED, codes.FORBIDDEN):
            return ServiceError(f"{self.service} does not give {what}: {said}")
        place = f'the secret "{self.secret}"'
        if not self.has_token:
            return AccessError(f"{self.service} gives {what} only to those with a token: {said}. Put one into {place}")
        if answer.status == codes.UNAUTHORIZED:
            fate = f"It has expired, was revoked, or is of another service: put a new one into {place}"
        else:
            fate = f"It may not read this: give it the right to, or put another one into {place}"
        return AccessError(f"{self.service} refuses the token for {what}: {said}. {fate}")

    def _limited(self, what: str, pause: float) -> RateLimitError:
        resets = clock.now().replace(microsecond=0) + timedelta(seconds=round(pause))
        advice = f'Put a token into the secret "{self.secret}", since it allows for more requests'
        message = (
            f"{self.service} limits how often it is asked, and gives {what} again in {pause:.0f} s, "
            f"at {resets.isoformat()}. {'Use a token of its own for this' if self.has_token else advice}, or wait"
        )
        return RateLimitError(message, resets)

    def _said(self, answer: Answer) -> str:
        """Return the status and the service's own words, as many as fit, without the credentials."""
        words = re.sub(r"\s+", " ", _message(answer.content))
        for part in {part for value in self._credentials.values() for part in (value, value.split()[-1])}:
            words = words.replace(part, "***")
        return f'{answer.status} "{words[:_WORDS]}"' if words else f"{answer.status}"


@cache
def _certificates() -> ssl.SSLContext:
    """Return what the machine trusts; reading that takes longer than most requests."""
    return httpx2.create_ssl_context()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)


def _cause(error: httpx2.RequestError) -> str:
    match error:
        case httpx2.ConnectError():
            return f"no connection ({error})"
        case httpx2.TimeoutException():
            return f"nothing came for {_SILENCE:.0f} s"
        case httpx2.RemoteProtocolError() | httpx2.ReadError():
            return f"the connection was cut ({error})"
        case _:
            return f"{type(error).__name__} ({error})"


def _message(content: bytes) -> str:
    """Return what a service says in an error document, in any of the shapes that services have."""
    try:
        document = json.loads(content)
    except ValueError:
        return ""
    match document:
        case {"message": str(words)} | {"error": {"message": str(words)}} | {"error": str(words)}:
            return words
        case {"errors": [{"message": str(words)}, *_]}:
            return words
        case _:
            return ""


def _pause(answer: Answer) -> float | None:
    """Return for how many seconds a service does not want to be asked, or None if that is not what it says.

    As GitHub documents it, and with the names of the headers that GitLab has.
    """
    headers = answer.headers
    spent = "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining"))
    told = spent or "retry-after" in headers or "rate limit" in _message(answer.content).lower()
    if not (answer.status == codes.TOO_MANY_REQUESTS or (answer.status == codes.FORBIDDEN and told)):
        return None
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    pause = _seconds(headers.get("retry-after") or (reset if spent else ""), _now(headers))
    return min(max(pause, 1.0), _LONGEST_PAUSE)


def _seconds(text: str, now: datetime) -> float:
    """Return how far away the moment is that a header names: as seconds from now, from 1970, or as a date."""
    try:
        number = float(text)
    except ValueError:
        moment = _date(text)
        return (moment - now).total_seconds() if moment else _PAUSE
    return number - now.timestamp() if number >= _EPOCH else number


def _now(headers: httpx2.Headers) -> datetime:
    """Return the service's own time, since that is what it counts in."""
    return _date(headers.get("date", "")) or clock.now()


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
