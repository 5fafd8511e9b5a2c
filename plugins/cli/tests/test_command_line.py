import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import penstock
from penstock import errors, hookimpl, hooks
from penstock_cli import main
from penstock_cli.groups import Command, Group
from penstock_cli.main import Root


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in sorted(group.commands.keys() | getattr(group, "lazy", {}).keys()):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


OURS = [
    (path, command)
    for path, command in every_command(main.cli)
    if getattr(command.callback, "__module__", "").startswith("penstock_cli")
]


def test_every_command_of_the_interfaces_is_there() -> None:
    known = {" ".join(path) for path, _ in OURS}
    assert {
        *("version", "config show", "config path", "config set", "demo", "serve", "run", "register", "completion"),
        *("projects list", "projects create", "projects delete", "agents list", "plugins list", "plugins show"),
        *("flows list", "flows show", "flows pause", "flows unpause", "flows archive", "schedule preview"),
        *("storage ls", "storage gc", "secrets list", "secrets set", "secrets delete"),
        *("runs list", "runs show", "runs logs", "runs wait", "runs cancel", "runs delete"),
    } <= known


@pytest.mark.parametrize(("path", "command"), OURS, ids=[" ".join(path) for path, _ in OURS])
def test_every_command_has_an_example_that_begins_with_its_name(
    penstock: Callable[..., Any], path: tuple[str, ...], command: Any
) -> None:
    done = penstock(*path, "--help")
    assert done.code == 0
    words = " ".join(("penstock", *path))
    assert any(words in line for line in done.out.partition("Examples:")[2].splitlines())


@pytest.mark.parametrize(("path", "command"), OURS, ids=[" ".join(path) for path, _ in OURS])
def test_every_command_can_be_quiet_and_verbose(path: tuple[str, ...], command: Any) -> None:
    if isinstance(command, Command):
        assert {"quiet", "verbose"} <= {option.name for option in command.params}


@pytest.mark.parametrize("path", [path for path, _ in OURS if path[-1] == "list"])
def test_every_listing_takes_json_and_limit(path: tuple[str, ...]) -> None:
    command = dict(OURS)[path]
    assert {"as_json", "limit"} <= {option.name for option in command.params}


def test_the_line_of_help_beside_a_lazy_command_is_its_own() -> None:
    context = click.Context(main.cli)
    for name, (_, line) in main.cli.lazy.items():
        command = main.cli.get_command(context, name)
        assert command is not None
        if name in main._COMMANDS:
            assert command.get_short_help_str(limit=100) == line


def test_help_lists_the_commands_of_plugins(penstock: Callable[..., Any]) -> None:
    class Plugin:
        @hookimpl
        def penstock_register_commands(self, cli: Group) -> None:
            cli.add_lazy("vault", "acme.commands:vault", "Open the vault.")

    with hooks.observing(Plugin()):
        root = Root("penstock")
        assert "Open the vault." in root.get_help(root.context_class(root))


def test_a_plugin_whose_commands_cannot_be_had_harms_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        @hookimpl
        def penstock_register_commands(self, cli: Group) -> None:
            raise ValueError("no commands today")

    root = Root("penstock")
    root.add_lazy("version", "penstock_cli.commands.version:version", "")
    with hooks.observing(Broken(), "acme"):
        assert "version" in root.list_commands(click.Context(root))
    said = capsys.readouterr().err
    assert said == "penstock: the commands of the plugin acme are left out: ValueError: no commands today\n"


def test_a_command_that_cannot_be_imported_names_the_module() -> None:
    root = Root("penstock")
    root.add_lazy("vault", "acme_penstock.commands:vault", "")
    with pytest.raises(errors.PluginError, match=r'command "vault" cannot be imported from acme_penstock\.commands'):
        root.get_command(click.Context(root), "vault")


def test_version(penstock: Callable[..., Any]) -> None:
    assert penstock("version").out.startswith(f"penstock {penstock_version()} (Python 3.")
    assert penstock("--version").out == f"penstock {penstock_version()}\n"


