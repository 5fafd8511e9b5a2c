"""The kernel stays small, its files readable, its functions short."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

KERNEL_LINES = 6_000
FILE_LINES = 500
LONG_FUNCTION = 40
LONGEST_FUNCTION = 60
LONG_FUNCTIONS_IN_A_HUNDRED = 2
MEDIAN_FUNCTION = 10


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    end = function.end_lineno or function.lineno
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return end - function.lineno + 1 - docstring


def functions(folder: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.name}:{node.lineno} {node.name}", code_lines(node)


def statements(path: Path) -> int:
    """Lines of a file without its docstrings, comments and blank lines."""
    text = path.read_text(encoding="utf-8")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    docstrings = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    prose = {number for one in docstrings for number in range(one.lineno, (one.end_lineno or one.lineno) + 1)}
    code = [line for number, line in enumerate(text.splitlines(), 1) if number not in prose]
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in code)


def test_the_kernel_is_small(root: Path) -> None:
    kernel = root / "kernel/penstock"
    kit = set((kernel / "testing").rglob("*.py"))  # the tests that are shipped for authors of plugins
    assert 0 < sum(map(statements, set(kernel.rglob("*.py")) - kit)) < KERNEL_LINES


def test_no_file_is_long(root: Path, plugins: list[Path]) -> None:
    sources = [path for folder in (root / "kernel", *plugins) for path in folder.rglob("*.py")]
    assert [str(path) for path in sources if lines(path) >= FILE_LINES] == []


def test_functions_are_short_and_rarely_long(root: Path, plugins: list[Path]) -> None:
    sizes = dict(
        found
        for folder in (root / "kernel/penstock", *(next(plugin.glob("penstock_*")) for plugin in plugins))
        for found in functions(folder)
    )
    long = {name: size for name, size in sizes.items() if size > LONG_FUNCTION}
    assert [name for name, size in long.items() if size > LONGEST_FUNCTION] == []
    assert len(long) * 100 <= LONG_FUNCTIONS_IN_A_HUNDRED * len(sizes), long
    assert statistics.median(sizes.values()) <= MEDIAN_FUNCTION


@pytest.mark.parametrize(("body", "size"), [('"""Doc."""\n    return 1', 2), ("x = 1\n    return x", 3)])
def test_a_docstring_does_not_make_a_function_long(body: str, size: int) -> None:
    function = ast.parse(f"def f():\n    {body}").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert code_lines(function) == size
