"""A REST API is read with patience, within bounds, and with errors that say what to do."""

import gzip
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import stamina
from forges import server
from forges.server import Forge, Place, running
from httpx2 import Headers
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from penstock import clock, errors
from penstock.testing.clocks import VirtualClock
from penstock_fsspec import rest
from penstock_fsspec.rest import (
    AbsentError,
    AccessError,
    Answer,
    RateLimitError,
    RestClient,
    ServiceError,
    _KeptAnswers,
)

_NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
_NUMBERS = TypeAdapter(dict[str, int])


class Numbers(Forge):
    """A service with a document at every path, and one that needs a token."""

    number = 1

    def token_of(self, request: Request) -> str | None:
        return request.headers.get("authorization")

    def refuse(self, code: int) -> Response:
        return JSONResponse({"message": "no"}, code)

    def answer(self, request: Request, parts: list[str]) -> Response:
        if parts == ["secret"] and not self.token_of(request):
            return self.refuse(403)
        return JSONResponse({"number": self.number})


@pytest.fixture(autouse=True)
def hasty() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture(autouse=True)
def time() -> Iterator[VirtualClock]:
    virtual = VirtualClock(_NOW)
    with clock.use(virtual):
        yield virtual


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running() as place:
        yield place


@pytest.fixture
def numbers(place: Place, monkeypatch: pytest.MonkeyPatch) -> Numbers:
    monkeypatch.setattr(rest, "_kept", _KeptAnswers(1 << 20))
    serving = place.serve(Numbers())
    serving.tokens.add("known")
    return serving


@pytest.fixture
def client(numbers: Numbers) -> RestClient:
    return RestClient("Numbers", numbers.address, secret="NUMBERS")  # noqa: S106 - its name


@pytest.fixture
def known(numbers: Numbers) -> RestClient:
    return RestClient("Numbers", numbers.address, secret="NUMBERS", credentials={"Authorization": "known"})  # noqa: S106


def test_a_document_is_read_and_checked(client: RestClient, numbers: Numbers) -> None:
    assert client.read(_NUMBERS, "a/b", "the number", {"q": "x y"}) == {"number": 1}
    assert numbers.asked[0].path in ("/a/b?q=x%20y", "/a/b?q=x+y")
    numbers.plant(server.document({"number": "many"}))
    with pytest.raises(ServiceError, match=r"answers for the number is .* \(application/json: number Input should be"):
        client.read(_NUMBERS, "a", "the number")


def test_a_changed_document_takes_the_place_of_the_one_before(client: RestClient, numbers: Numbers) -> None:
    for number, kept in ((1, 0), (1, 1), (2, 1), (2, 2)):
        numbers.number = number
        assert client.read(_NUMBERS, "a", "the number") == {"number": number}
        assert numbers.count(304) == kept


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": format_datetime(_NOW + timedelta(seconds=20), usegmt=True)}, 20),
        ({"retry_after": "soon"}, 60),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(_NOW.timestamp()) + 30)}, 30),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "12"}, 12),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "0"}, 1),
        ({"x_ratelimit_remaining": "9", "x_ratelimit_reset": str(int(_NOW.timestamp()) + 3000)}, 60),
        ({}, 60),
    ],
    ids=["seconds", "date", "nonsense", "moment", "away", "past", "secondary", "nothing"],
)
@pytest.mark.parametrize("code", [403, 429])
def test_a_limit_is_waited_for_as_long_as_the_service_says(
    client: RestClient, numbers: Numbers, time: VirtualClock, headers: dict[str, str], seconds: float, code: int
) -> None:
    at = format_datetime(_NOW, usegmt=True)
    numbers.plant(server.status(code, "You have exceeded a secondary rate limit.", date=at, **headers))
    begin = time.monotonic()
    assert client.read(_NUMBERS, "a", "the number") == {"number": 1}
    assert time.monotonic() - begin == seconds


def test_moments_count_by_the_services_own_clock(client: RestClient, numbers: Numbers, time: VirtualClock) -> None:
    theirs = _NOW + timedelta(hours=5)
    headers = {"date": format_datetime(theirs, usegmt=True), "x_ratelimit_reset": str(int(theirs.timestamp()) + 10)}
    numbers.plant(server.status(429, x_ratelimit_remaining="0", **headers))
    begin = time.monotonic()
    client.get("a", "the number")
    assert time.monotonic() - begin == 10


def test_no_more_is_waited_than_patience_allows(client: RestClient, numbers: Numbers, time: VirtualClock) -> None:
    numbers.plant(server.status(429, retry_after="40"), times=2)
    begin = time.monotonic()
    with pytest.raises(RateLimitError) as caught:
        client.get("a", "the number")
    assert time.monotonic() - begin == 40
    assert caught.value.resets == _NOW + timedelta(seconds=80)
    assert str(caught.value) == (
        "Numbers limits how often it is asked, and gives the number again in 40 s, at 2030-01-01T12:01:20+00:00. "
        'Put a token into the secret "NUMBERS", since it allows for more requests, or wait'
    )
    assert caught.value.exit_code == 3


def test_a_limit_without_end_is_still_a_moment(known: RestClient, numbers: Numbers) -> None:
    numbers.plant(server.status(429, retry_after="9" * 300))
    with pytest.raises(RateLimitError, match=r"at 2030-01-08T12:00:00.*Use a token of its own") as caught:
        known.get("a", "the number")
    assert caught.value.resets == _NOW + timedelta(days=7)


