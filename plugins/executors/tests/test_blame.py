"""What cannot be pickled is named, with the path to it."""

import re
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import cloudpickle
import pytest

from penstock import Flow, task
from penstock_executors import blame

lock = threading.Lock()


class Client:
    def __init__(self, held: Any = None) -> None:
        self.held = held

    def fetch(self) -> Any:
        return self.held


class Slotted:
    __slots__ = ("empty", "held")

    def __init__(self, held: Any) -> None:
        self.held = held


class Proud:
    def __reduce__(self) -> Any:
        raise TypeError("not me")


class Selective(Client):
    """Is pickled by what it says, in which there is more than it holds."""

    def __reduce__(self) -> Any:
        return Client, (["first", lock],)


def closing_over(client: Any) -> Callable[[], Any]:
    def load() -> Any:
        return client

    return load


def using() -> Any:
    return [number for number in range(3) if lock.locked()]


def told(value: Any) -> str | None:
    return blame.told([blame.Part(value, "", "it")], cloudpickle.dumps)


def by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__module__ = "__main__"
    return function


def holding_itself() -> dict[str, Any]:
    made: dict[str, Any] = {"held": lock}
    return {"self": made, **made} | {"again": [made]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lock, "it is a `_thread.lock`"),
        ({"a": [1, (2, lock)]}, "it holds a `_thread.lock` through `['a'][1][1]`"),
        (deque([lock]), "it holds a `_thread.lock` through `[0]`"),
        ({lock}, "it holds a `_thread.lock` through `{…}`"),
        ({lock: 1}, "it holds a `_thread.lock` through `keys()`"),
        (Client({"x": lock}), "it holds a `_thread.lock` through `held['x']`"),
        (Slotted(lock), "it holds a `_thread.lock` through `held`"),
        (closing_over(lock), "the closure of `load` holds a `_thread.lock` through `client`"),
        (closing_over(Client([lock])), "the closure of `load` holds a `_thread.lock` through `client.held[0]`"),
        ([closing_over(closing_over(lock))], "the closure of `load` holds a `_thread.lock` through `client`"),
        (partial(closing_over(lock)), "the closure of `load` holds a `_thread.lock` through `client`"),
        (partial(max, lock), "it holds a `_thread.lock` through `[1][0]`"),
        (by_value(using), "the global scope of `using` holds a `_thread.lock` through `lock`"),
        (by_value(lambda x=lock: x), "the signature of `<lambda>` holds a `_thread.lock` through `x`"),
        (Client(lock).fetch, "the Client of `fetch` holds a `_thread.lock` through `held`"),
        (type("Local", (), {"held": lock, "__module__": "__main__"}), "the class `Local` holds a `_thread.lock`"),
        (Client(number for number in range(3)), "it holds a `generator` through `held`"),
        (Client(Proud()), "it holds a `[a-z_.]*Proud` through `held`: not me"),
        (Selective(), "it holds a `_thread.lock` through `[0][1]`"),
        (holding_itself(), "it holds a `_thread.lock` through `['self']['held']`"),
    ],
)  # fmt: skip
def test_the_path_leads_to_what_cannot_be_pickled(value: Any, words: str) -> None:

    pattern = re.escape(words).replace(re.escape("[a-z_.]*"), "[A-Za-z_.]*")
    assert re.match(pattern, told(value) or "")


def test_a_value_that_holds_itself_is_walked_once() -> None:
    around = Client()
    around.held = [around, {"lock": lock}]
    assert (told(around) or "").startswith("it holds a `_thread.lock` through `held[1]['lock']`")


def test_a_value_nested_too_deep_is_told_as_it_is() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert (told(nested) or "").startswith("it is a `list`")
    while nested:  # freed bit by bit: all at once goes as deep
        nested = nested[0]


def test_nothing_is_told_of_what_can_be_pickled() -> None:
    assert told(Client([1])) is None


def test_a_state_names_the_input_the_closure_and_the_result_by_the_users_own_words() -> None:
    client = Client(lock)

    @task
    def load() -> Any:
        return client

    @task
    def read(config: Any) -> Any:
        return config

    @task
    def give() -> dict[str, Any]:
        return {"of": [Client(threading.Lock())]}

    with Flow("refused") as flow:
        loaded, given = load(), give()
        children = read.map([1, {"c": client}, 3])
    state = flow.run(executor="processes")
    assert "`load` cannot be sent to a worker: the closure of `load` holds a `_thread.lock` through `client.held`" in (
        state.result[loaded].message
    )
    assert "its result cannot be pickled: it holds a `_thread.lock` through `['of'][0].held`" in (
        state.result[given].message
    )
    assert [one.is_successful() for one in state.result[children].map_states] == [True, False, True]
    assert "its input holds a `_thread.lock` through `config['c'].held`" in state.result[children].map_states[1].message
