"""What git storages do beyond the contract: refs, credentials, and all that can be wrong with a remote."""

import json
import os
import shlex
import shutil
import socket
from pathlib import Path
from typing import Any, ClassVar

import pytest

from penstock import Flow, errors
from penstock.storage import Reference, Storage
from penstock_fsspec import packages
from penstock_git import Git
from penstock_git.commands import run

TOKEN = "t0ken/for@acme&more"  # noqa: S105 - opens nothing
FLOW = b"from penstock import Flow\nwith Flow('git') as flow:\n    pass\n"


def pinned(storage: Storage) -> Reference:
    storage.add_flow(Flow("git"))
    return storage.build().references["git"]


def commit_of(reference: Reference) -> str:
    return reference.location.rpartition("@")[2]


class TestRefs:
    @pytest.fixture
    def commits(self, repository: Any) -> dict[str, str]:
        commits = {"old": repository.push({"flow.py": FLOW})}
        repository.git("tag", "light")
        repository.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "tag", "-a", "-m", "x", "annotated")
        commits["main"] = repository.push({"flow.py": FLOW, "more": b""})
        commits["both"] = repository.push({"flow.py": FLOW, "other": b""}, "both")
        commits["feature/x"] = repository.push({"flow.py": FLOW, "x": b""}, "feature/x")
        repository.git("tag", "both", commits["old"])
        return commits

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, "main"),
            ({"branch_name": "feature/x"}, "feature/x"),
            ({"branch_name": "both"}, "both"),
            ({"tag": "both"}, "old"),
            ({"ref": "both"}, "old"),
            ({"tag": "light"}, "old"),
            ({"tag": "annotated"}, "old"),
            ({"ref": "annotated"}, "old"),
            ({"ref": "main"}, "main"),
            ({"ref": "refs/heads/both"}, "both"),
            ({"ref": "HEAD"}, "main"),
        ],
        ids=lambda value: "-".join(value) + "=" + "".join(value.values()) if isinstance(value, dict) else "",
    )
    def test_a_ref_stands_for_a_commit(
        self, repository: Any, commits: dict[str, str], options: dict[str, str], expected: str
    ) -> None:
        storage = Git("flow.py", url=repository.url, **options)
        assert commit_of(pinned(storage)) == commits[expected]
        assert Storage.restore(json.loads(storage.spec().model_dump_json())).get_flow("git").name == "git"

    @pytest.mark.parametrize("option", ["commit", "ref"])
    def test_a_commit_stands_for_itself(self, repository: Any, commits: dict[str, str], option: str) -> None:
        assert commit_of(pinned(Git("flow.py", url=repository.url, **{option: commits["old"]}))) == commits["old"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"branch_name": "light"}, "no branch 'light' in"),
            ({"tag": "main"}, "no tag 'main' in"),
            ({"ref": "abc123"}, "no branch or tag 'abc123' in .* 40 digits"),
            ({"ref": "mai?"}, "no branch or tag"),
            ({"branch_name": "--upload-pack=touch x"}, "no branch"),
        ],
        ids=["tag-for-branch", "branch-for-tag", "short", "pattern", "option"],
    )
    def test_a_ref_that_is_not_there_is_named(
        self, repository: Any, commits: dict[str, str], options: dict[str, str], message: str
    ) -> None:
        with pytest.raises(errors.FlowNotStoredError, match=message):
            pinned(Git("flow.py", url=repository.url, **options))

    def test_an_empty_repository_has_no_default_branch(self, repository: Any) -> None:
        with pytest.raises(errors.FlowNotStoredError, match="no default branch"):
            pinned(Git("flow.py", url=repository.url))


