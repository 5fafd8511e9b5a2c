"""What a process noted is there after it, wherever it was cut off, and is numbered alike by whoever sends it."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import errors
from penstock.backends.models import Log, StateReport
from penstock_agent.shipping import BATCH, NotLentError, Shipper
from penstock_agent.spool import Origin, Place, Spool, path_of

_ORIGIN = Origin(run="run", fence=1, attempt=1, backend="digest", pid=1, boot="boot")


class Kept:
    """A backend that keeps what it is sent, and is away when it is told to be."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.states: list[str] = []
        self.batches: list[int] = []
        self.away = False

    def report_logs(self, run: str, fence: int, logs: Sequence[Log]) -> None:
        if self.away:
            raise errors.BackendUnreachableError("away")
        self.batches.append(len(logs))
        for log in logs:
            assert self.lines.setdefault(log.sequence, log.message) == log.message

    def report_states(self, run: str, fence: int, reports: Sequence[StateReport]) -> None:
        self.states += [str(report.slug) for report in reports]


def _line(message: str) -> dict[str, Any]:
    known = {"timestamp": "2026-01-02T12:00:00+00:00", "level": "INFO", "logger": "x", "task": None}
    return {"line": {**known, "message": message}}


def _state(slug: str, kind: str = "Running", index: int | None = None) -> dict[str, Any]:
    known = {"timestamp": "2026-01-02T12:00:00+00:00", "name": slug, "map_index": index, "attempt": 1}
    return {"state": {**known, "slug": slug, "state": {"type": kind, "message": None}}}


def _sent(spool: Spool, backend: Kept) -> Shipper:
    shipper = Shipper(backend, spool, "run", 1, 1)  # type: ignore[arg-type] # it has what a shipper calls
    while shipper.ship():
        pass
    return shipper


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool" / "run-1.jsonl")
    yield spool
    spool.close()


def test_what_the_backend_refuses_is_left_out_and_the_rest_arrives(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backend, keep = Kept(), Kept.report_logs

    def report_logs(self: Kept, run: str, fence: int, logs: Sequence[Log]) -> None:
        if any(log.message == "line 7" for log in logs):
            raise errors.ConflictError("too long")
        keep(self, run, fence, logs)

    monkeypatch.setattr(Kept, "report_logs", report_logs)
    for number in range(10):
        spool.write(_line(f"line {number}"))
    _sent(spool, backend)
    assert list(backend.lines.values()) == [f"line {number}" for number in range(10) if number != 7]
    assert caplog.text.count("too long") == 1


def test_a_record_is_in_the_file_when_it_was_written(spool: Spool) -> None:
    spool.write(_line("grüße\n\x85\u2028\ud800"))
    (record,) = Spool(spool.path).records()
    assert record == _line("grüße\n\x85\u2028?")  # half a surrogate pair is no text
    assert spool.size == spool.path.stat().st_size


def test_only_its_owner_reads_it(spool: Spool) -> None:
    assert spool.path.stat().st_mode & 0o077 == 0
    assert spool.path.parent.stat().st_mode & 0o077 == 0


@given(st.lists(st.text() | st.none(), max_size=12), st.integers(min_value=0), st.integers(min_value=0, max_value=12))
def test_a_file_that_was_cut_off_anywhere_gives_what_was_whole_and_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, messages: list[str | None], cut: int, known: int
) -> None:
    path = tmp_path_factory.mktemp("spools") / "run-1.jsonl"
    whole, first = Kept(), Spool(path)
    first.write({"origin": _ORIGIN.model_dump()})
    for number, message in enumerate(messages):
        first.write(_state("act") if message is None else _line(message))
        if number == known:
            first.write({"sent": _sent(first, whole).place})
    _sent(first, whole)
    os.truncate(path, cut % (first.size + 1))
    first.close()
    cut_off, second = Kept(), Spool(path)
    _sent(second, cut_off)
    second.close()
    assert cut_off.lines.items() <= whole.lines.items()
    content = path.read_bytes()
    lines = [record for record in content.splitlines(keepends=True) if record.startswith(b'{"line"')]
    if b'"sent"' not in content:
        assert len(cut_off.lines) == len([line for line in lines if line.endswith(b"\n")])


def test_what_was_known_to_have_arrived_is_not_sent_again(spool: Spool) -> None:
    before, after = Kept(), Kept()
    spool.write(_line("one"))
    spool.write({"sent": _sent(spool, before).place})
    spool.write(_line("two"))
    _sent(spool, after)
    assert (before.lines, after.lines) == ({1: "one"}, {2: "two"})


def test_many_records_go_in_batches(spool: Spool) -> None:
    backend = Kept()
    for number in range(3 * BATCH):
        spool.write(_line(str(number)))
    _sent(spool, backend)
    assert backend.batches == [BATCH] * 3


def test_a_record_that_is_longer_than_what_is_read_at_once_arrives(spool: Spool) -> None:
    backend = Kept()
    spool.write(_line("x" * (3 << 20)))
    spool.write(_line("after"))
    _sent(spool, backend)
    assert [len(message) for message in backend.lines.values()] == [3 << 20, 5]


