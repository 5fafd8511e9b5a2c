"""The command itself: its commands, and what it ends with.

Exit codes: 0 well; 1 the run failed, or the answer is no; 2 bad usage or bad input; 3 backend or storage out of
reach; 130 interrupted.
"""

import io
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

import click

from penstock import errors
from penstock_cli.groups import Group, invocation_options
from penstock_cli.invocation import Invocation, in_colours

INTERRUPTED: Final = 130
BAD_USAGE: Final = 2
_UNEXPECTED: Final = 1


class Root(Group):
    """The group behind `penstock`; it asks plugins for their commands when it has to."""

    _asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of plugins included."""
        self._ask_plugins()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; plugins are asked only for one that is not penstock's own."""
        known = super().get_command(ctx, cmd_name)
        if known is None and not self._asked:
            self._ask_plugins()
            known = super().get_command(ctx, cmd_name)
        return known

    def _ask_plugins(self) -> None:
        if self._asked:
            return
        self._asked = True
        from penstock import hooks

        for plugin, register in hooks.implementations("penstock_register_commands"):
            try:
                register(cli=self)
            except Exception as error:  # noqa: BLE001 - a plugin's own code: its failure harms no other command
                cause = f"{type(error).__name__}: {error}"
                click.echo(f"penstock: the commands of the plugin {plugin} are left out: {cause}", err=True)


@click.group(
    cls=Root,
    params=invocation_options(),
    examples=[
        "penstock demo",
        "penstock run census.py -p limit=200",
        "penstock register census.py --project tutorial",
        "penstock run --flow tutorial/census --wait",
    ],
)
@click.version_option(package_name="penstock", message="penstock %(version)s")
def cli() -> None:
    """Write flows, run them, register them, and see what became of them."""


_COMMANDS: Final = {
    "agents": "List the agents that have asked for work.",
    "backfill": "Make the runs that a flow's schedule names in a range of the past.",
    "completion": "Print the script that lets a shell complete commands.",
    "config": "Show settings, say where they are, set one.",
    "demo": "Run a real flow through every part of penstock.",
    "flows": "List, show, set up, pause and archive registered flows.",
    "kv": "Read and write the key-value store that flows share.",
    "limits": "Limit how many runs with a label, or tasks with a tag, are under way at once.",
    "plugins": "Show which plugins are installed, and what they offer.",
    "projects": "List, create and delete projects.",
    "register": "Register the flows of files with the backend.",
    "run": "Run a flow: a file's here and now, a registered one by an agent.",
    "runs": "List, show, follow, cancel, restart and delete flow runs.",
    "schedule": "Preview the times that a schedule stands for.",
    "secrets": "List, set and delete the secrets of this machine; no value is ever shown.",
    "serve": "Run flows on their schedules, in this process.",
    "storage": "List where the source of flows is stored, and remove what no flow refers to.",
    "version": "Print the version.",
}
for _name, _help in _COMMANDS.items():
    cli.add_lazy(_name, f"penstock_cli.commands.{_name}:{_name}", _help)


def main() -> None:
    """Run the command line that this process was called with, and exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # text of flows may hold what no encoding has: shown, as on stderr
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors go to standard error, as one line that says what to do."""
    invocation = Invocation()
    try:
        code: Any = cli.main(
            list(arguments),
            prog_name="penstock",
            standalone_mode=False,
            obj=invocation,
            color=in_colours(),
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_USAGE
    except click.ClickException as error:
        return _explain_usage(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except errors.PenstockError as error:
        return _explain(error, str(error), error.exit_code, invocation)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw: said in a line as well, its traceback on demand
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        hint = "" if invocation.verbose else "\nThis is unexpected; -v shows where it came from"
        return _explain(error, message + hint, _UNEXPECTED, invocation)
    return code if isinstance(code, int) else 0


def _explain_usage(error: click.ClickException) -> int:
    click.echo(f"penstock: {error.format_message()}", err=True)
    context = getattr(error, "ctx", None)
    if context is not None:
        click.echo(f"Try: {context.command_path} --help", err=True)
    return BAD_USAGE


def _explain(error: BaseException, message: str, code: int, invocation: Invocation) -> int:
    if invocation.verbose:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"penstock: {message}", err=True)
    return code
