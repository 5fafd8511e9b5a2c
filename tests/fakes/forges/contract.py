"""What the file system of every host holds to, as tests against the server that speaks its API."""

import gzip
import io
import pickle
import tarfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
import stamina

from forges import server
from forges.repositories import Content, Link, Repository, Submodule
from forges.server import Forge, Place, running
from penstock import clock, errors
from penstock.testing.clocks import VirtualClock
from penstock_fsspec import rest
from penstock_fsspec.commits import (
    CommitFileSystem,
    PathMissingError,
    ReadOnlyError,
    RefMissingError,
    RepositoryMissingError,
)
from penstock_fsspec.rest import AccessError, RateLimitError, ServiceError

Open = Callable[..., CommitFileSystem]

TOKEN = "token-0123456789"  # noqa: S105 - let in by the servers here
README = b"# Flows\n"
FILES: dict[str, Content] = {
    "README.md": README,
    "flows/daily/clean.py": b"from flows.daily import names\n",
    "flows/daily/names.py": "größe = 1\n".encode(),
    "flows/weekly.py": b"",
    "flows/with space & 100%.txt": b"odd",
    "latest": Link("flows/daily/clean.py"),
    "vendored": Submodule(),
}
FOLDER = {f"many/{number:03}.txt": b"%d" % number for number in range(230)}
WRITES: dict[str, Callable[[Any], object]] = {
    "pipe": lambda files: files.pipe("a", b""),
    "open": lambda files: files.open("a", "wb"),
    "append": lambda files: files.open("README.md", "ab"),
    "write_text": lambda files: files.write_text("a", ""),
    "remove": lambda files: files.rm("README.md"),
    "remove_file": lambda files: files.rm_file("README.md"),
    "move": lambda files: files.mv("README.md", "a"),
    "copy": lambda files: files.cp_file("README.md", "a"),
    "make_folder": lambda files: files.makedirs("a"),
    "remove_folder": lambda files: files.rmdir("flows"),
    "touch": lambda files: files.touch("README.md"),
}


