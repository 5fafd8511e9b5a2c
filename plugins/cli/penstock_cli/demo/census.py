"""A census of Python's standard library: how large its modules are, how well documented, and who imports whom.

Run it here and now:       penstock run census.py -p limit=100
With three processes:      penstock run census.py -o max_workers=3
"""

import ast
import csv
import sysconfig
import warnings
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

import penstock
from penstock import Flow, Parameter, task
from penstock_cli.demo import report

LIBRARY = Path(sysconfig.get_path("stdlib"))
LEFT_OUT = {"site-packages", "test"}


class Module(TypedDict):
    """What one file of the library holds; `problem` says why it could not be read, if it could not."""

    name: str
    package: str
    lines: int
    functions: int
    classes: int
    documentable: int
    documented: int
    imports: list[str]
    problem: str | None


class Package(TypedDict):
    """What the files of one package, or a module that stands alone, hold together."""

    name: str
    modules: int
    lines: int
    functions: int
    classes: int
    coverage: float


class Graph(TypedDict):
    """Who imports whom, by package: how many import each, and how many modules of one import another."""

    importers: dict[str, int]
    imports: list[tuple[str, str, int]]


@task
def find_modules(limit: int | None) -> list[str]:
    """Return the library's source files, at most *limit* of them."""
    paths = (path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py"))
    found = sorted(str(path) for path in paths if not LEFT_OUT & set(path.parts))
    penstock.context.logger.info("found %d files in %s", len(found), LIBRARY)
    return found[:limit]


@task(max_retries=2, retry_delay=timedelta(seconds=1), retry_on=OSError)
def measure(path: str) -> Module:
    """Read one file, and count what is in it."""
    source = (LIBRARY / path).read_bytes()
    parts = Path(path).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    module = Module(
        name=name, package=parts[0], lines=len(source.splitlines()), functions=0, classes=0,
        documentable=0, documented=0, imports=[], problem=None,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library has old escapes of its own
            tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:  # test data that is broken, or Python 2, on purpose
        penstock.context.logger.warning("%s cannot be parsed: %s", path, error)
        module["problem"] = str(error)
        return module
    return count(tree, module)


def count(tree: ast.Module, module: Module) -> Module:
    """Count the functions, classes, docstrings and imports of a module."""
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.add(node.module.partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            module["classes"] += isinstance(node, ast.ClassDef)
            module["functions"] += isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if not getattr(node, "name", "").startswith("_"):
                module["documentable"] += 1
                module["documented"] += ast.get_docstring(node, clean=False) is not None
    module["imports"] = sorted(imports - {module["package"]})
    return module


@task
def rank(modules: list[Module]) -> list[Package]:
    """Add the modules up by package, and put the largest package first."""
    packages: dict[str, list[Module]] = {}
    for module in modules:
        if module["problem"] is None:
            packages.setdefault(module["package"], []).append(module)
    ranked = [add_up(name, held) for name, held in packages.items()]
    return sorted(ranked, key=lambda package: package["lines"], reverse=True)


def add_up(name: str, modules: list[Module]) -> Package:
    """Return what the modules of a package hold together."""
    documentable = sum(module["documentable"] for module in modules)
    return Package(
        name=name,
        modules=len(modules),
        lines=sum(module["lines"] for module in modules),
        functions=sum(module["functions"] for module in modules),
        classes=sum(module["classes"] for module in modules),
        coverage=sum(module["documented"] for module in modules) / max(documentable, 1),
    )


@task
def draw_imports(modules: list[Module]) -> Graph:
    """Find out which package of the library imports which."""
    known = {module["package"] for module in modules}
    imports = Counter((m["package"], other) for m in modules for other in m["imports"] if other in known)
    return Graph(
        importers=dict(Counter(imported for _, imported in imports)),
        imports=[(one, other, times) for (one, other), times in sorted(imports.items())],
    )


@task
def write_table(modules: list[Module], folder: str) -> Path:
    """Write a line per module, for whoever wants to count for themselves."""
    path = Path(folder) / "census.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(Module.__annotations__))
        writer.writeheader()
        writer.writerows({**module, "imports": " ".join(module["imports"])} for module in modules)
    return path


@task
def write_report(modules: list[Module], ranking: list[Package], graph: Graph, folder: str) -> Path:
    """Write the page."""
    path = Path(folder) / "census.html"
    path.write_text(report.render(modules, ranking, graph), encoding="utf-8")
    penstock.context.logger.info("the report is in %s", path)
    return path


with Flow("census", executor="processes") as flow:
    limit = Parameter("limit", default=None, type=int)
    folder = Parameter("folder", default=".", type=str)
    modules = measure.map(find_modules(limit))
    ranking = rank(modules)
    graph = draw_imports(modules)
    write_table(modules, folder)
    write_report(modules, ranking, graph, folder)
