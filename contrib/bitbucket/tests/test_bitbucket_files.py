"""Bitbucket's repositories as file systems, in the cloud and on a server."""

from typing import Any

import pytest
from forges.bitbucket import BitbucketCloud, BitbucketServer
from forges.contract import README, TOKEN, CommitFileSystemContract, Open
from forges.repositories import Repository
from forges.server import Forge, Place

from penstock import errors
from penstock_bitbucket.files import BitbucketCloudFileSystem, BitbucketServerFileSystem
from penstock_fsspec.rest import ServiceError


class TestBitbucketCloudFileSystem(CommitFileSystemContract):
    service = "Bitbucket"
    secret = "BITBUCKET_ACCESS_TOKEN"  # noqa: S105 - its name

    @pytest.fixture
    def forge(self, place: Place) -> Forge:
        return place.serve(BitbucketCloud())

    @pytest.fixture
    def open_files(self, forge: Forge) -> Open:
        api = f"{forge.address}/2.0"

        def opened(**options: Any) -> BitbucketCloudFileSystem:
            return BitbucketCloudFileSystem("example", "flows", base_url=api, web_url=forge.address, **options)

        return opened

    def test_a_branch_may_look_like_a_commit(self, repository: Repository, open_files: Open) -> None:
        made = repository.push({"a": b""}, "decade0")
        assert open_files(ref="decade0").commit == made

    def test_a_name_and_a_password_let_in_too(self, repository: Repository, open_files: Open) -> None:
        repository.tokens = frozenset({f"ann@example.org:{TOKEN}"})
        files = open_files(token=TOKEN, username="ann@example.org")
        assert files.cat_file("README.md") == README

    def test_a_page_to_log_in_is_no_archive(self, repository: Repository, open_files: Open) -> None:
        repository.tokens = frozenset({TOKEN})
        with pytest.raises(ServiceError, match=rf'is no tar\.gz\. .* a login; .* token in "{self.secret}"'):
            open_files(ref=repository.branches["main"]).archive()


class TestBitbucketServerFileSystem(CommitFileSystemContract):
    name = "PROJ/flows"
    service = "Bitbucket Server"
    secret = "BITBUCKET_ACCESS_TOKEN"  # noqa: S105 - its name
    has_sizes = False
    has_modes = False
    hides = False

    @pytest.fixture
    def forge(self, place: Place) -> Forge:
        return place.serve(BitbucketServer())

    @pytest.fixture
    def open_files(self, forge: Forge) -> Open:
        return lambda **options: BitbucketServerFileSystem("PROJ", "flows", host=forge.address, **options)


@pytest.mark.parametrize("names", [("", "flows"), ("example", ""), ("a/b", "flows"), ("..", "flows")])
def test_a_repository_has_two_names(names: tuple[str, str]) -> None:
    with pytest.raises(errors.SettingsError, match="has two names without `/`; found"):
        BitbucketCloudFileSystem(*names)
    with pytest.raises(errors.SettingsError, match="has two names without `/`; found"):
        BitbucketServerFileSystem(*names, host="bitbucket.example.org")


def test_a_host_is_a_name_or_an_address() -> None:
    for host in ("bitbucket.example.org", "https://bitbucket.example.org/"):
        files = BitbucketServerFileSystem("PROJ", "flows", host=host)
        assert files.client.address == "https://bitbucket.example.org/rest/api/latest"