class CommitFileSystemContract:
    """Subclass it as `Test...`, and give the fixtures `forge`, a server that serves, and `open_files`."""

    name: ClassVar[str] = "example/flows"
    """What the repository is called on the server."""
    service: ClassVar[str]
    secret: ClassVar[str]
    has_sizes: ClassVar[bool] = True
    """Whether a listing has the sizes of files."""
    has_modes: ClassVar[bool] = True
    """Whether a listing tells links and submodules from files."""
    hides: ClassVar[bool] = True
    """Whether a private repository is, without a token, as if it were not there."""

    @pytest.fixture(autouse=True)
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Repeat what failed at once, and know no answer from before."""
        monkeypatch.setattr(rest, "_kept", rest._KeptAnswers(1 << 20))
        with stamina.set_testing(True, attempts=3):
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        """Return where to serve."""
        with running() as place:
            yield place

    @pytest.fixture
    def forge(self, place: Place) -> Forge:
        """Return the host, which serves there."""
        raise NotImplementedError

    @pytest.fixture
    def open_files(self, forge: Forge) -> Open:
        """Return a function that takes `ref` and `token` and returns the file system of the repository."""
        raise NotImplementedError

    @pytest.fixture
    def repository(self, forge: Forge) -> Repository:
        """Return the repository, with a commit on its default branch."""
        made = forge.repositories[self.name] = Repository()
        made.push({**FILES, **FOLDER})
        return made

    def test_a_branch_a_tag_and_a_commit_stand_for_a_commit(self, repository: Repository, open_files: Open) -> None:
        first = repository.branches["main"]
        second = repository.push({"a": b""}, "feature/x#1")
        repository.tags["v1.0"] = first
        assert open_files().commit == first
        assert open_files(ref="main").commit == first
        assert open_files(ref="feature/x#1").commit == second
        assert open_files(ref="v1.0").commit == first
        assert open_files(ref=second).commit == second
        assert open_files(ref=second[:10]).commit == second

    def test_what_a_branch_stood_for_first_it_stands_for_to_the_end(
        self, repository: Repository, open_files: Open
    ) -> None:
        files, first = open_files(ref="main"), repository.branches["main"]
        assert files.commit == first
        second = repository.push({"README.md": b"changed"})
        assert files.commit == first
        assert files.cat_file("README.md") == README
        assert open_files(ref="main").commit == second

    def test_a_folder_lists_what_is_in_it(self, repository: Repository, open_files: Open) -> None:
        files = open_files()
        assert files.ls("flows", detail=False) == [
            "flows/daily",
            "flows/weekly.py",
            "flows/with space & 100%.txt",
        ]
        shown = {one["name"]: one for one in files.ls("")}
        assert {name: one["type"] for name, one in shown.items() if name != "vendored"} == {
            "README.md": "file",
            "flows": "directory",
            "latest": "file",
            "many": "directory",
        }
        assert shown["README.md"]["size"] == (8 if self.has_sizes else None)
        assert shown["flows"]["size"] == 0

    def test_a_list_of_many_pages_is_whole(self, repository: Repository, open_files: Open) -> None:
        assert open_files().ls("many", detail=False) == sorted(FOLDER)

    def test_every_file_is_found_and_read(self, repository: Repository, open_files: Open) -> None:
        files = open_files()
        plain = {path: content for path, content in {**FILES, **FOLDER}.items() if isinstance(content, bytes)}
        assert set(files.find("")) - {"latest"} == set(plain)
        assert set(files.glob("flows/**/*.py")) == {path for path in plain if path.endswith(".py")}
        for path in FILES:
            if path in plain:
                assert files.cat_file(f"/{path}") == plain[path]
                assert files.info(path)["size"] == len(plain[path])

    def test_nothing_is_found_where_nothing_is_and_what_cannot_be_listed_is_an_error(
        self, repository: Repository, forge: Forge, open_files: Open
    ) -> None:
        files = open_files(ref=repository.branches["main"])
        assert files.find("nowhere") == files.glob("nowhere/*") == []
        files = open_files(ref=repository.branches["main"])
        forge.plant(server.rate_limited(1800, code=429), times=9)
        with pytest.raises(RateLimitError):
            files.find("")
        with pytest.raises(RateLimitError):
            files.exists("README.md")

    def test_a_part_of_a_file_is_read(self, repository: Repository, open_files: Open) -> None:
        files = open_files()
        assert files.cat_file("README.md", 2, 4) == b"Fl"
        assert files.cat_file("README.md", start=-3) == b"ws\n"
        with files.open("README.md") as file:
            file.seek(2)
            assert file.read(5) == b"Flows"
        with files.open("flows/daily/names.py", "r", encoding="utf-8") as file:
            assert file.read() == "größe = 1\n"

    def test_a_link_is_a_file_that_names_its_target_and_a_submodule_is_empty(
        self, repository: Repository, open_files: Open
    ) -> None:
        files = open_files()
        assert files.cat_file("latest") == b"flows/daily/clean.py"
        if self.has_modes:
            assert files.info("latest")["islink"]
            assert not files.info("README.md")["islink"]
            assert files.isdir("vendored")
            assert files.ls("vendored") == []

    def test_what_is_there_is_known(self, repository: Repository, open_files: Open) -> None:
        files = open_files()
        assert files.exists("flows/daily")
        assert files.exists("")
        assert files.isdir("flows/daily")
        assert not files.isfile("flows/daily")
        assert files.isfile("flows/weekly.py")
        assert not files.exists("flows/monthly.py")
        assert not files.exists("README.md/x")
        assert not files.exists("flows/../README.md")

    def test_the_archive_holds_the_commit_in_one_folder(self, repository: Repository, open_files: Open) -> None:
        with tarfile.open(fileobj=io.BytesIO(open_files().archive())) as archive:
            members = {one.name.partition("/")[2]: one for one in archive.getmembers() if one.isfile()}
            found = {path: archive.extractfile(one).read() for path, one in members.items()}  # type: ignore[union-attr]
        assert found == {path: content for path, content in {**FILES, **FOLDER}.items() if isinstance(content, bytes)}

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_nothing_can_be_written(
        self, repository: Repository, open_files: Open, write: Callable[[CommitFileSystem], object]
    ) -> None:
        with pytest.raises(ReadOnlyError, match=f"{self.name} at main can only be read; push to the repository"):
            write(open_files(ref="main"))

    def test_a_repository_that_is_not_there_is_named(self, open_files: Open) -> None:
        with pytest.raises(RepositoryMissingError) as caught:
            open_files(ref="main").archive()
        message = str(caught.value)
        assert f"{self.service} knows no repository {self.name}. Correct the name" in message
        assert f'if it is private, put a token into the secret "{self.secret}"' in message

    def test_a_private_repository_wants_a_token(self, repository: Repository, open_files: Open) -> None:
        repository.tokens = frozenset({TOKEN})
        kind = RepositoryMissingError if self.hides else AccessError
        with pytest.raises(kind, match=rf'(?i)put (a token|one) into the secret "{self.secret}"'):
            open_files().ls("")
        assert open_files(token=TOKEN).cat_file("README.md") == README
        assert open_files(token=TOKEN).archive()

    def test_a_token_that_may_not_read_it_is_told_so(
        self, repository: Repository, forge: Forge, open_files: Open
    ) -> None:
        forge.tokens.add(TOKEN)
        repository.tokens = frozenset({"another"})
        kind = RepositoryMissingError if self.hides else AccessError
        with pytest.raises(kind, match=f'the secret "{self.secret}"'):
            open_files(token=TOKEN).ls("")

    def test_an_expired_token_is_told_so(self, repository: Repository, open_files: Open) -> None:
        with pytest.raises(AccessError, match=rf'refuses the token .* expired.* into the secret "{self.secret}"'):
            open_files(token=TOKEN).ls("")

    @pytest.mark.parametrize("ref", ["nowhere", "no/where", "abcdef0"])
    def test_a_ref_that_is_not_there_is_named(self, repository: Repository, open_files: Open, ref: str) -> None:
        expected = f'{self.name} on {self.service} has no branch, tag or commit "{ref}"'
        with pytest.raises(RefMissingError, match=expected):
            open_files(ref=ref).archive()

    def test_a_repository_without_a_commit_is_told_so(self, forge: Forge, open_files: Open) -> None:
        forge.repositories[self.name] = Repository()
        with pytest.raises(RefMissingError, match=f"{self.name} on {self.service} has no default branch, or nothing"):
            open_files().archive()

    def test_a_commit_that_is_gone_is_told_so(self, repository: Repository, open_files: Open) -> None:
        files = open_files(ref="main")
        gone = files.commit
        repository.push({"a": b""})
        del repository.commits[gone]
        for broken in (files, open_files(ref=gone)):
            for use in (broken.archive, lambda broken=broken: broken.ls("")):
                with pytest.raises(RefMissingError, match=f"has no commit {gone}: .* Register the flow again"):
                    use()

    def test_a_path_that_is_not_there_is_named_with_the_nearest(self, repository: Repository, open_files: Open) -> None:
        files = open_files(ref="main")
        with pytest.raises(PathMissingError) as caught:
            files.cat_file("flows/weekli.py")
        commit = repository.branches["main"][:12]
        expected = f"There is no flows/weekli.py in {self.name} at main ({commit}) on {self.service}. "
        assert str(caught.value).startswith(f"{expected}Did you mean flows/weekly.py?")
        with pytest.raises(IsADirectoryError, match=f"flows in {self.name} at main"):
            files.cat_file("flows")

    def test_a_short_rate_limit_is_waited_for(self, repository: Repository, forge: Forge, open_files: Open) -> None:
        forge.plant(server.rate_limited(40, code=429))
        with clock.use(VirtualClock()):
            begin = clock.monotonic()
            assert open_files().commit == repository.branches["main"]
            assert 35 <= clock.monotonic() - begin <= 41

    def test_a_long_rate_limit_is_explained(self, repository: Repository, forge: Forge, open_files: Open) -> None:
        forge.plant(server.rate_limited(1800, code=429))
        with pytest.raises(RateLimitError, match=f'the commit of|the (repository|project) .*"{self.secret}"') as caught:
            open_files().archive()
        assert 1700 < (caught.value.resets - clock.now()).total_seconds() < 1900
        assert caught.value.resets.isoformat() in str(caught.value)

    def test_a_host_that_stumbles_is_asked_again(self, repository: Repository, forge: Forge, open_files: Open) -> None:
        forge.plant(server.status(503))
        forge.plant(server.cut())
        assert open_files().commit == repository.branches["main"]
        forge.plant(server.cut(gzip.compress(b"x")), inside="a")
        with tarfile.open(fileobj=io.BytesIO(open_files().archive())) as archive:
            assert archive.getnames()

    def test_a_host_that_keeps_cutting_short_is_named(
        self, repository: Repository, forge: Forge, open_files: Open
    ) -> None:
        files = open_files(ref="main")
        assert files.commit
        forge.plant(server.cut(), times=99)
        with pytest.raises(ServiceError, match=f"no answer for the archive of {self.name} at main.*connection was cut"):
            files.archive()

    @pytest.mark.parametrize(
        "garbage",
        [
            server.content(b"<html>", "text/html"),
            server.content(b""),
            server.document([[]]),
            server.document({"values": 1, "tree": {}, "sha": 7}),
        ],
        ids=["html", "nothing", "list", "object"],
    )
    def test_garbage_is_not_believed(
        self, repository: Repository, forge: Forge, open_files: Open, garbage: server.Reply
    ) -> None:
        files = open_files(ref="main")
        forge.plant(garbage, times=99)
        with pytest.raises(ServiceError, match=f"What {self.service} answers for the commit .* {self.name} at main"):
            _ = files.commit
        files = open_files(ref=repository.branches["main"])
        with pytest.raises(ServiceError, match="not what its API documents"):
            files.ls("")
        with pytest.raises(ServiceError, match=f"as the archive of {self.name} at .* is no tar.gz"):
            files.archive()

    def test_what_is_known_is_asked_for_with_its_etag(
        self, repository: Repository, forge: Forge, open_files: Open
    ) -> None:
        first, before = open_files(ref="main"), len(forge.asked)
        listed, read = first.ls(""), first.cat_file("README.md")
        asked = len(forge.asked) - before
        assert forge.count(304) == 0
        again = open_files(ref="main")
        assert (again.ls(""), again.cat_file("README.md")) == (listed, read)
        assert forge.count(304) == asked

    def test_an_answer_is_kept_for_those_with_the_same_token(
        self, repository: Repository, forge: Forge, open_files: Open
    ) -> None:
        forge.tokens.add(TOKEN)
        open_files().ls("")
        open_files(token=TOKEN).ls("")
        assert forge.count(304) == 0

    def test_the_token_shows_nowhere(self, repository: Repository, forge: Forge, open_files: Open) -> None:
        repository.tokens = frozenset({TOKEN})
        files = open_files(token=TOKEN)
        files.ls("")
        shown = [repr(files), repr(files.client), files.to_json(), repr(pickle.dumps(files))]
        forge.tokens.clear()
        for reply in (
            server.status(401, f"the token {TOKEN} is wrong"),
            server.status(403, f"{TOKEN}" * 50),
            server.status(404, TOKEN),
            server.status(418, TOKEN),
            server.status(503, TOKEN),
            server.content(TOKEN.encode()),
            server.rate_limited(1000),
            server.redirect(f"ftp://user:{TOKEN}@example.test/{TOKEN}"),
            server.cut(TOKEN.encode()),
        ):
            forge.plant(reply, times=6)
            with pytest.raises(errors.StorageError) as caught:
                _ = open_files(ref="main", token=TOKEN).commit
            shown.extend(traceback.format_exception(caught.value))
            forge.clear()
        assert TOKEN not in "\n".join(shown)

    def test_only_what_can_be_a_token_is_one(self, open_files: Open) -> None:
        for token in ("two\nlines", "gröste"):
            with pytest.raises(errors.SettingsError, match=f'"{self.secret}" holds no token') as caught:
                open_files(token=token)
            assert token not in str(caught.value)

    def test_it_is_itself_again_after_pickling(self, repository: Repository, open_files: Open) -> None:
        files = open_files(ref="main")
        again = pickle.loads(pickle.dumps(files))
        assert again.cat_file("README.md") == README
        assert repr(again) == repr(open_files(ref="main")).replace("main", f"main ({again.commit[:12]})")

    def test_threads_agree_on_the_commit(self, repository: Repository, forge: Forge, open_files: Open) -> None:
        files = open_files(ref="main")
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: files.commit, range(8))) == {repository.branches["main"]}
        asked = [one for one in forge.asked if "main" in one.path]
        assert len(asked) == 1
