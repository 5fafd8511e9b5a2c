"""GitLab's projects as file systems."""

import pytest
from forges import server
from forges.contract import README, CommitFileSystemContract, Open
from forges.gitlab import GitLabForge
from forges.repositories import Repository
from forges.server import Forge, Place

from penstock import errors
from penstock_fsspec.rest import ServiceError
from penstock_gitlab.files import GitLabFileSystem


class TestGitLabFileSystem(CommitFileSystemContract):
    name = "example/group/flows"
    service = "GitLab"
    secret = "GITLAB_ACCESS_TOKEN"  # noqa: S105 - its name
    has_sizes = False

    @pytest.fixture
    def forge(self, place: Place) -> Forge:
        return place.serve(GitLabForge())

    @pytest.fixture
    def open_files(self, forge: Forge) -> Open:
        return lambda **options: GitLabFileSystem(self.name, host=forge.address, **options)

    def test_a_file_that_is_not_the_commits_is_refused(
        self, repository: Repository, forge: Forge, open_files: Open
    ) -> None:
        forge.plant(server.content(README[:-1]), inside="/raw")
        with pytest.raises(ServiceError, match=r"README.md of .* is not what the commit holds: 7 bytes came"):
            open_files().cat_file("README.md")

    def test_a_size_that_is_not_told_is_an_error(self, repository: Repository, forge: Forge, open_files: Open) -> None:
        forge.plant(server.content(b""), inside="/files/")
        with pytest.raises(ServiceError, match=r"does not tell the size of README\.md"):
            open_files().info("README.md")


@pytest.mark.parametrize("name", ["flows", "", "/flows", "example//flows", "example/"])
def test_a_project_has_a_group_and_a_name(name: str) -> None:
    with pytest.raises(errors.SettingsError, match="named group/name, or by its number; found"):
        GitLabFileSystem(name)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (None, "https://gitlab.com/api/v4"),
        ("git.example.org", "https://git.example.org/api/v4"),
        ("http://localhost:8080/", "http://localhost:8080/api/v4"),
        ("https://example.org/gitlab", "https://example.org/gitlab/api/v4"),
    ],
    ids=["none", "name", "port", "below"],
)
def test_a_host_is_a_name_or_an_address(host: str | None, address: str) -> None:
    assert GitLabFileSystem("42", host=host).client.address == address
