"""Commands and groups of commands: imported when they are called, with examples in their help."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from penstock import errors
from penstock_cli.invocation import Invocation


class HelpFormatter(click.HelpFormatter):
    """Help with bold headings; click takes the style out where the help does not go to a terminal."""

    def write_heading(self, heading: str) -> None:
        """Write a bold heading."""
        super().write_heading(click.style(heading, bold=True))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line, its name bold."""
        super().write_usage(click.style(prog, bold=True), args, prefix)


class Context(click.Context):
    """The context of a command, in which help is written as here."""

    formatter_class = HelpFormatter


def _remember(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and parameter.name:
        setattr(ctx.ensure_object(Invocation), parameter.name, value)


def _invocation_option(*names: str, **attributes: Any) -> click.Option:
    return click.Option(list(names), expose_value=False, callback=_remember, **attributes)


def invocation_options(*, backend: bool = False) -> list[click.Parameter]:
    """Return the options that every command has, and `--backend` for one that asks a backend."""
    url = _invocation_option("--backend", metavar="URL", help="Ask this backend, whatever the settings say.")
    return [
        *([url] if backend else []),
        _invocation_option("-q", "--quiet", is_flag=True, help="Say nothing but what was asked for."),
        _invocation_option("-v", "--verbose", is_flag=True, help="Say more; show the tracebacks of errors."),
    ]


class WithExamples(click.Command):
    """What commands and groups have in common: examples below their help."""

    context_class = Context
    examples: Sequence[str] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog, and the examples."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"{'':>{formatter.current_indent}}{line}\n" for line in self.examples))


class Command(WithExamples):
    """A command with *examples* in its help, and the options `-q` and `-v`."""

    context_class = Context

    def __init__(
        self, *args: Any, examples: str | Sequence[str] = (), backend: bool = False, **attributes: Any
    ) -> None:
        """Make a command; one that asks a *backend* takes the option `--backend` too."""
        super().__init__(*args, **attributes)
        self.examples = (examples,) if isinstance(examples, str) else tuple(examples)
        self.params.extend(invocation_options(backend=backend))

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command with the settings that its options make."""
        with ctx.ensure_object(Invocation).settings():
            return super().invoke(ctx)


class Group(WithExamples, click.Group):
    """Commands by name, of which some are imported when they are called."""

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        """Make a group; *examples* are shown in its help."""
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)
        self._lazy: dict[str, tuple[str, str]] = {}

    def add_lazy(self, name: str, target: str, help: str) -> None:  # noqa: A002 - the term click uses
        """Add the command at *target*, `"module:command"`, with one line of *help* for the listing."""
        self._lazy[name] = (target, help)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now if it was not yet."""
        known = super().get_command(ctx, cmd_name)
        if known is not None or cmd_name not in self._lazy:
            return known
        module, _, name = self._lazy[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            message = f'The command "{cmd_name}" cannot be imported from {module}: {error}'
            raise errors.PluginError(message) from error
        self.add_command(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that *args* begin with; an unknown one is refused with the nearest name."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            _refuse(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing those that are lazy."""
        rows = [(name, self._summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        if name in self._lazy:
            return self._lazy[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=100) if command is not None else ""

    @property
    def lazy(self) -> Mapping[str, tuple[str, str]]:
        """The lazy commands: where each is, and its line of help."""
        return self._lazy


Group.group_class = Group


def _refuse(ctx: click.Context, name: str, known: list[str]) -> NoReturn:
    hint = errors.did_you_mean(name, known) or f" There is {errors.listing(known)}."
    ctx.fail(f'There is no command "{ctx.command_path} {name}".{hint}')
