"""Flows in Bitbucket's repositories, in the cloud and on a server."""

import pytest
from forges.bitbucket import BitbucketCloud, BitbucketServer
from forges.contract import TOKEN
from forges.repositories import Repository
from forges.server import Forge, Place
from forges.storages import HostedStorageContract, Make, pinned, travelled

import penstock_bitbucket
from penstock import context, errors, storage
from penstock_bitbucket import Bitbucket, files


class TestBitbucketInTheCloud(HostedStorageContract):
    host_name = "Bitbucket"
    secret = "BITBUCKET_ACCESS_TOKEN"  # noqa: S105 - its name
    archives = "/get/"

    @pytest.fixture
    def forge(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> Forge:
        """Serve, as if it were the public one."""
        monkeypatch.setattr(files, "PUBLIC", f"{place.address}/2.0")
        monkeypatch.setattr(files, "PUBLIC_WEB", place.address)
        return place.serve(BitbucketCloud())

    @pytest.fixture
    def make(self, forge: Forge) -> Make:
        return lambda **options: Bitbucket(repo="flows", workspace="example", path=self.entry, **options)

    def test_a_user_and_a_password_are_secrets(
        self, repository: Repository, make: Make, files: dict[str, bytes]
    ) -> None:
        repository.push(files)
        repository.tokens = frozenset({f"ann:{TOKEN}"})
        made = make(cloud_username_secret="USER", cloud_app_password_secret="PASSWORD")  # noqa: S106 - their names
        with context(secrets={"USER": "ann", "PASSWORD": TOKEN}):
            stored = pinned(made)
            assert travelled(stored).get_flow("answers").name == "answers"
        assert TOKEN not in stored.spec().model_dump_json()


class TestBitbucketOnAServer(HostedStorageContract):
    name = "PROJ/flows"
    host_name = "Bitbucket Server"
    secret = "BITBUCKET_ACCESS_TOKEN"  # noqa: S105 - its name
    archives = "/archive"

    @pytest.fixture
    def forge(self, place: Place) -> Forge:
        return place.serve(BitbucketServer())

    @pytest.fixture
    def make(self, forge: Forge) -> Make:
        return lambda **options: Bitbucket("PROJ", "flows", host=forge.address, path=self.entry, **options)


def test_the_facade_finds_it_with_the_arguments_in_the_classic_order() -> None:
    made = storage.Bitbucket("PROJ", "flows", None, "bitbucket.example.org", "flow.py", "main")
    assert made == Bitbucket(project="PROJ", repo="flows", host="bitbucket.example.org", path="flow.py", ref="main")
    assert made.repository() == "bitbucket.example.org/PROJ/flows"
    assert Bitbucket("PROJ", "flows", "team", path="flow.py").repository() == "bitbucket.org/team/flows"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "give the workspace .* or project and host"),
        ({"workspace": "team", "host": "bitbucket.example.org"}, "give the workspace .* or project and host"),
        ({"host": "bitbucket.example.org"}, "belongs to a project; give it"),
        ({"workspace": "a/b"}, 'option "workspace" of storage "bitbucket"'),
        ({"workspace": "team", "repo": ".."}, 'option "repo" of storage "bitbucket"'),
        ({"project": "P", "host": "ann:hidden@bitbucket.example.org"}, "holds a password; give it as a secret"),
        ({"workspace": "team", "cloud_username_secret": "USER"}, "go together"),
    ],
    ids=["nowhere", "both", "no-project", "workspace", "repo", "password", "half-a-login"],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, str], told: str) -> None:
    with pytest.raises(errors.SettingsError, match=told) as caught:
        Bitbucket(**{"repo": "flows", "path": "flow.py", **options})
    assert "hidden" not in str(caught.value)


def test_the_package_names_what_it_has() -> None:
    names = penstock_bitbucket.__all__
    assert [getattr(penstock_bitbucket, name).__name__ for name in names] == names
    with pytest.raises(AttributeError, match="Nowhere"):
        _ = penstock_bitbucket.Nowhere
