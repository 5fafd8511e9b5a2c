"""The context: a stack of frames that each thread sees for itself."""

import pickle
import threading

import pytest

import penstock
from penstock import context
from penstock.context import Context


def test_values_hold_inside_their_block() -> None:
    with context(a=1), context({"b": 2}, a=3):
        assert (context.a, context["b"], context.get("c", 5)) == (3, 2, 5)
        assert context.to_dict() == {"a": 3, "b": 2}
        assert len(context) == 2
    assert "a" not in context
    assert repr(context) == "<Context: empty>"


def test_a_missing_value_is_an_error_that_lists_what_is_there() -> None:
    with context(flow_name="x"):
        with pytest.raises(AttributeError, match="no 'flow_nme' here; it holds flow_name"):
            _ = context.flow_nme
        with pytest.raises(KeyError):
            context["flow_nme"]


def test_another_thread_begins_with_an_empty_context() -> None:
    seen: list[int] = []
    with context(a=1):
        thread = threading.Thread(target=lambda: seen.append(len(context)))
        thread.start()
        thread.join()
    assert seen == [0]


def test_a_context_travels_as_a_reference_and_leaves_its_values_behind() -> None:
    with context(note="do not send me"):
        pickled = pickle.dumps(context)
    assert b"do not send me" not in pickled
    assert pickle.loads(pickled) is context


def test_the_package_shows_the_object_and_not_its_module() -> None:
    assert isinstance(penstock.context, Context)
