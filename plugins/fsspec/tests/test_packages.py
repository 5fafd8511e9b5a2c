"""A script and the files around it, as one archive that can be trusted."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import errors
from penstock.storage import Storage, load_flows
from penstock_fsspec import Local, packages
from penstock_fsspec.packages import File

SCRIPT = """
import beside
from . import sibling
from ..tools import helper
from penstock import Flow, task

@task
def total():
    return beside.ONE + sibling.TWO + helper.three()

with Flow("in a package") as flow:
    total()
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with a script that imports what lies beside it, relatively and not."""
    root = tmp_path / "project"
    files = {
        "acme/__init__.py": "",
        "acme/flows/__init__.py": "",
        "acme/flows/beside.py": "ONE = 1",
        "acme/flows/sibling.py": "TWO = 2",
        "acme/tools/__init__.py": "",
        "acme/tools/helper.py": "def three(): return 3",
        "acme/flows/total.py": SCRIPT,
        ".git/config": "secret",
        "acme/__pycache__/x.pyc": "",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    before, path = set(sys.modules), list(sys.path)
    yield root
    sys.path[:] = path
    forget(before)


def forget(before: set[str]) -> None:
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("acme", "beside"):
            del sys.modules[name]


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mtime = kind, target, 12345
    return found


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def listed(package: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        return {name: packages.read(package, name) or b"" for name in archive.getnames()}


@given(st.dictionaries(st.from_regex(r"[a-zü]{1,3}(/[a-z]{1,120}){0,2}", fullmatch=True), st.binary(max_size=50)))
def test_a_package_is_the_same_in_whatever_order_it_is_made(files: dict[str, bytes]) -> None:
    made = [File(name, content) for name, content in files.items()]
    package = packages.pack(made)
    assert package == packages.pack(reversed(made)) == packages.repack(package)
    assert listed(package) == files


def test_a_folder_is_stored_with_the_script_and_loaded_with_what_it_imports(project: Path, tmp_path: Path) -> None:
    before = set(sys.modules)
    flow = load_flows(project / "acme/flows/total.py")["in a package"]
    storage = Local(tmp_path / "flows", package=project)
    storage.add_flow(flow)
    reference = storage.build().references[flow.name]
    assert (reference.format, reference.entry) == ("package", "acme/flows/total.py")
    assert not [name for name in listed(storage.fetch(reference)) if "git" in name or "pycache" in name]
    forget(before)
    for path in sorted(project.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    restored = Storage.restore(storage.spec()).get_flow("in a package")
    (task,) = restored.tasks
    assert restored.run().result[task].result == 6
    assert "project" not in storage.spec().model_dump_json().replace(str(tmp_path), "")


def test_its_files_live_as_long_as_the_process_that_loaded_it_and_no_child_removes_them(
    project: Path, tmp_path: Path
) -> None:
    storage = Local(tmp_path / "flows", package=project)
    storage.add_flow(load_flows(project / "acme/flows/total.py")["in a package"])
    (tmp_path / "spec").write_text(storage.build().spec().model_dump_json(), encoding="utf-8")
    code = """
import json, os, sys
from pathlib import Path
from penstock.storage import Storage
flow = Storage.restore(json.loads(Path("spec").read_text())).get_flow("in a package")
folder = Path(sys.modules["beside"].__file__).parent
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
print(folder, folder.is_dir())
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, text=True, capture_output=True)
    folder, lived = done.stdout.split()
    assert lived == "True"
    assert not Path(folder).exists()
    assert done.stderr == ""


def test_what_a_package_imports_travels_to_processes_that_cannot_import_it(project: Path, tmp_path: Path) -> None:
    storage = Local(tmp_path / "flows", package=project)
    flow = load_flows(project / "acme/flows/total.py")["in a package"]
    storage.add_flow(flow)
    spec = storage.build().spec()
    restored = Storage.restore(spec).get_flow(flow.name)
    (task,) = restored.tasks
    pickled = cloudpickle.dumps(task)
    assert b"three" in pickled


def test_a_script_outside_of_the_folder_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    storage = Local(tmp_path / "flows", package=tmp_path / "empty")
    storage.add_flow(load_flows(project / "acme/flows/total.py")["in a package"])
    with pytest.raises(errors.StorageError, match=r'does not lie in the folder .*empty; correct the option "package"'):
        storage.build()


def test_programs_stay_programs_and_links_out_of_the_folder_stay_out(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "p" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "p" / "run.sh").chmod(0o755)
    (tmp_path / "p" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "p" / "folder").symlink_to(tmp_path)
    package = packages.pack_folder(tmp_path / "p")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        assert [(found.name, found.mode) for found in archive] == [("run.sh", 0o755)]


def test_archives_of_others_become_packages() -> None:
    expected = {"a.py": b"1", "b/c.py": b"2"}
    compressed = tar((member("top", tarfile.DIRTYPE), b""), (member("top/a.py"), b"1"), (member("./top/b/c.py"), b"2"))
    plain = tar((member("top/b/c.py"), b"2"), (member("top/a.py"), b"1"), mode="w")
    zip_file = zipped(top__a=b"1")
    assert listed(packages.repack(compressed, strip=1)) == expected
    assert packages.repack(compressed, strip=1) == packages.repack(plain, strip=1)
    assert listed(packages.repack(zip_file, strip=1)) == {"a": b"1"}


