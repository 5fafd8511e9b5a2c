import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROWS, COLUMNS = 30, 120


def on_a_terminal(*arguments: str) -> tuple[int, str]:
    """Run the command on a terminal; return its exit code and all that it wrote."""
    return attached([sys.executable, "-m", "penstock_cli", *arguments])


def attached(command: list[str]) -> tuple[int, str]:
    """Run *command* with a terminal for all its streams; return its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = bytearray()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while chunk := read(terminal.fileno()):
            written += chunk
    return process.wait(), written.decode()


def read(descriptor: int) -> bytes:
    """Return what was written to the terminal; nothing once the other side has closed it."""
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says so
        return b""


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def left_standing(text: str) -> list[str]:
    """Return the lines that are on the screen in the end, for a program that only goes up a line and erases it."""
    screen, row = [""], 0
    for part in re.split(r"(\x1b\[\d*[A-Za-z]|\x1b\[\?25[lh]|\r|\n)", text):
        if part == "\n":
            row += 1
            screen += [""] * (row + 1 - len(screen))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif part.endswith("K") and part.startswith("\x1b"):
            screen[row] = ""
        elif part and not part.startswith("\x1b") and part != "\r":
            screen[row] += part
    return [line.rstrip() for line in screen]


def test_a_run_is_a_live_tree_that_folds_into_a_summary(census: Path) -> None:
    code, text = on_a_terminal("run", "census.py", "-p", "limit=3")
    assert code == 0
    seen = plain(text)
    assert "census ● running" in seen or "census ● success" in seen
    assert "├─ measure  ◐ 0/3" in seen or "├─ measure  ● 3/3" in seen
    standing = [line for line in left_standing(text) if line]
    assert standing[:3] == [f"  measure[{n}]  measuring {n}" for n in range(3)]
    assert re.fullmatch(r"census ✓ success in \d\.\d s   5 task runs", standing[3])
    assert len(standing) == 4


def test_a_run_from_code_is_the_same_tree_if_progress_is_asked_for(census: Path) -> None:
    code, text = attached([sys.executable, "-c", "from census import flow; flow.run(limit=3, progress=True)"])
    assert code == 0
    assert re.search(r"├─ measure  [◐●] \d/3", plain(text))
    standing = [line for line in left_standing(text) if line]
    assert standing[:3] == [f"  measure[{n}]  measuring {n}" for n in range(3)]
    assert re.fullmatch(r"census ✓ success in \d\.\d s   5 task runs", standing[3])
    assert len(standing) == 4


def test_a_failure_is_explained_below_what_was_logged(census: Path) -> None:
    code, text = on_a_terminal("run", "census.py", "-p", "bad=1")
    assert code == 1
    standing = left_standing(text)
    (summary,) = [number for number, line in enumerate(standing) if line.startswith("census ✗ failed")]
    assert standing[summary].endswith(": 1 of 3 measure failed, rank not run")
    assert "measure[1]  ValueError: source contains null bytes" in standing[summary + 2]
    assert not any("├─" in line for line in standing)


def test_no_color_leaves_colours_out(census: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    _, text = on_a_terminal("run", "census.py", "-p", "bad=1")
    assert "census ✗ failed in " in plain(text)
    assert not re.search(r"\x1b\[[0-9;]*[39][0-9]m", text)


def test_what_tasks_print_does_not_garble_the_tree(greeting: Path) -> None:
    code, text = on_a_terminal("run", "greeting.py", "-p", "name=Ada")
    standing = [line for line in left_standing(text) if line]
    assert code == 0
    assert standing[0] == "Hello, 'Ada'"
    assert standing[1].startswith("greeting ✓ success")


def test_a_quiet_run_writes_nothing(census: Path) -> None:
    assert on_a_terminal("run", "census.py", "-q") == (0, "")


def test_listings_are_tables_with_colours() -> None:
    code, text = on_a_terminal("plugins", "list")
    assert code == 0
    assert "\x1b[1m" in text
    header = next(line for line in plain(text).splitlines() if line)
    assert header.split() == ["NAME", "DISTRIBUTION", "OFFERS", "LOADED"]


@pytest.mark.parametrize("arguments", [["--help"], ["runs", "list", "--help"]])
def test_help_has_bold_headings_on_a_terminal_only(arguments: list[str]) -> None:
    assert "\x1b[1mOptions" in on_a_terminal(*arguments)[1]
    command = [sys.executable, "-m", "penstock_cli", *arguments]
    assert b"\x1b" not in subprocess.run(command, check=True, capture_output=True).stdout