def test_a_refusal_says_whether_a_token_is_missing_or_weak(
    client: RestClient, known: RestClient, numbers: Numbers
) -> None:
    with pytest.raises(AccessError, match=r'gives it only to those with a token: 403 "no". Put one into the secret'):
        client.get("secret", "it")
    assert known.get("secret", "it").status == 200
    numbers.plant(server.status(403, "SSO"))
    with pytest.raises(AccessError, match=r'refuses the token for it: 403 "SSO". It may not read this: give it'):
        known.get("secret", "it")


@pytest.mark.parametrize("code", [404, 409, 410, 422])
def test_what_is_not_there_is_absent(client: RestClient, numbers: Numbers, code: int) -> None:
    numbers.plant(server.status(code, "gone"))
    with pytest.raises(AbsentError, match=f'does not find it: {code} "gone"'):
        client.get("a", "it")


@pytest.mark.parametrize(
    "shape",
    [{"message": "words"}, {"error": "words"}, {"error": {"message": "words"}}, {"errors": [{"message": "words"}]}],
    ids=["message", "error", "inner", "several"],
)
def test_a_services_own_words_are_passed_on(client: RestClient, numbers: Numbers, shape: object) -> None:
    numbers.plant(lambda _: JSONResponse(shape, 418))
    with pytest.raises(ServiceError, match='does not give it: 418 "words"'):
        client.get("a", "it")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>", b""], ids=["list", "object", "html", "nothing"])
def test_a_service_may_say_nothing(client: RestClient, numbers: Numbers, body: bytes) -> None:
    numbers.plant(lambda _: Response(body, 418))
    with pytest.raises(ServiceError, match=r"does not give it: 418$"):
        client.get("a", "it")


def test_no_more_is_taken_than_the_limit(client: RestClient, numbers: Numbers) -> None:
    assert len(client.get("a", "it", limit=12).content) == 12
    with pytest.raises(ServiceError, match="for it is larger than 11 bytes, which is the most we take"):
        client.get("b", "it", limit=11)


def test_a_bomb_is_not_blown_up(client: RestClient, numbers: Numbers) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    numbers.plant(lambda _: Response(bomb, headers={"content-encoding": "gzip"}))
    with pytest.raises(ServiceError, match="for it is larger than 1,000,000 bytes"):
        client.get("a", "it", limit=1_000_000)


def test_what_cannot_be_unpacked_is_told(client: RestClient, numbers: Numbers) -> None:
    numbers.plant(lambda _: Response(b"plain", headers={"content-encoding": "gzip"}), times=3)
    with pytest.raises(ServiceError, match="gives no answer for it: DecodingError"):
        client.get("a", "it")


def test_a_redirect_at_home_keeps_the_token_and_one_elsewhere_does_not(known: RestClient, numbers: Numbers) -> None:
    with Numbers().serving() as elsewhere:
        numbers.plant(server.redirect("/secret"), inside="/a")
        numbers.plant(server.redirect(f"{elsewhere.address}/secret"), inside="/b")
        assert known.get("a", "it").status == 200
        with pytest.raises(AccessError):
            known.get("b", "it")
        assert "authorization" not in elsewhere.asked[0].headers


@pytest.mark.parametrize("target", ["ftp://example.test/x?token=hidden", "/again?token=hidden"], ids=["scheme", "loop"])
def test_a_redirect_that_leads_nowhere_is_not_followed(client: RestClient, numbers: Numbers, target: str) -> None:
    numbers.plant(server.redirect(target), times=99)
    with pytest.raises(ServiceError, match=r"sends us on to (ftp|http)://[\w.]+ for it, and we do not go") as caught:
        client.get("a", "it")
    assert "hidden" not in str(caught.value)


def test_a_service_that_is_away_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = RestClient("Numbers", address, secret="NUMBERS")  # noqa: S106 - its name
    with pytest.raises(
        ServiceError, match=rf"no answer for it: no connection \(.*Check that {address} can be"
    ) as caught:
        client.get("a", "it")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("example.org", "is like https://HOST/PATH; found"),
        ("ftp://example.org", "is like https://HOST/PATH; found"),
        ("https://", "is like https://HOST/PATH; found"),
        ("https://example.org?a=b", "is like https://HOST/PATH; found"),
        ("https://ann:password@example.org", "at example.org holds a password; give it as a secret"),
        ("https://example.org:port", "is no URL"),
    ],
    ids=["no-scheme", "scheme", "no-host", "query", "password", "port"],
)
def test_an_address_is_a_plain_one(address: str, reason: str) -> None:
    with pytest.raises(errors.SettingsError, match=f"The address of Numbers {reason}") as caught:
        RestClient("Numbers", address, secret="NUMBERS")  # noqa: S106 - its name
    assert "ann" not in str(caught.value)


def test_answers_are_kept_up_to_a_number_of_bytes() -> None:
    kept = _KeptAnswers(100)
    tagged = Headers({"etag": "x"})
    for key in "abcde":
        kept.keep(key, Answer(200, tagged, b"0" * 25))
        kept.get("a")
    assert [key for key in "abcde" if kept.get(key)] == ["a", "c", "d", "e"]
    kept.keep("a", Answer(200, tagged, b"1"))
    kept.keep("f", Answer(200, tagged, b"0" * 24))
    assert [key for key in "acdef" if kept.get(key)] == ["a", "c", "d", "e", "f"]


def test_an_answer_without_an_etag_or_too_large_is_not_kept() -> None:
    kept = _KeptAnswers(100)
    kept.keep("a", Answer(200, Headers(), b""))
    kept.keep("b", Answer(200, Headers({"etag": "x"}), b"0" * 26))
    assert kept.get("a") is kept.get("b") is None