def test_a_backend_that_is_away_is_sent_the_same_afterwards(spool: Spool) -> None:
    backend = Kept()
    backend.away = True
    spool.write(_line("one"))
    with pytest.raises(errors.BackendUnreachableError):
        _sent(spool, backend)
    backend.away = False
    _sent(spool, backend)
    assert backend.lines == {1: "one"}


def test_what_a_full_disk_does_not_take_is_written_when_there_is_room(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, write = 30, os.write

    def write_what_fits(file: int, content: bytes) -> int:
        nonlocal room
        fits = content[:room]
        room -= len(fits)
        if not fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, fits)

    monkeypatch.setattr("penstock_agent.spool.os.write", write_what_fits)
    spool.write(_line("one"))
    spool.write(_line("two"))
    assert not spool.settle()
    assert list(spool.records()) == []
    assert spool.size > spool.path.stat().st_size == 30
    room = 1_000
    assert spool.settle()
    assert list(spool.records()) == [_line("one"), _line("two")]


def test_a_spool_that_was_sent_is_begun_anew_with_the_numbers_going_on(spool: Spool) -> None:
    backend = Kept()
    spool.write(_line("one"))
    shipper = _sent(spool, backend)
    place = spool.restart(_ORIGIN, shipper.place)
    assert (place, spool.origin()) == (Place(0, 1), _ORIGIN)
    spool.write(_line("two"))
    _sent(spool, backend)
    assert backend.lines == {1: "one", 2: "two"}


def test_a_spool_with_something_left_is_not_begun_anew(spool: Spool) -> None:
    place = _sent(spool, Kept()).place
    spool.write(_line("one"))
    assert spool.restart(_ORIGIN, place) == place
    assert list(spool.records()) == [_line("one")]


def test_a_spool_is_sent_by_another_only_as_long_as_it_is_lent(spool: Spool) -> None:
    spool.write(_line("one"))
    spool.lend()
    shipper = Shipper(backend := Kept(), spool, "run", 1, 1, borrowed=True)  # type: ignore[arg-type] # as above
    assert shipper.ship() == 1
    spool.mark(shipper.place)
    assert spool.take_back() == shipper.place
    spool.mark(shipper.place)  # late, and of no use any more
    spool.write(_line("two"))
    with pytest.raises(NotLentError):
        shipper.ship()
    assert backend.lines == {1: "one"}
    assert spool.place() == shipper.place


@given(
    old=st.builds(Place, st.integers(0, 1 << 40), st.integers(0, 1 << 40)),
    new=st.builds(Place, st.integers(0, 1 << 40), st.integers(0, 1 << 40)),
    cut=st.integers(0, 32),
)
def test_a_mark_that_is_read_while_it_is_written_is_the_old_one_or_the_new_or_none(
    tmp_path_factory: pytest.TempPathFactory, old: Place, new: Place, cut: int
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "run-1.jsonl")
    mark = spool.path.with_suffix(".sent")
    spool.lend()
    spool.mark(old)
    before = mark.read_bytes()
    spool.mark(new)
    mark.write_bytes(mark.read_bytes()[:cut] + before[cut:])
    assert spool.place() in (old, new, Place(0, 0))
    spool.close()


def test_a_spool_that_waits_for_its_last_records_to_be_sent_says_so(spool: Spool) -> None:
    assert not spool.is_finished()
    spool.write(_line("one"))
    assert not spool.is_finished()
    spool.finish()
    assert spool.is_finished()
    assert _sent(spool, backend := Kept()).place.position == spool.size
    assert backend.lines == {1: "one"}


def test_task_runs_that_had_begun_and_not_ended_are_under_way(spool: Spool) -> None:
    for record in (_state("a"), _state("b", index=0), _state("b", index=1), _state("a", "Success"), _line("no state")):
        spool.write(record)
    assert spool.under_way() == ["b", "b"]


def test_a_forked_child_writes_too(spool: Spool) -> None:
    spool.share()
    spool.write(_line("parent"))
    child = os.fork()
    if not child:  # pragma: no cover - in another process
        spool.write(_line("child"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert list(spool.records()) == [_line("parent"), _line("child")]


def test_a_spool_that_another_process_has_to_do_with_is_not_taken_over(spool: Spool) -> None:
    held = "import sys; from pathlib import Path; from penstock_agent.spool import Spool; s = Spool(Path(sys.argv[1]))"
    command = [sys.executable, "-c", f"{held}; print('held', flush=True); sys.stdin.read()", str(spool.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        assert not spool.taken_over()
        other.stdin.close()
        other.wait()
    assert spool.taken_over()


def test_a_run_id_never_leads_out_of_the_folder() -> None:
    with pytest.raises(ValueError, match="names nothing inside"):
        path_of("../../etc/cron.d/x", 1)


def test_a_record_that_no_process_has_written_is_left_out_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, backend = Spool(tmp_path / "run-1.jsonl"), Kept()
    for record in (_line("one"), {"line": {"message": 3}}, {"state": "odd"}, _state("act"), _line("three")):
        spool.write(record)
    with caplog.at_level("WARNING", logger="penstock.agent"):
        _sent(spool, backend)
    spool.close()
    assert backend.lines == {1: "one", 3: "three"}
    assert backend.states == ["act"]
    assert caplog.text.count("is left out") == 2
