"""Write the pages of docs/reference that are taken from the code: `.venv/bin/python tools/reference.py`.

A test compares the pages with what this would write, so that they cannot fall behind.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from penstock.hooks import specs
from penstock.settings import Settings

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
_SECTION: Final = re.compile(r"^# (.+)$")
_HOOKS_NOTE: Final = """
An offer that raises is recorded with its plugin, an observer that raises is logged with its plugin's name; the others
go on. Arguments may be added to a hook in any release, since an implementation names only those it wants.
"""
_SETTINGS_NOTE: Final = """
`penstock config show` prints each value with where it came from. Unknown names are errors that name the nearest known
one. `executor`, `storage`, `result` and `backend` take a type name or a URL, and the options of that class beside it:
`PENSTOCK_EXECUTOR=processes PENSTOCK_EXECUTOR__MAX_WORKERS=4`.
"""
_COMMANDS_NOTE: Final = """
What `--help` says. Exit codes: 0 well, 1 the run failed or the answer is no, 2 bad usage or bad input, 3 backend or
storage out of reach, 130 interrupted.
"""


def hooks() -> str:
    """Return the page about hooks, in the order and under the headings of the specification."""
    source = inspect.getsource(specs)
    page = [
        "# Hooks",
        inspect.getdoc(specs) or "",
        _HOOKS_NOTE,
    ]
    for heading, function in _sections(source):
        page.append(f"## {heading}" if function is None else _hook(function))
    return _joined(page)


def _sections(source: str) -> Iterator[tuple[str, ast.FunctionDef | None]]:
    """Yield headings and functions in the order of the file; a comment at the margin is a heading."""
    functions = {node.lineno: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    for number, line in enumerate(source.splitlines(), 1):
        if match := _SECTION.match(line):
            yield match[1], None
        elif number in functions:
            yield functions[number].name, functions[number]


def _hook(node: ast.FunctionDef) -> str:
    options = [keyword.arg for one in node.decorator_list if isinstance(one, ast.Call) for keyword in one.keywords]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    signature = f"{node.name}({ast.unparse(node.args)}){returns}".replace("'", "")
    how = {
        "firstresult": "The first answer that is not None counts.",
        "historic": "Also called for plugins that come later.",
    }
    notes = " ".join(how[option] for option in options if option in how)
    text = textwrap.dedent(ast.get_docstring(node) or "")
    return _joined([f"### {node.name}", f"```text\n{signature}\n```", text, notes]).rstrip()


def settings() -> str:
    """Return the page about settings."""
    page = [
        "# Settings",
        (inspect.getdoc(sys.modules[Settings.__module__]) or ""),
        _SETTINGS_NOTE,
        "## Top level",
        _table(Settings, "", ""),
    ]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            page += [f"## [{name}]", inspect.getdoc(section) or "", _table(section, f"{name}.", f"{name.upper()}__")]
    return _joined(page)


def _table(model: type[BaseModel], path: str, prefix: str) -> str:
    lines = ["| in TOML | in the environment | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            variable = f"PENSTOCK_{prefix}{name.upper()}"
            lines.append(f"| `{path}{name}` | `{variable}` | {_default(field)} | {field.description or ''} |")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value in (None, [], {}) else f"`{value}`"


def commands() -> str:
    """Return the page about commands, as their `--help` says it, without colours."""
    from penstock_cli.main import cli

    page = ["# Commands", _COMMANDS_NOTE]
    page += [_command(path, command) for path, command in _walk("penstock", cli)]
    return _joined(page)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _walk(f"{path} {name}", below)


def _command(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    formatter = click.HelpFormatter(width=100)
    plain: Callable[..., Any] = (
        click.Group.format_help if isinstance(command, click.Group) else click.Command.format_help
    )
    plain(command, context, formatter)
    return f"## {path}\n\n```text\n{formatter.getvalue().rstrip()}\n```"


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {"hooks.md": hooks, "settings.md": settings, "commands.md": commands}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
