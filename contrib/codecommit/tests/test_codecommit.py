"""CodeCommit storages: the contract of those that are only read, refs, credentials, and what the service answers."""

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from penstock import Flow, Secret, errors
from penstock.storage import Reference, Storage
from penstock.testing.storages import ReadOnlyStorageContract
from penstock_codecommit import CodeCommit
from penstock_fsspec import packages

FLOW = b"from penstock import Flow\nwith Flow('committed') as flow:\n    pass\n"


def pinned(storage: Storage) -> Reference:
    storage.add_flow(Flow("committed"))
    return storage.build().references["committed"]


class TestCodeCommit(ReadOnlyStorageContract):
    @pytest.fixture
    def publish(self, service: Any) -> Callable[[Mapping[str, bytes]], Storage]:
        def published(files: Mapping[str, bytes]) -> Storage:
            service.push(files)
            return CodeCommit("flows", self.entry)

        return published


class TestRefs:
    @pytest.fixture
    def commits(self, service: Any) -> dict[str, str]:
        return {
            "main": service.push({"flow.py": FLOW}),
            "side": service.push({"flow.py": FLOW, "side": b""}, "refs/heads/side"),
            "v1": service.push({"flow.py": FLOW, "v1": b""}, "refs/tags/v1"),
        }

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, "main"),
            ({"branch": "side"}, "side"),
            ({"commit": "side"}, "side"),
            ({"commit": "refs/heads/side"}, "side"),
            ({"ref": "v1"}, "v1"),
        ],
        ids=["default", "branch", "name", "full-name", "tag"],
    )
    def test_a_ref_stands_for_a_commit(self, commits: dict[str, str], options: dict[str, str], expected: str) -> None:
        storage = CodeCommit("flows", "flow.py", **options)
        assert pinned(storage).location == f"codecommit://flows@{commits[expected]}"
        assert Storage.restore(json.loads(storage.spec().model_dump_json())).get_flow("committed").name == "committed"

    def test_a_commit_stands_for_itself(self, commits: dict[str, str]) -> None:
        storage = CodeCommit("flows", "flow.py", commits["side"], client_options={"region_name": "eu-north-1"})
        assert pinned(storage).location == f"codecommit::eu-north-1://flows@{commits['side']}"

    @pytest.mark.parametrize("options", [{"branch": "v1"}, {"ref": "none"}], ids=["tag-for-branch", "unknown"])
    def test_one_that_is_not_there_is_named(self, commits: dict[str, str], options: dict[str, str]) -> None:
        name = next(iter(options.values()))
        with pytest.raises(errors.FlowNotStoredError, match=f"no ref '.*{name}' in codecommit://flows"):
            pinned(CodeCommit("flows", "flow.py", **options))

    def test_an_empty_repository_is_told_of(self, service: Any) -> None:
        with pytest.raises(errors.FlowNotStoredError, match="no commit on the default branch in codecommit://flows"):
            pinned(CodeCommit("flows", "flow.py"))

    def test_more_than_one_is_refused(self) -> None:
        with pytest.raises(errors.SettingsError, match="one of ref, branch and commit; found branch, commit"):
            CodeCommit("flows", "flow.py", "1" * 40, branch="main")

    def test_a_commit_that_is_gone_is_named(self, service: Any) -> None:
        commit = service.push({"flow.py": FLOW})
        storage = CodeCommit("flows", "flow.py")
        pinned(storage)
        service.commits.clear()
        with pytest.raises(errors.FlowNotStoredError, match=f"no commit {commit} in .* register the flow again"):
            storage.get_flow("committed")