def penstock_version() -> str:
    return penstock.__version__


def test_an_unknown_command_is_refused_with_the_nearest_one(penstock: Callable[..., Any]) -> None:
    done = penstock("rnu")
    assert (done.code, done.out) == (2, "")
    assert done.err == 'penstock: There is no command "penstock rnu". Did you mean run?\nTry: penstock --help\n'


def test_an_unknown_command_of_a_group_is_refused_too(penstock: Callable[..., Any]) -> None:
    done = penstock("runs", "lst")
    assert done.code == 2
    assert 'no command "penstock runs lst". Did you mean list?' in done.err


def test_an_unknown_option_is_bad_usage(penstock: Callable[..., Any]) -> None:
    done = penstock("runs", "list", "--lmit", "3")
    assert done.code == 2
    assert "--lmit" in done.err
    assert "Try: penstock runs list --help" in done.err


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_completion_prints_a_script_for_the_shell(penstock: Callable[..., Any], shell: str) -> None:
    done = penstock("completion", shell)
    assert done.code == 0
    assert "_PENSTOCK_COMPLETE" in done.out


def test_the_shell_is_told_what_a_word_may_become() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock_cli"],
        env={"COMP_WORDS": "penstock flows ", "COMP_CWORD": "2", "_PENSTOCK_COMPLETE": "bash_complete"},
        check=False,
        text=True,
        capture_output=True,
    )
    assert "plain,unpause" in done.stdout.splitlines() or "plain,unpause" in done.stdout, done.stderr


def run_unexpected(monkeypatch: pytest.MonkeyPatch, error: BaseException, *options: str) -> int:
    def fail() -> None:
        raise error

    root = Root("penstock")
    root.add_command(Command("fail", callback=fail))
    monkeypatch.setattr(main, "cli", root)
    return main.run(["fail", *options])


def test_an_error_of_penstock_is_a_line_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_unexpected(monkeypatch, errors.BackendUnreachableError("no answer")) == 3
    assert capsys.readouterr().err == "penstock: no answer\n"


def test_an_unforeseen_error_shows_no_traceback_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_unexpected(monkeypatch, KeyError("a name")) == 1
    said = capsys.readouterr().err
    assert said.startswith("penstock: KeyError: 'a name'\n")
    assert "Traceback" not in said


def test_verbose_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_unexpected(monkeypatch, errors.FlowError("not well formed"), "-v") == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("penstock: not well formed\n")


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_unexpected(monkeypatch, KeyboardInterrupt()) == 130


def test_a_wrong_setting_is_refused_with_where_it_came_from(penstock: Callable[..., Any], home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[agent]\nlimt = 3\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "penstock_cli", "config", "show"], check=False, text=True, capture_output=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("penstock: There is no setting agent.limt. Did you mean limit?")
    assert f"(from {home / 'config.toml'})" in done.stderr


def test_a_backend_out_of_reach_is_3(penstock: Callable[..., Any], home: Path) -> None:
    home.write_text("a file where a folder should be", encoding="utf-8")
    done = penstock("projects", "list")
    assert done.code == 3
    assert done.err.startswith("penstock: ")
    assert str(home) in done.err


def test_the_backend_can_be_named_on_the_command_line(penstock: Callable[..., Any], tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    penstock("projects", "create", "there", "--backend", other)
    assert [one["name"] for one in json.loads(penstock("projects", "list", "--json", "--backend", other).out)] == [
        "there"
    ]
    assert json.loads(penstock("projects", "list", "--json").out) == []


@pytest.mark.parametrize("arguments", [["version"], ["config", "path"]])
def test_a_light_command_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        f"import sys; from penstock_cli import main; main.run({arguments!r}); "
        "print(*sorted(set(sys.modules) & {'rich', 'rich.table', 'sqlalchemy', 'jinja2', 'penstock_backend'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == ""
