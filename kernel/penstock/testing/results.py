"""What every result holds to, as tests."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final, TypeAlias

import pytest

from penstock import errors
from penstock.results import Location, Result
from penstock.serializers import JSONSerializer
from penstock.testing import torn_writes

_LOOK_ALIKE: Final = "\N{FULLWIDTH FULL STOP}" * 2
_TRAVERSALS: Final = [
    *["../x", "a/../../x", "..", "/etc/x", "a/\0x"],
    *["%2e%2e/x", "..%2fx", "%252e%252e/x", f"{_LOOK_ALIKE}/x"],
]
_NAMES: Final = [
    *["a b", "a+b", "a%20b", "a%2Bb", "a%", "a?b", "a#b", "a&b=c", "a;b", "a,b", "a'b", 'a"b', "a:b", "a@b", "a*b"],
    *["[a]", "{a}", "~a", " a", "a ", "a.", "$a", "!a", "a|b", "a<b>", "grüße", "流れ", "\N{PILE OF POO}", "x" * 200],
]
Failing: TypeAlias = Callable[[Result, Exception, int], Result]
"""Returns a result over the place of another, of which the n-th call to that place raises an exception."""


class _Noted(JSONSerializer):
    type: ClassVar[str] = "noted"
    note: str


class ResultContract:
    """Subclass it as `Test...`, give the fixture `result`, and adjust the attributes and the fixture `failing`."""

    durable: ClassVar[bool] = True
    """Whether results outlive the process that wrote them."""
    confined: ClassVar[bool] = True
    """Whether locations name places in a wider tree, so that `..` could leave the root."""

    @pytest.fixture
    def result(self) -> Result:
        """Return a result over an empty place."""
        raise NotImplementedError

    @pytest.fixture
    def failing(self) -> Failing | None:
        """Return how to let calls to the place fail, or None if there are no calls that could."""
        return None

    def test_what_was_written_is_read(self, result: Result) -> None:
        value = {"rows": list(range(1000)), "name": "grüße"}
        where = result.write(value)
        assert result.read(where) == value
        assert result.read(where.location) == value

    def test_a_location_tells_size_and_digest_of_what_is_kept(self, result: Result) -> None:
        where = result.write("value")
        content = result.get(where.location)
        assert where.size == len(content)
        assert result.read(where) == "value"
        with pytest.raises(errors.ResultCorruptError, match="SHA-256"):
            result.read(Location(where.location, "0" * 64, where.size))

    def test_it_exists_once_it_is_written(self, result: Result) -> None:
        assert not result.exists("a/b.penstock")
        result.put("a/b.penstock", b"content")
        assert result.exists("a/b.penstock")
        assert not result.exists("a")

    def test_nothing_there_is_an_error_of_its_own(self, result: Result) -> None:
        with pytest.raises(errors.ResultMissingError, match="a/missing"):
            result.read("a/missing")

    def test_a_later_write_takes_the_place_of_an_earlier_one(self, result: Result) -> None:
        fixed = result.model_copy(update={"location": "day/{name}"})
        fixed.write("old", name="x")
        where = fixed.write("new", name="x")
        assert fixed.read(where) == "new"
        assert fixed.exists(name="x")

    def test_locations_with_any_characters_are_kept_apart(self, result: Result) -> None:
        fixed = result.model_copy(update={"location": "day/{name}/x"})
        places = {name: fixed.write(name, name=name) for name in _NAMES}
        assert {name: fixed.read(place) for name, place in places.items()} == {name: name for name in _NAMES}
        assert {name: fixed.read(place.location) for name, place in places.items()} == {name: name for name in _NAMES}
        assert [name for name in _NAMES if not fixed.exists(name=name)] == []

    def test_values_without_a_template_do_not_meet(self, result: Result) -> None:
        places = [result.write(number) for number in range(20)]
        assert [result.read(place) for place in places] == list(range(20))

    def test_a_template_that_cannot_be_filled_names_what_is_missing(self, result: Result) -> None:
        fixed = result.model_copy(update={"location": "{flow_name}/{nothing}"})
        with pytest.raises(errors.ResultError, match=r"filled from flow_name: KeyError: 'nothing'"):
            fixed.write(1, flow_name="f")

    @pytest.mark.parametrize("template", ["{name:d}", "{names[a]}", "{names:>5}", "{name.age}", "{}", "{"])
    def test_a_template_that_does_not_fit_its_values_is_an_error_that_shows_it(
        self, result: Result, template: str
    ) -> None:
        fixed = result.model_copy(update={"location": template})
        with pytest.raises(errors.ResultError, match=re.escape(repr(template))):
            fixed.write(1, name="n", names=["n"])

    def test_a_value_that_cannot_be_kept_leaves_nothing(self, result: Result) -> None:
        fixed = result.model_copy(update={"location": "x"})
        with pytest.raises(errors.SerializationError, match="lock"):
            fixed.write(threading.Lock())
        assert not fixed.exists()

    def test_options_of_a_serializer_that_fill_the_header_are_refused_before_anything_is_written(
        self, result: Result
    ) -> None:
        fitting, large = _Noted(note="x" * 3000), _Noted(note="x" * 4000)
        fixed = result.model_copy(update={"location": "x", "serializer": large})
        with pytest.raises(errors.ResultError, match=r"serializer 'noted' take \d+ bytes; 4096 fit"):
            fixed.write(1)
        assert not fixed.exists()
        fixed = result.model_copy(update={"location": "x", "serializer": fitting})
        assert fixed.read(fixed.write(1)) == 1

    @pytest.mark.parametrize("value", _TRAVERSALS)
    def test_no_value_leads_out_of_the_root(self, result: Result, value: str) -> None:
        if not self.confined:
            result.put(value, b"content")
            assert result.get(value) == b"content"
            return
        fixed = result.model_copy(update={"location": "{value}/b"})
        with pytest.raises(errors.ResultError, match="inside"):
            fixed.write(1, value=value)
        with pytest.raises(errors.ResultError, match="inside"):
            fixed.read(value)

    @pytest.mark.parametrize(
        "fault", [ConnectionResetError("reset"), TimeoutError("timed out"), RuntimeError("own")], ids=repr
    )
    def test_a_fault_while_writing_leaves_the_old_value_or_the_new(
        self, result: Result, failing: Failing | None, fault: Exception
    ) -> None:
        if failing is None:
            return
        fixed = result.model_copy(update={"location": "x"})
        where = fixed.write("old")
        for call in range(1, 6):
            try:
                failing(fixed, fault, call).write("new")
            except errors.ResultError as error:
                told = str(error)
                assert fixed.read(where.location) in ("old", "new"), told
            else:
                assert fixed.read(where.location) == "new"
            fixed.write("old")
        with pytest.raises(errors.ResultError, match=str(fault)):
            failing(fixed, fault, 1).read(where)
        with pytest.raises(errors.ResultError, match=str(fault)):
            failing(fixed, fault, 1).exists()

    @pytest.mark.parametrize("damage", [slice(0, -1), slice(0, 0), slice(1, None)], ids=["cut", "empty", "late"])
    def test_a_short_read_is_caught(self, result: Result, monkeypatch: pytest.MonkeyPatch, damage: slice) -> None:
        where = result.write("value")
        content = result.get(where.location)
        monkeypatch.setattr(type(result), "get", lambda *_: content[damage])
        for location in (where, where.location):
            with pytest.raises(errors.ResultCorruptError):
                result.read(location)

    def test_every_flipped_bit_is_caught(self, result: Result) -> None:
        where = result.write({"a": list(range(50))})
        content = result.get(where.location)
        for position in range(len(content)):
            flipped = bytearray(content)
            flipped[position] ^= 1 << position % 8
            result.put(where.location, bytes(flipped))
            with pytest.raises(errors.ResultCorruptError):
                result.read(where)

    def test_damage_is_caught_without_knowing_the_digest(self, result: Result) -> None:
        where = result.write({"a": list(range(50))})
        content = result.get(where.location)
        body = content.rindex(b"\n") + 1 if b"\n" in content else 0
        for damaged in (content[:-1], content + b"x", content[:body], b"", b"something else", content[body:]):
            result.put(where.location, damaged)
            with pytest.raises(errors.ResultCorruptError):
                result.read(where.location)

    def test_its_spec_restores_a_result_that_reads_the_same(self, result: Result) -> None:
        where = result.write([1, 2])
        restored = Result.restore(json.loads(result.spec().model_dump_json()))
        assert restored.spec() == result.spec()
        if self.durable:
            assert restored.read(where) == [1, 2]

    def test_many_threads_write_one_location_and_one_of_them_is_read(self, result: Result) -> None:
        fixed = result.model_copy(update={"location": "shared"})
        with ThreadPoolExecutor(8) as pool:
            places = list(pool.map(lambda number: fixed.write([number] * 10_000), range(32)))
        value = fixed.read(places[0].location)
        assert value in [[number] * 10_000 for number in range(32)]

    def test_a_killed_writer_leaves_the_old_value_or_the_new(self, result: Result) -> None:
        if not self.durable:
            return
        done = subprocess.run(
            [sys.executable, torn_writes.__file__, result.spec().model_dump_json()],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["whole"] * torn_writes.ROUNDS