class TestFiles:
    def test_the_whole_repository_is_read_with_links_copied_and_submodules_left_out(self, service: Any) -> None:
        deep = {f"a/b{number}/c/d.txt": b"%d" % number for number in range(100)}
        files = {"flow.py": FLOW, "tool": b"#!/bin/sh", "a/link": b"../flow.py", "inner": b"", **deep}
        service.push(files, kinds={"tool": "program", "a/link": "link", "inner": "submodule"})
        storage = CodeCommit("flows", "flow.py")
        copies = {**deep, "flow.py": FLOW, "a/link": FLOW}
        expected = [packages.File(name, content) for name, content in copies.items()]
        expected.append(packages.File("tool", b"#!/bin/sh", executable=True))
        assert storage.fetch(pinned(storage)) == packages.pack(expected)

    @pytest.mark.parametrize("name", ["../flow.py", "a/../../x", "/../x"])
    def test_a_path_that_leads_out_is_refused(self, service: Any, name: str) -> None:
        service.push({"flow.py": FLOW})
        storage = CodeCommit("flows", "flow.py")
        reference = pinned(storage)
        answer = service.get_folder({"folderPath": "/"})
        answer["files"][0]["absolutePath"] = name
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(service), "get_folder", lambda *_: answer)
            with pytest.raises(errors.StorageError, match="leads out of it"):
                storage.fetch(reference)

    def test_folders_without_end_are_given_up(self, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        service.push({"a/flow.py": FLOW})
        monkeypatch.setattr("penstock_codecommit.repositories.MOST_FILES", 50)
        storage = CodeCommit("flows", "flow.py")
        answer = service.get_folder({"folderPath": "/"})
        monkeypatch.setattr(type(service), "get_folder", lambda *_: answer)
        with pytest.raises(errors.StorageError, match="more than 50 files"):
            pinned(storage)

    def test_too_much_is_given_up(self, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        service.push({f"{number}": b"0" * number for number in range(1, 200)})
        monkeypatch.setattr("penstock_codecommit.repositories.MOST_BYTES", 1000)
        with pytest.raises(errors.StorageError, match="1,000 bytes"):
            pinned(CodeCommit("flows", "flow.py"))
        assert service.asked.count("GetBlob") < 150


class TestService:
    @pytest.fixture(autouse=True)
    def pushed(self, service: Any) -> None:
        service.push({"flow.py": FLOW})

    def test_a_repository_that_is_not_there_is_named(self) -> None:
        with pytest.raises(errors.FlowNotStoredError, match="no repository codecommit://none in this account"):
            pinned(CodeCommit("none", "flow.py"))

    def test_a_fault_that_passes_is_not_seen(self, service: Any) -> None:
        service.planted += [(500, "InternalFailure"), (400, "ThrottlingException")]
        assert pinned(CodeCommit("flows", "flow.py"))

    @pytest.mark.parametrize(
        ("status", "code", "message"),
        [
            (400, "AccessDeniedException", "allow codecommit:GetFolder and codecommit:GetBlob"),
            (400, "ExpiredTokenException", "have expired; renew them"),
            (400, "InvalidSignatureException", "this machine's clock"),
            (400, "ThrottlingException", "asked too often"),
            (400, "EncryptionKeyDisabledException", "a key that is disabled"),
            (503, "ServiceUnavailable", r"cannot be read; try again.*\(AWS says: ServiceUnavailable about"),
        ],
        ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
    )
    def test_a_refusal_says_what_to_do(self, service: Any, status: int, code: str, message: str) -> None:
        service.planted += [(status, code)] * 4
        with pytest.raises(errors.StorageUnreachableError, match=message):
            pinned(CodeCommit("flows", "flow.py"))

    def test_a_file_that_is_too_large_is_named(self, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> Any:
            service.planted.append((400, "FileTooLargeException"))
            return {}

        monkeypatch.setattr(type(service), "get_blob", refuse)
        with pytest.raises(errors.StorageUnreachableError, match=r"a file 'flow\.py' that is larger .* penstock-git"):
            pinned(CodeCommit("flows", "flow.py"))

    def test_a_service_where_nobody_listens_is_told_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODECOMMIT", f"http://127.0.0.1:{port}")
        with pytest.raises(errors.StorageUnreachableError, match="check that the service can be reached"):
            pinned(CodeCommit("flows", "flow.py"))


class TestCredentials:
    @pytest.fixture(autouse=True)
    def pushed(self, service: Any) -> None:
        service.push({"flow.py": FLOW})

    def test_those_that_nobody_has_are_told_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(errors.StorageUnreachableError, match="name secrets in client_options"):
            pinned(CodeCommit("flows", "flow.py"))

    def test_those_that_are_wrong_are_told_of(self, service: Any) -> None:
        service.keys.clear()
        with pytest.raises(errors.StorageUnreachableError, match="refuses the credentials of AWS") as caught:
            pinned(CodeCommit("flows", "flow.py"))
        assert "s3cr3t" not in str(caught.value)

    def test_a_region_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        with pytest.raises(errors.StorageUnreachableError, match="region_name in client_options"):
            pinned(CodeCommit("flows", "flow.py"))

    def test_of_secrets_only_the_names_travel(self, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        service.keys = {"AKIAOTHER"}
        monkeypatch.setenv("KEY_ID", "AKIAOTHER")
        monkeypatch.setenv("KEY", "another s3cr3t")
        options = {"aws_access_key_id": Secret("KEY_ID"), "aws_secret_access_key": Secret("KEY")}
        storage = CodeCommit("flows", "flow.py", client_options=options)
        pinned(storage)
        travelled = storage.spec().model_dump_json()
        assert "AKIAOTHER" not in travelled
        assert "s3cr3t" not in travelled
        assert Storage.restore(json.loads(travelled)).get_flow("committed").name == "committed"

    def test_one_that_would_travel_is_refused(self) -> None:
        storage = CodeCommit("flows", "flow.py", client_options={"aws_secret_access_key": "s3cr3t"})
        with pytest.raises(errors.StorageError, match=r"client_options\.aws_secret_access_key.* looks like") as caught:
            storage.spec()
        assert "s3cr3t" not in str(caught.value)

    def test_options_that_boto3_does_not_have_are_told_of(self) -> None:
        with pytest.raises(errors.SettingsError, match="options of the client for codecommit://flows do not fit"):
            pinned(CodeCommit("flows", "flow.py", client_options={"region": "eu-west-1"}))


@pytest.mark.parametrize("repo", ["", "a/b", "x" * 101])
def test_what_is_no_name_of_a_repository_is_refused(repo: str) -> None:
    with pytest.raises(errors.SettingsError, match='"repo"'):
        CodeCommit(repo, "flow.py")