class TestCommits:
    def test_one_that_its_branch_has_left_behind_is_loaded(self, repository: Any, shell: Any) -> None:
        repository.push({"flow.py": FLOW})
        storages = [Git("flow.py", url=url) for url in (repository.url, f"{shell.address}/acme/flows.git")]
        references = [pinned(storage) for storage in storages]
        for number in range(3):
            repository.push({"flow.py": b"raise ValueError", "number": b"%d" % number})
        for storage, reference in zip(storages, references, strict=True):
            assert packages.read(storage.fetch(reference), "flow.py") == FLOW

    def test_those_of_all_branches_are_found_where_none_is_given_out_by_its_id(
        self, repository: Any, shell: Any
    ) -> None:
        """The host over ssh speaks git's first protocol, which gives out what a ref stands for and nothing else."""
        repository.push({"flow.py": FLOW})
        storage = Git("flow.py", url=f"{shell.address}/acme/flows.git", branch_name="side", clone_depth=2)
        repository.push({"flow.py": FLOW, "side": b""}, "side")
        reference = pinned(storage)
        for number in range(4):
            repository.push({"flow.py": FLOW, "number": b"%d" % number}, "side")
        assert packages.read(storage.fetch(reference), "side") == b""
        assert packages.read(storage.fetch(reference), "number") is None

    def test_one_that_a_forced_push_removed_is_named(self, repository: Any, shell: Any) -> None:
        storages = [Git("flow.py", url=url) for url in (repository.url, f"{shell.address}/acme/flows.git")]
        gone = repository.push({"flow.py": FLOW})
        for storage in storages:
            pinned(storage)
        repository.push({"flow.py": FLOW, "other": b""}, forced=True)
        repository.git("gc", "--quiet", "--prune=now")
        for storage in storages:
            with pytest.raises(errors.FlowNotStoredError, match=f"Commit {gone} is not in .*Register the flow again"):
                storage.get_flow("git")

    def test_what_is_no_commit_reaches_no_command(self, repository: Any) -> None:
        reference = Reference(location="x@--output=made", sha256="", size=0, format="package", entry="flow.py")
        with pytest.raises(errors.StorageError, match="'--output=made' is no commit"):
            Git("flow.py", url=repository.url).fetch(reference)
        assert not Path("made").exists()


class TestFiles:
    def test_they_are_taken_as_they_are_stored(self, repository: Any) -> None:
        files = {
            ".gitattributes": b"hidden export-ignore\nversion export-subst\n*.txt text eol=crlf\n*.lfs filter=lfs\n",
            "flow.py": FLOW,
            "hidden": b"there",
            "version": b"$Format:%D$",
            "lines.txt": b"one\ntwo\n",
            "data.lfs": b"version https://git-lfs.example/spec/v1\n",
        }
        repository.push(files)
        storage = Git("flow.py", url=repository.url)
        package = storage.fetch(pinned(storage))
        assert {name: packages.read(package, name) for name in files} == files

    def test_links_are_copied_programs_stay_programs_and_submodules_are_left_out(self, repository: Any) -> None:
        files = {"flow.py": FLOW, "deep/link": b"../flow.py", "tool": b"#!/bin/sh", "inner": b"1" * 40}
        repository.push(files, modes={"deep/link": "link", "tool": "program", "inner": "submodule"})
        storage = Git("flow.py", url=repository.url)
        program = packages.File("tool", b"#!/bin/sh", executable=True)
        copies = [packages.File(name, FLOW) for name in ("flow.py", "deep/link")]
        assert storage.fetch(pinned(storage)) == packages.pack([*copies, program])

    def test_a_link_that_leads_out_is_refused(self, repository: Any) -> None:
        repository.push({"flow.py": FLOW, "link": b"../../etc/passwd"}, modes={"link": "link"})
        with pytest.raises(errors.StorageError, match="leads out of it"):
            pinned(Git("flow.py", url=repository.url))

    def test_a_flow_may_have_another_name_in_its_script(self, repository: Any) -> None:
        repository.push({"flow.py": FLOW})
        storage = Git(flow_path="flow.py", url=repository.url, flow_name="git")
        storage.add_flow(Flow("registered as"))
        assert storage.build().get_flow("registered as").name == "git"


