"""`penstock backend`: imported by the command line only, which brings click."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from penstock_backend.database import Database

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class _Age(click.ParamType):  # type: ignore[type-arg]  # which click before 8.4 has not
    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the time that `30d`, `12h` or `90m` stands for."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d+)\s*([smhdw])", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no age; write it as 30d, 12h, 90m or 4w", param, ctx)
        from penstock import clock

        try:
            age = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
            clock.now() - age
        except OverflowError:
            self.fail(f"{value!r} ends before the year 1; nothing is as old", param, ctx)
        return age


def _backend_option(command: Callable[..., Any]) -> Callable[..., Any]:
    text = "The database, by default the one of the settings."
    return click.option("--backend", "url", metavar="URL", help=text)(command)


@click.group()
def backend() -> None:
    """Look after the database that the backend keeps its data in."""


@contextmanager
def _opened(url: str | None) -> "Iterator[Database]":
    from penstock import errors, get_backend, settings
    from penstock_backend.backend import SQLBackend, database_at

    with settings.override({"backend": url} if url else None):
        chosen = get_backend()
        if not isinstance(chosen, SQLBackend):
            raise errors.SettingsError(
                f"The backend is of the type {chosen.type}, and no database; name one: --backend URL"
            )
        database = database_at(chosen.url)
        try:
            yield database
        finally:
            database.close()


@backend.command(epilog="Examples: penstock backend check · penstock backend check --json")
@_backend_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(url: str | None, *, as_json: bool) -> int:
    """Look whether the database can be read and is sound; ends with 1 if it is not."""
    from penstock_backend import maintenance

    with _opened(url) as database:
        found = maintenance.check(database)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return int(bool(found.faults))
    click.echo(f"{found.place}  revision {found.revision}  {found.bytes / 1e6:,.1f} MB")
    for name, count in found.rows.items():
        click.echo(f"  {count:>10,} {name}")
    for fault in found.faults:
        click.echo(click.style(f"  {fault}", fg="red"))
    click.echo("There are faults; take a copy, and restore a backup" if found.faults else "It is sound")
    return int(bool(found.faults))


@backend.command(epilog="Example: penstock backend backup penstock-before.db")
@_backend_option
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE")
def backup(target: Path, url: str | None) -> None:
    """Write a copy of a SQLite database to FILE, while others use it."""
    from penstock_backend import maintenance

    with _opened(url) as database:
        maintenance.backup(database, target)
    click.echo(f"Wrote {target}")


@backend.command(epilog="Example: penstock backend upgrade --backend postgresql://db.example/penstock")
@_backend_option
def upgrade(url: str | None) -> None:
    """Bring the database to this penstock's form, as its first use does too.

    Of a SQLite file a copy is kept beside it, named for the revision that it had and the time.
    """
    from penstock_backend import migrations

    with _opened(url) as database, database.reading():
        click.echo(f"{database.place} has revision {migrations.HEAD}")


@backend.command(epilog="Examples: penstock backend downgrade 0002 · penstock backend downgrade 0002 --yes")
@_backend_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("revision")
def downgrade(revision: str, url: str | None, *, yes: bool) -> None:
    """Bring the database to the form of an older penstock, for that to be installed next.

    What the older form has no place for is lost; with base, which has no tables, that is all. Of a SQLite file a copy
    is kept beside it first, named for the revision and the time. Of PostgreSQL there is none: take one with pg_dump.
    """
    from penstock_backend import maintenance, migrations
    from penstock_backend.sqlite_file import SQLiteFile

    maintenance.check_revision(revision)
    with _opened(url) as database:
        if revision != migrations.HEAD and not yes:
            copied = "a copy is kept" if isinstance(database, SQLiteFile) else "no copy is kept: take one with pg_dump"
            lost = f"What that has no place for is lost, and {copied}"
            click.confirm(f"Bring {database.place} to revision {revision}? {lost}", abort=True, err=True)
        copy = maintenance.downgrade(database, revision)
        click.echo(f"{database.place} has revision {revision}; this penstock would bring it up again")
    if copy is not None:
        click.echo(f"As it was it is in {copy}")


@backend.command(
    epilog="Examples: penstock backend prune --older-than 30d --keep-last 100 · "
    "penstock backend prune --older-than 4w --dry-run"
)
@_backend_option
@click.option("--older-than", type=_Age(), required=True, metavar="AGE", help="Ended before so long: 30d, 12h, 4w.")
@click.option(
    "--keep-last",
    type=click.IntRange(0, 1_000_000_000),
    default=0,
    metavar="N",
    help="Keep the last N runs of each flow.",
)
@click.option("--dry-run", is_flag=True, help="Say how many runs would go, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def prune(url: str | None, older_than: timedelta, keep_last: int, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Delete runs that ended long ago, with their task runs, states and logs.

    Results of tasks are in your storage, and stay there.
    """
    from penstock_backend import maintenance

    which = maintenance.Pruning(older_than, keep_last)
    with _opened(url) as database:
        with database.reading() as connection:
            count = len(which.runs(connection))
        deleted = 0
        for deleted in () if dry_run else maintenance.prune(database, which):
            if not quiet:
                click.echo(f"\r{deleted} of {count} runs", nl=False, err=True)
        if deleted and not quiet:
            click.echo(err=True)
    if as_json:
        click.echo(json.dumps({"runs": count, "deleted": deleted}))
    else:
        click.echo(f"{count} runs would be deleted" if dry_run else f"Deleted {deleted} runs")
