"""What commands print: tables and colours on a terminal, plain aligned lines elsewhere, JSON where asked for."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO, TypeAlias

import click

from penstock import states
from penstock_cli.invocation import current

if TYPE_CHECKING:
    from penstock.backends.models import FlowRun, Record

NOTHING: Final = "–"  # noqa: RUF001 - a dash as wide as it looks, where there is no value
_GAP: Final = "  "
_MINUTE: Final = 60
_HOUR: Final = 3600
_STANDARD_OUTPUT: Final = 1
_STANDARD_ERROR: Final = 2


class Styled(NamedTuple):
    """Text with the style that it has on a terminal, in rich's words: `"bold"`, `"#28a745"`."""

    text: str
    style: str


Cell: TypeAlias = "str | Styled | None"


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


@contextmanager
def apart() -> Iterator[TextIO]:
    """Give standard output to the block alone; what else is written to it, by workers too, goes to standard error."""
    kept = os.dup(_STANDARD_OUTPUT)
    with os.fdopen(os.dup(kept), "w", encoding="utf-8") as output:
        sys.stdout.flush()
        os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)
        try:
            with redirect_stdout(sys.stderr):
                yield output
        finally:
            sys.stdout.flush()
            os.dup2(kept, _STANDARD_OUTPUT)
            os.close(kept)


def write_nowhere() -> None:
    """Let go of what is written to standard output from now on, by whomever."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STANDARD_OUTPUT)
    os.close(nowhere)


def say(text: str) -> None:
    """Print a line for people, unless `-q` was given."""
    if not current().quiet:
        click.echo(text)


def print_json(value: Any) -> None:
    """Print *value* as JSON, on a line of its own."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    """Return *value* as JSON; half a pair of surrogates, which UTF-8 cannot hold, stays escaped as JSON has it."""
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()


def print_records(
    records: "Iterable[Record]", headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, as_json: bool
) -> None:
    """Print records: as one JSON array, or as the *rows* of a table."""
    if as_json:
        print_json([record.model_dump(mode="json") for record in records])
    else:
        print_table(headers, rows)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table; without rows print nothing, so that counting lines counts rows."""
    filled = [[_styled(cell) for cell in row] for row in rows]
    if filled and on_terminal():
        _print_rich(headers, filled)
    elif filled:
        print_aligned([[Styled(header, "") for header in headers], *filled])


def print_aligned(rows: Sequence[Sequence[Styled]]) -> None:
    """Print rows as plain lines whose columns begin below one another."""
    widths = [max(len(row[column].text) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = _GAP.join(cell.text.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[Styled]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headers, box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*[Text(cell.text, cell.style) for cell in row])
    Console(highlight=False).print(table)


def print_details(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Print names and values below one another."""
    rows = [(_styled(name), _styled(value)) for name, value in pairs]
    width = max(len(name.text) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{click.style(name.text.ljust(width), dim=True)}  {value.text}".rstrip())


def _styled(cell: Cell) -> Styled:
    return cell if isinstance(cell, Styled) else Styled(cell if cell is not None else NOTHING, "")


def state(name: str) -> Styled:
    """Return the name of a state in its colour."""
    known = states.TYPES.get(name)
    return Styled(name, known.color if known else "")


def state_of(run: "FlowRun") -> Styled:
    """Return the state of a run, Late where it should have begun."""
    return Styled("Late", "yellow") if run.late else state(run.state.type)


def moment(time: datetime | None) -> str:
    """Return a time as people here read it, in the local zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time is not None else NOTHING


def lasting(seconds: float | None) -> str:
    """Return a duration as people say it."""
    if seconds is None:
        return NOTHING
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest:02} s" if seconds < _HOUR else f"{minutes // 60} h {minutes % 60:02} min"


def between(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took, or a dash if it has not ended."""
    return lasting((end - start).total_seconds() if start is not None and end is not None else None)
