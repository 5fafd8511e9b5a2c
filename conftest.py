"""Make the documents' examples tests: Python blocks run here, console blocks run in a shell.

Each document has a namespace, a working folder and a `PENSTOCK_HOME` of its own, and its blocks run in
order, as one script would. In documents that Sphinx builds, a block with a `:caption:` is a file: it is
saved under that name for the blocks after it.
"""

import contextlib
import doctest
import os
import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser
from sybil.typing import Evaluator

from penstock import redaction, settings

pytest_plugins = ["pytester"]

_ROOT = Path(__file__).parent
_CONSOLE_SECONDS = 300
_EXITS = re.compile(r"#\s*exits (\d+)\s*$")
_PROMPT = "$ "
_run_python = PythonEvaluator()


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets that other tests have asked for: their values are words like any other here."""
    monkeypatch.setattr(redaction, "_secrets", set())


def run_python(example: Example) -> str | None:
    """Run a Python block; one that opens with a doctest prompt is refused, since it would show nothing."""
    if example.parsed.startswith(">>>"):
        return "Write Python blocks as a script, without `>>>`: only scripts are run."
    _run_python(example)
    return None


def run_console(example: Example) -> str | None:
    """Run each `$ command` of a console block, and compare what it prints with what is shown, if anything is.

    `...` in the shown text stands for anything. A command that ends in the comment `# exits 1` has to.
    """
    for command, shown in _commands(example.parsed):
        expected = int(match[1]) if (match := _EXITS.search(command)) else 0
        done = subprocess.run(
            command,
            shell=True,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_CONSOLE_SECONDS,
        )
        if done.returncode != expected:
            return f"$ {command}\nexited with {done.returncode}, expected {expected}:\n{done.stdout}"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if shown and not doctest.OutputChecker().check_output(shown, done.stdout, flags):
            return f"$ {command}\nshould print:\n{shown}\nprinted:\n{done.stdout}"
    return None


def _commands(block: str) -> Iterator[tuple[str, str]]:
    """Split a console block into commands and the output shown below each."""
    opening, *rest = re.split(rf"^{re.escape(_PROMPT)}", block, flags=re.MULTILINE)
    if opening.strip():
        message = f"A console block opens with the prompt {_PROMPT!r}, not with: {opening.splitlines()[0]}"
        raise ValueError(message)
    for part in rest:
        command, _, shown = part.partition("\n")
        yield command, shown


def keep_file(example: Example) -> str | None:
    """Save a captioned block below the document's folder."""
    path = Path(example.region.lexemes["options"]["caption"])
    if path.is_absolute() or ".." in path.parts:
        return f"The caption {path} is no path below the document's folder."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")
    return None


def saved_or(evaluate: Evaluator | None) -> Evaluator:
    """Save a block that has a caption; hand any other to `evaluate`, if there is one."""

    def evaluate_block(example: Example) -> str | None:
        if "caption" in example.region.lexemes.get("options", {}):
            return keep_file(example)
        return evaluate(example) if evaluate else None

    return evaluate_block


def enter_document(namespace: dict[str, Any]) -> None:
    """Give a document a folder, a home for penstock in it, and the names that a script has."""
    stack = contextlib.ExitStack()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-document-")))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.chdir(folder)
    patch.syspath_prepend(folder)
    patch.setenv("PENSTOCK_HOME", str(folder / "home"))
    patch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    stack.enter_context(settings.override())
    namespace.update(__name__="__main__", __leave_document__=stack.close)


def leave_document(namespace: dict[str, Any]) -> None:
    """Put the process back as it was before the document."""
    namespace["__leave_document__"]()


_documents = Sybil(
    parsers=[
        CodeBlockParser("python", saved_or(run_python)),
        CodeBlockParser("console", run_console),
        CodeBlockParser("toml", saved_or(None)),
    ],
    patterns=["*.md"],
    setup=enter_document,
    teardown=leave_document,
)
_collect_document: Callable[[Path, pytest.Collector], pytest.Collector | None] = _documents.pytest()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect what is read for its examples: the documentation, and every README."""
    inside = file_path.relative_to(_ROOT).parts if file_path.is_relative_to(_ROOT) else ("",)
    if inside[0] == "docs" or inside[-1] == "README.md":
        return _collect_document(file_path, parent)
    return None
