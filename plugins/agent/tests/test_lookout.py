"""An agent hears of runs, and of a backend that it cannot hear."""

import threading
from collections.abc import Iterator

import pytest

from penstock import errors
from penstock_agent.lookout import Lookout

from .conftest import SECONDS, until


class Watched:
    """A backend that is away the first time it is watched, and tells of runs when it is told to."""

    def __init__(self) -> None:
        self.times = 0
        self.news = threading.Event()

    def watch_due_runs(self, stop: threading.Event, seconds: float) -> Iterator[None]:
        self.times += 1
        if self.times == 1:
            raise errors.BackendUnreachableError("away")
        while not stop.is_set():
            if self.news.wait(0.01):
                self.news.clear()
                yield


@pytest.fixture
def backend() -> Watched:
    return Watched()


@pytest.fixture
def seen() -> threading.Event:
    return threading.Event()


@pytest.fixture
def lookout(backend: Watched, seen: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookout]:
    monkeypatch.setattr("penstock_agent.lookout._AGAIN_SECONDS", 0.01)
    lookout = Lookout(backend, 0.01, seen)  # type: ignore[arg-type] # it has what a lookout calls
    lookout.start()
    yield lookout
    lookout.close()


@pytest.mark.usefixtures("lookout")
def test_a_backend_that_cannot_be_watched_is_asked_and_watched_again(backend: Watched, seen: threading.Event) -> None:
    assert seen.wait(SECONDS), "who asks is told what is wrong"
    until(lambda: backend.times == 2)


@pytest.mark.usefixtures("lookout")
def test_it_sees_what_the_backend_tells_of_and_nothing_else(backend: Watched, seen: threading.Event) -> None:
    until(lambda: backend.times == 2)
    seen.clear()
    assert not seen.wait(0.1)
    backend.news.set()
    assert seen.wait(SECONDS)


def test_it_ends_when_it_is_closed(lookout: Lookout, seen: threading.Event) -> None:
    lookout.close()
    seen.clear()
    assert not seen.wait(0.1)