def test_a_zip_file_among_the_files_is_a_file_like_any_other() -> None:
    files = {"PK-first.txt": b"", "flow.py": b"1", "sheet.xlsx": zipped(inner=b"2")}
    archive = tar(*[(member(f"top/{name}"), content) for name, content in files.items()], mode="w")
    package = packages.repack(archive, strip=1)
    assert listed(package) == files
    assert packages.repack(package) == package
    assert listed(packages.repack(zipped())) == {}


def test_links_inside_of_an_archive_become_copies() -> None:
    archive = tar(
        (member("top/real/a.py"), b"1"),
        (member("top/soft.py", tarfile.SYMTYPE, "real/a.py"), b""),
        (member("top/hard.py", tarfile.LNKTYPE, "top/real/a.py"), b""),
        (member("top/x/folder", tarfile.SYMTYPE, "../real"), b""),
    )
    names = ["real/a.py", "soft.py", "hard.py", "x/folder/a.py"]
    assert listed(packages.repack(archive, strip=1)) == dict.fromkeys(names, b"1")


def test_links_to_links_become_copies_too() -> None:
    archive = tar(
        (member("top/z/a.py"), b"1"),
        (member("top/again", tarfile.SYMTYPE, "latest"), b""),
        (member("top/b.py", tarfile.SYMTYPE, "latest/a.py"), b""),
        (member("top/latest", tarfile.SYMTYPE, "z"), b""),
        (member("top/z/c.py", tarfile.SYMTYPE, "a.py"), b""),
    )
    names = ["b.py", *[f"{folder}/{file}.py" for folder in ("again", "latest", "z") for file in "ac"]]
    assert listed(packages.repack(archive, strip=1)) == dict.fromkeys(names, b"1")


def test_links_in_a_circle_are_followed_once_or_refused() -> None:
    folders = tar(
        (member("a/x"), b"1"),
        (member("a/b", tarfile.SYMTYPE, "../b"), b""),
        (member("b/y"), b"2"),
        (member("b/a", tarfile.SYMTYPE, "../a"), b""),
        (member("b/b", tarfile.SYMTYPE, "."), b""),
    )
    assert {"a/x", "a/b/y", "b/y", "b/a/x", "b/b/y"} <= set(listed(packages.repack(folders)))
    with pytest.raises(ValueError, match="link to"):
        packages.repack(tar((member("a", tarfile.SYMTYPE, "b"), b""), (member("b", tarfile.SYMTYPE, "a"), b"")))


def test_copies_count_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MOST_FILES", 30)
    links = [
        (member(f"{number}/{end}", tarfile.SYMTYPE, f"../{number - 1}"), b"") for number in range(1, 9) for end in "ab"
    ]
    with pytest.raises(ValueError, match="more than 30 files"):
        packages.repack(tar((member("0/x"), b""), *links))


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (lambda: tar((member("../up.py"), b"")), "'../up.py' leads out of it"),
        (lambda: tar((member("/etc/passwd"), b"")), "leads out of it"),
        (lambda: tar((member("a\\..\\b"), b"")), "leads out of it"),
        (lambda: tar((member("a", tarfile.SYMTYPE, "../../etc/passwd"), b"")), "leads out of it"),
        (lambda: tar((member("a", tarfile.SYMTYPE, "/etc/passwd"), b"")), "leads out of it"),
        (lambda: tar((member("a", tarfile.LNKTYPE, "b"), b"")), "link to 'b', which is not in it"),
        (lambda: tar((member("a", tarfile.CHRTYPE), b"")), "neither a file, a folder nor a link"),
        (lambda: zipped(**{"../up": b""}), "leads out of it"),
        (lambda: tar((member("a"), os.urandom(20_000)))[:10_000], "cannot be read"),
        (lambda: b"<html>not found</html>", "cannot be read"),
        (lambda: b"", "cannot be read"),
    ],
    ids=[
        "up",
        "absolute",
        "backslash",
        "link-up",
        "link-absolute",
        "dangling",
        "device",
        "zip-up",
        "cut",
        "page",
        "none",
    ],
)
def test_an_archive_that_cannot_be_trusted_is_refused(archive: Callable[[], bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        packages.repack(archive())


def test_a_bomb_is_refused_before_it_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MOST_BYTES", 1_000_000)
    small = tar((member("bomb"), bytes(10_000_000)))
    assert len(small) < 20_000
    with pytest.raises(ValueError, match="more than 100000 files or 1000000 bytes"):
        packages.repack(small)
    with pytest.raises(ValueError, match="more than"):
        packages.repack(zipped(bomb=bytes(10_000_000)))
    monkeypatch.setattr(packages, "MOST_FILES", 3)
    with pytest.raises(ValueError, match="more than 3 files"):
        packages.repack(tar(*[(member(str(number)), b"") for number in range(4)]))