class TestCredentials:
    options: ClassVar[dict[str, Any]] = {"git_token_secret_name": "GIT_TOKEN", "git_token_username": "acme"}

    @pytest.fixture(autouse=True)
    def private(self, repository: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        repository.push({"flow.py": FLOW})
        web.users["acme"] = TOKEN
        monkeypatch.setenv("PENSTOCK_SECRETS__GIT_TOKEN", TOKEN)

    def url(self, web: Any) -> str:
        return f"{web.address}/acme/flows.git"

    def test_without_a_token_a_private_repository_says_what_to_do(self, web: Any) -> None:
        with pytest.raises(errors.StorageUnreachableError, match=r"is private, or not there.* git_token_secret_name"):
            pinned(Git("flow.py", url=self.url(web)))

    def test_a_wrong_or_expired_token_is_named_by_its_secret(self, web: Any) -> None:
        web.users["acme"] = "a newer one"
        with pytest.raises(errors.StorageUnreachableError, match=r'secret "GIT_TOKEN" holds: .* expired') as caught:
            pinned(Git("flow.py", url=self.url(web), **self.options))
        assert TOKEN not in str(caught.value)

    def test_a_token_that_expires_after_registration_is_named_too(self, web: Any) -> None:
        storage = Git("flow.py", url=self.url(web), **self.options)
        pinned(storage)
        web.users["acme"] = "a newer one"
        with pytest.raises(errors.StorageUnreachableError, match='the secret "GIT_TOKEN"'):
            storage.get_flow("git")

    def test_a_secret_that_nobody_knows_is_named(self, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PENSTOCK_SECRETS__GIT_TOKEN")
        with pytest.raises(errors.SecretMissingError, match="GIT_TOKEN"):
            pinned(Git("flow.py", url=self.url(web), **self.options))

    def test_the_owner_is_the_user_unless_another_is_named(self, web: Any) -> None:
        storage = Git("flow.py", "acme/flows", repo_host="h", git_token_secret_name="GIT_TOKEN")  # noqa: S106 - its name
        assert storage._credentials() == Git("flow.py", url="https://h/x", **self.options)._credentials()

    def test_a_token_may_stand_in_place_of_the_user(self, web: Any) -> None:
        web.users.clear()
        web.users[TOKEN] = ""
        assert pinned(Git("flow.py", url=self.url(web), format_access_token=False, **self.options))

    def test_a_whole_url_may_be_a_secret_of_which_nothing_is_shown(
        self, web: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret: dict[str, Any] = {"git_clone_url_secret_name": "CLONE_URL"}
        monkeypatch.setenv("CLONE_URL", self.url(web).replace("//", "//acme:t0ken%2Ffor%40acme%26more@"))
        storage = Git("flow.py", **secret)
        assert pinned(storage).location.startswith("secret:CLONE_URL@")
        assert storage.get_flow("git").name == "git"
        monkeypatch.setenv("CLONE_URL", f"{web.address}/other")
        web.users.clear()
        with pytest.raises(errors.FlowNotStoredError, match="no repository secret:CLONE_URL") as caught:
            pinned(Git("flow.py", **secret))
        assert web.address not in str(caught.value)

    def test_a_token_in_place_of_a_user_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOKEN", "s3cr3t")
        options = {"git_token_secret_name": "TOKEN", "format_access_token": False}
        assert "s3cr3t" not in repr(Git("flow.py", "acme/flows", **options)._remote())

    def test_a_url_with_credentials_in_it_is_refused_and_not_shown(self) -> None:
        for url in ("https://acme:s3cr3t@h/x", "https://s3cr3t@h/x", "ssh://git:s3cr3t@h/x"):
            with pytest.raises(errors.SettingsError, match="git_clone_url_secret_name") as caught:
                Git("flow.py", url=url)
            assert "s3cr3t" not in str(caught.value)

    def test_the_token_is_in_no_command_line_and_no_metadata(
        self, web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen = tmp_path / "seen"
        spy = tmp_path / "bin" / "git"
        spy.parent.mkdir()
        spy.write_text(f'#!/bin/sh\necho "$@" >>{seen}\nexec {shutil.which("git")} "$@"\n', encoding="utf-8")
        spy.chmod(0o755)
        monkeypatch.setenv("PATH", f"{spy.parent}{os.pathsep}{os.environ['PATH']}")
        storage = Git("flow.py", url=self.url(web), **self.options)
        pinned(storage)
        storage.get_flow("git")
        assert seen.read_text(encoding="utf-8").count("fetch") == 2
        for text in (seen.read_text(encoding="utf-8"), storage.spec().model_dump_json(), repr(storage), caplog.text):
            assert TOKEN not in text

    def test_it_goes_to_no_other_host(self, web: Any, sending_on: Any) -> None:
        with pytest.raises(errors.StorageUnreachableError, match="git_token_secret_name"):
            pinned(Git("flow.py", url=f"{sending_on.address}/acme/flows.git", **self.options))
        assert web.authorizations
        assert not any(web.authorizations)


class TestKeys:
    @pytest.fixture(autouse=True)
    def pushed(self, repository: Any) -> None:
        repository.push({"flow.py": FLOW})

    @pytest.mark.parametrize(
        ("known", "message"),
        [({"key": False}, "accepts no ssh key"), ({"known": False}, "shows no key that is known here")],
        ids=["user", "host"],
    )
    def test_one_that_is_not_known_is_told_of(
        self, shell: Any, monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], message: str
    ) -> None:
        monkeypatch.setenv("GIT_SSH_COMMAND", shell.command(**known))
        with pytest.raises(errors.StorageUnreachableError, match=message):
            pinned(Git("flow.py", url=f"{shell.address}/acme/flows.git"))

    def test_ssh_that_is_not_installed_is_told_of(
        self, shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.delenv("GIT_SSH_COMMAND")
        with pytest.raises(errors.StorageUnreachableError, match="there is no command ssh here"):
            pinned(Git("flow.py", url=f"{shell.address}/acme/flows.git"))


class TestRemotes:
    def test_one_that_is_not_there_is_named_over_each_way(self, web: Any, shell: Any, tmp_path: Path) -> None:
        for address in (f"file://{tmp_path}", web.address, shell.address):
            with pytest.raises(errors.FlowNotStoredError, match=f"no repository {address}/none.git"):
                pinned(Git("flow.py", url=f"{address}/none.git"))

    def test_one_where_nobody_listens_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(errors.StorageUnreachableError, match=rf"127.0.0.1:{port}/x .*Check that it can be reached"):
            pinned(Git("flow.py", url=f"http://127.0.0.1:{port}/x"))

    def test_one_that_hangs_is_given_up_and_all_that_was_started_ends(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
            with pytest.raises(errors.StorageUnreachableError, match=r"did not end within 0.2 s.* option \"timeout\""):
                pinned(Git("flow.py", url=url, timeout=0.2))
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                while connection.recv(1 << 16):  # until whoever asked is gone
                    pass

    def test_a_transport_that_runs_commands_is_refused(self, tmp_path: Path) -> None:
        made = tmp_path / "made"
        with pytest.raises(errors.StorageError, match="not read over https, http, ssh or from a disk"):
            pinned(Git("flow.py", url=f"ext::sh -c touch% {made}"))
        assert not made.exists()

    def test_git_that_is_not_installed_is_told_of(self, repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(errors.StorageError, match="install git"):
            pinned(Git("flow.py", url=repository.url))

    def test_nothing_that_a_user_configured_is_run(
        self, repository: Any, web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = tmp_path / "made"
        touch = f"touch {shlex.quote(str(made))}"
        configured = {
            "credential": f"helper = !{touch}",
            'filter "evil"': f"smudge = {touch}",
            "core": f"askPass = {touch}",
        }
        text = "".join(f"[{section}]\n\t{line}\n" for section, line in configured.items())
        (tmp_path / ".gitconfig").write_text(text, encoding="utf-8")
        repository.push({"flow.py": FLOW, ".gitattributes": b"* filter=evil"})
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
        monkeypatch.setenv("SSH_ASKPASS", touch)
        assert pinned(Git("flow.py", url=repository.url))
        web.users["acme"] = TOKEN
        with pytest.raises(errors.StorageUnreachableError):
            pinned(Git("flow.py", url=f"{web.address}/acme/flows.git"))
        assert not made.exists()

    def test_what_a_command_writes_is_bounded(self, repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        repository.push({"flow.py": FLOW * 1000})
        monkeypatch.setattr("penstock_git.commands._MOST_BYTES", 10_000)
        with pytest.raises(errors.StorageError, match="larger than 10,000 bytes"):
            pinned(Git("flow.py", url=repository.url))

    def test_a_command_gets_what_it_is_given(self) -> None:
        done = run("config", "penstock.word", timeout=60, config={"penstock.word": "a b"}, variables={})
        assert (done.code, done.output) == (0, b"a b\n")


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"repo": "a/b", "tag": "x", "branch_name": "y"}, "takes one of .*found branch_name, tag"),
            ({"repo": "a/b", "ref": "x", "commit": "1" * 40}, "takes one of .*found commit, ref"),
            ({}, "needs repo, url or git_clone_url_secret_name; found neither"),
            ({"repo": "a/b", "url": "https://h/x"}, "found both"),
            ({"repo": "a/b", "commit": "abc"}, "commit"),
            ({"repo": "a/b", "clone_depth": 0}, "clone_depth"),
        ],
        ids=["branch-and-tag", "ref-and-commit", "nowhere", "two-places", "short-commit", "no-depth"],
    )
    def test_those_that_do_not_fit_are_named(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(errors.SettingsError, match=message):
            Git("flow.py", **options)

    @pytest.mark.parametrize(
        ("text", "url", "ref"),
        [
            ("git+https://h/a/b.git@feature/x#flows/my%20flow.py", "https://h/a/b.git", "feature/x"),
            ("git+ssh://git@h/a/b#flows/my%20flow.py", "ssh://git@h/a/b", None),
            ("git+file:///srv/b.git@v1#flows/my%20flow.py", "file:///srv/b.git", "v1"),
        ],
        ids=["https", "ssh", "file"],
    )
    def test_a_url_says_it_all(self, text: str, url: str, ref: str | None) -> None:
        storage: Any = Storage.resolve(text)
        assert (storage.url, storage.ref, storage.path) == (url, ref, "flows/my flow.py")

    def test_a_url_without_a_path_needs_one(self) -> None:
        with pytest.raises(errors.SettingsError, match='needs the option "path'):
            Storage.resolve("git+https://h/a/b")

    def test_ssh_is_for_whoever_asks(self) -> None:
        assert Git("flow.py", "a/b", use_ssh=True)._remote().url == "ssh://git@github.com/a/b.git"
        assert Git("flow.py", "a/b")._remote().url == "https://github.com/a/b.git"

    def test_they_travel(self) -> None:
        storage = Git("flow.py", "a/b", tag="v1", use_ssh=True, timeout=3)
        assert Storage.restore(json.loads(storage.spec().model_dump_json())) == storage
