"""Flows out of files."""

from pathlib import Path

import pytest

from penstock import errors
from penstock.storage import load_flows, scripts

FLOW = "from penstock import Flow, task\n@task\ndef one(): return 1\nwith Flow('{name}') as {variable}: one()\n"


def flow(name: str, variable: str = "flow") -> str:
    return FLOW.format(name=name, variable=variable)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_flow_at_module_level_is_found(tmp_path: Path) -> None:
    inner = "def make():\n    return Flow('inner')\nmake()\n"
    path = write(tmp_path, flow("a") + flow("b", "other") + inner)
    found = load_flows(path)
    assert set(found) == {"a", "b"}
    assert found["a"].run().is_successful()


def test_running_and_registering_are_left_out_while_loading(tmp_path: Path) -> None:
    path = write(tmp_path, flow("a") + "assert flow.run().is_pending()\nassert flow.register('p') is None\n")
    assert set(load_flows(path)) == {"a"}


def test_the_main_block_is_not_run(tmp_path: Path) -> None:
    assert set(load_flows(write(tmp_path, flow("a") + "if __name__ == '__main__':\n    1 / 0\n"))) == {"a"}


def test_modules_beside_the_script_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "beside_the_script.py").write_text("name = 'from beside'\n", encoding="utf-8")
    path = write(tmp_path, "import beside_the_script\n" + flow("a") + "flow.name = beside_the_script.name\n")
    assert set(load_flows(path)) == {"from beside"}


def test_one_flow_is_chosen_by_name_or_for_being_the_only_one(tmp_path: Path) -> None:
    only = load_flows(write(tmp_path, flow("a")))
    assert scripts.choose(only, None, "script.py") is only["a"]
    two = load_flows(write(tmp_path, flow("first") + flow("second", "other")))
    assert scripts.choose(two, "second", "script.py").name == "second"
    with pytest.raises(errors.FlowFileError, match=r"several flows: first, second. Name one: script.py:first"):
        scripts.choose(two, None, "script.py")
    with pytest.raises(errors.FlowFileError, match=r'no flow "frist". Did you mean first\?'):
        scripts.choose(two, "frist", "script.py")
    with pytest.raises(errors.FlowFileError, match="defines no flow at module level"):
        scripts.choose({}, None, "script.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n1 / 0\n", r"script.py cannot be loaded \(line 2\): ZeroDivisionError"),
        ("x = 1\ndef\n", r"script.py cannot be loaded \(line 2\): SyntaxError"),
        ("raise SystemExit(3)", r"SystemExit: 3"),
        (flow("a") + flow("a", "other"), 'two flows named "a"'),
    ],
    ids=["raises", "syntax", "exits", "twice"],
)
def test_a_script_that_cannot_be_loaded_says_where(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(errors.FlowFileError, match=message):
        load_flows(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.FlowFileError, match=r"nothing.py cannot be read: No such file"):
        load_flows(tmp_path / "nothing.py")
