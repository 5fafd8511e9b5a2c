"""The documents' examples are tests that can fail."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def documents(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder whose documents are run as this repository's are."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    shutil.copy(ROOT / "conftest.py", pytester.path)
    return pytester


def write(documents: pytest.Pytester, name: str, *blocks: str) -> None:
    path = documents.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# A document\n\n" + "\n\n".join(blocks) + "\n", encoding="utf-8")


def python(source: str) -> str:
    return f"```python\n{source}\n```"


def console(source: str) -> str:
    return f"```console\n{source}\n```"


def outcome(documents: pytest.Pytester, *arguments: str) -> dict[str, int]:
    return documents.runpytest(*arguments).parseoutcomes()


@pytest.mark.parametrize("name", ["README.md", "docs/page.md", "docs/room/deep/page.md", "plugins/x/README.md"])
def test_a_failing_python_block_fails_its_document(documents: pytest.Pytester, name: str) -> None:
    write(documents, name, python("assert 1 == 1"), python("assert 1 == 2"))
    assert outcome(documents, name) == {"passed": 1, "failed": 1}


def test_a_document_no_reader_sees_is_left_alone(documents: pytest.Pytester) -> None:
    write(documents, "changelog.d/1.added.md", python("assert 1 == 2"))
    result = documents.runpytest("changelog.d")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_blocks_of_a_document_share_names_and_documents_do_not(documents: pytest.Pytester) -> None:
    write(documents, "docs/one.md", python("shared = 1"), python("assert shared == 1"))
    write(documents, "docs/two.md", python("shared"))
    assert outcome(documents, "docs") == {"passed": 2, "failed": 1}


def test_blocks_of_a_document_stay_together_on_many_workers(documents: pytest.Pytester) -> None:
    blocks = [python("count = 0"), *[python(f"count += 1\nassert count == {n}") for n in range(1, 6)]]
    for name in ("one", "two", "three"):
        write(documents, f"docs/{name}.md", *blocks)
    assert outcome(documents, "-p", "xdist", "-n2", "--dist=loadscope", "docs") == {"passed": 18}


def test_a_document_has_a_folder_and_a_home_of_its_own(documents: pytest.Pytester) -> None:
    where = "import os, pathlib\nhere = pathlib.Path.cwd()"
    owned = "assert os.environ['PENSTOCK_HOME'] == str(here / 'home')\nassert not list(here.iterdir())"
    write(documents, "docs/one.md", python(where), python(owned), python("(here / 'left').touch()"))
    write(documents, "docs/two.md", python(where), python(owned))
    assert outcome(documents, "docs") == {"passed": 5}


def test_a_failing_command_fails_its_block(documents: pytest.Pytester) -> None:
    write(documents, "docs/page.md", console("$ true\n$ exit 3"))
    assert outcome(documents, "docs") == {"failed": 1}


def test_a_command_may_say_how_it_exits(documents: pytest.Pytester) -> None:
    write(documents, "docs/page.md", console("$ exit 3  # exits 3"), console("$ true  # exits 3"))
    assert outcome(documents, "docs") == {"passed": 1, "failed": 1}


def test_what_a_command_prints_is_what_is_shown(documents: pytest.Pytester) -> None:
    same = console("$ echo one; echo two\none\n...")
    other = console("$ echo one\ntwo")
    write(documents, "docs/page.md", same, other)
    assert outcome(documents, "docs") == {"passed": 1, "failed": 1}


def test_a_captioned_block_is_a_file_for_the_blocks_after_it(documents: pytest.Pytester) -> None:
    saved = "```{code-block} python\n:caption: folder/hello.py\n\nprint('hello')\n```"
    write(documents, "docs/page.md", saved, console("$ python folder/hello.py\nhello"))
    assert outcome(documents, "docs") == {"passed": 2}


def test_a_captioned_block_stays_below_its_documents_folder(documents: pytest.Pytester) -> None:
    write(documents, "docs/page.md", "```{code-block} toml\n:caption: ../outside.toml\n\nx = 1\n```")
    assert outcome(documents, "docs") == {"failed": 1}


def test_a_block_of_prompts_is_refused(documents: pytest.Pytester) -> None:
    write(documents, "docs/page.md", python(">>> 1\n2"), console("no prompt"))
    assert outcome(documents, "docs") == {"failed": 2}
