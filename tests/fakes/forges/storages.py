"""What the storage on every host holds to, besides what every storage that is only read does."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
import stamina

from forges import server
from forges.contract import TOKEN
from forges.repositories import Repository, packed
from forges.server import Forge, Place, running
from penstock import Flow, context, errors
from penstock.storage import Storage
from penstock.testing.storages import ReadOnlyStorageContract
from penstock_fsspec import rest
from penstock_fsspec.commits import RefMissingError, RepositoryMissingError
from penstock_fsspec.rest import RateLimitError, ServiceError

Make = Callable[..., Storage]


def _entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, target, size
    return entry


def _bomb() -> bytes:
    """Say that there are two gibibytes, and stop after that."""
    header = _entry("top/flow.py", size=2 << 30).tobuf()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.fileobj.write(header)
        archive.offset += len(header)
    return buffer.getvalue()


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "upwards": (packed([(_entry("top/../../flow.py"), b"")]), "leads out of it"),
    "absolute": (packed([(_entry("/etc/flow.py"), b"")]), "leads out of it"),
    "link": (packed([(_entry("top/flow.py", tarfile.SYMTYPE, "../../../etc/passwd"), b"")]), "leads out of it"),
    "device": (packed([(_entry("top/null", tarfile.CHRTYPE), b"")]), "neither a file, a folder nor a link"),
    "bomb": (_bomb(), "more than"),
    "cut": (packed([(_entry("top/flow.py", size=9), b"x = 1\n  \n")])[:-20], "cannot be read"),
    "garbage": (b"\x1f\x8bgarbage", "cannot be read"),
}


class HostedStorageContract(ReadOnlyStorageContract):
    """Subclass it as `Test...`, and give the fixtures `forge`, a server that serves, and `make`."""

    name: ClassVar[str] = "example/flows"
    """What the repository is called on the server."""
    host_name: ClassVar[str]
    """What the host is called in messages."""
    secret: ClassVar[str]
    archives: ClassVar[str]
    """What the path of every request for an archive has in it."""

    @pytest.fixture(autouse=True)
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Repeat what failed at once, and know no token and no answer from before."""
        monkeypatch.setattr(rest, "_kept", rest._KeptAnswers(1 << 20))
        monkeypatch.delenv(self.secret, raising=False)
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
    def make(self, forge: Forge) -> Make:
        """Return a function that takes options and returns a storage for `entry` in the repository."""
        raise NotImplementedError

    @pytest.fixture
    def repository(self, forge: Forge) -> Repository:
        """Return the repository, without a commit."""
        return forge.repositories.setdefault(self.name, Repository())

    @pytest.fixture
    def publish(self, repository: Repository, make: Make) -> Callable[[Mapping[str, bytes]], Storage]:
        def published(files: Mapping[str, bytes]) -> Storage:
            repository.push(files)
            return make()

        return published

    def test_the_commit_is_pinned_whatever_the_branch_becomes(
        self, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        first = repository.push(files)
        storage = pinned(make(ref="main"))
        assert storage.references["answers"].location.endswith(f"/{self.name}@{first}")
        assert storage.references["answers"].entry == self.entry
        second = repository.push({**files, "README.md": b"more"})
        again = pinned(make(ref="main"))
        assert again.references["answers"].location.endswith(f"@{second}")
        assert again.references["answers"].sha256 != storage.references["answers"].sha256
        assert travelled(storage).get_flow("answers").name == "answers"

    @pytest.mark.parametrize("named", [False, True], ids=["by-default", "by-name"])
    def test_the_token_is_a_secret_and_only_its_name_travels(
        self, repository: Repository, make: Make, files: dict[str, bytes], named: bool
    ) -> None:
        repository.push(files)
        repository.tokens = frozenset({TOKEN})
        secret = "MINE" if named else self.secret
        options = {"access_token_secret": "MINE"} if named else {}
        with context(secrets={secret: TOKEN}):
            storage = pinned(make(**options))
            assert travelled(storage).get_flow("answers").name == "answers"
        assert TOKEN not in storage.spec().model_dump_json() + repr(storage) + str(vars(storage))
        with pytest.raises(errors.PenstockError, match=f'"{secret}"'):
            travelled(storage).get_flow("answers")

    def test_a_token_may_be_in_the_environment(
        self, repository: Repository, make: Make, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.push(files)
        repository.tokens = frozenset({TOKEN})
        monkeypatch.setenv(self.secret, TOKEN)
        assert travelled(pinned(make())).get_flow("answers").name == "answers"

    def test_a_secret_that_is_named_has_to_be_there(
        self, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        repository.push(files)
        with pytest.raises(errors.SecretMissingError, match='no secret "MINE"'):
            pinned(make(access_token_secret="MINE"))  # noqa: S106 - its name

    def test_a_repository_or_a_ref_that_is_not_there_is_named(
        self, forge: Forge, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        repository.push(files)
        with pytest.raises(RefMissingError, match=f'{self.name} on {self.host_name} has no .* "nowhere"'):
            pinned(make(ref="nowhere"))
        del forge.repositories[self.name]
        with pytest.raises(RepositoryMissingError, match=f"no repository {self.name}"):
            pinned(make())

    def test_a_commit_that_is_gone_asks_to_register_again(
        self, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        commit = repository.push(files)
        storage = pinned(make())
        repository.push({})
        del repository.commits[commit]
        with pytest.raises(RefMissingError, match=f"no commit {commit}: .*Register the flow again"):
            travelled(storage).get_flow("answers")

    @pytest.mark.parametrize(("archive", "reason"), ARCHIVES.values(), ids=ARCHIVES)
    def test_an_archive_that_cannot_be_trusted_is_refused(
        self, forge: Forge, repository: Repository, make: Make, files: dict[str, bytes], archive: bytes, reason: str
    ) -> None:
        commit = repository.push(files)
        forge.plant(server.content(archive), inside=self.archives)
        with pytest.raises(
            errors.StorageError, match=f"/{self.name} at commit {commit[:12]} cannot be used: .*{reason}"
        ):
            pinned(make())

    def test_an_archive_that_has_changed_is_refused(
        self, forge: Forge, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        repository.push(files)
        storage = pinned(make())
        forge.plant(server.content(packed([(_entry(f"top/{self.entry}", size=4), b"x()\n")])), inside=self.archives)
        with pytest.raises(errors.SourceChangedError, match="Nothing was executed"):
            travelled(storage).get_flow("answers")

    def test_a_host_that_is_out_of_reach_ends_a_command_line_with_3(
        self, forge: Forge, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        repository.push(files)
        forge.plant(server.rate_limited(3000, code=429))
        with pytest.raises(RateLimitError) as limited:
            pinned(make())
        forge.clear()
        forge.plant(server.cut(), times=9)
        with pytest.raises(ServiceError, match="the connection was cut") as cut:
            pinned(make())
        assert limited.value.exit_code == cut.value.exit_code == 3

    def test_options_that_hold_a_password_are_refused(self, make: Make) -> None:
        for options in ({"ref": "main", "token": TOKEN}, {"access_token": TOKEN}):
            with pytest.raises(errors.SettingsError, match="has no option"):
                make(**options)


def pinned(storage: Storage) -> Storage:
    """Return a storage that has pinned the flow "answers"."""
    storage.add_flow(Flow("answers"))
    return storage.build()


def travelled(storage: Storage) -> Any:
    """Return a storage as another process gets it."""
    return Storage.restore(json.loads(storage.spec().model_dump_json()))
