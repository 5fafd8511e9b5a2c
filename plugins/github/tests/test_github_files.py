"""GitHub's repositories as file systems."""

from collections.abc import Iterator

import pytest
from forges import server
from forges.contract import FILES, README, TOKEN, CommitFileSystemContract, Open
from forges.github import Codeload, GitHubForge
from forges.repositories import Repository
from forges.server import Place

from penstock import errors
from penstock_fsspec.rest import ServiceError
from penstock_github.files import GitHubFileSystem


@pytest.fixture
def codeload() -> Iterator[Codeload]:
    with Codeload().serving() as serving:
        yield serving


class TestGitHubFileSystem(CommitFileSystemContract):
    service = "GitHub"
    secret = "GITHUB_ACCESS_TOKEN"  # noqa: S105 - its name

    @pytest.fixture
    def forge(self, place: Place) -> GitHubForge:
        return place.serve(GitHubForge())

    @pytest.fixture
    def open_files(self, forge: GitHubForge) -> Open:
        return lambda **options: GitHubFileSystem(self.name, base_url=forge.api, **options)

    def test_a_tree_too_large_for_one_answer_is_walked(
        self, repository: Repository, forge: GitHubForge, open_files: Open
    ) -> None:
        whole = open_files().find("")
        forge.truncates = True
        files = open_files()
        assert files.find("") == whole
        assert files.cat_file("flows/daily/clean.py") == FILES["flows/daily/clean.py"]

    def test_the_token_does_not_go_where_the_archives_are(
        self, repository: Repository, forge: GitHubForge, codeload: Codeload, open_files: Open
    ) -> None:
        forge.codeload = codeload
        repository.tokens = frozenset({TOKEN})
        assert open_files(token=TOKEN).archive() == codeload.archives[repository.branches["main"]]
        (asked,) = codeload.asked
        assert asked.status == 200
        assert TOKEN not in str(asked.headers)
        assert all(TOKEN in one.headers["authorization"] for one in forge.asked)

    def test_a_blob_that_is_not_the_commits_is_refused(
        self, repository: Repository, forge: GitHubForge, open_files: Open
    ) -> None:
        forge.plant(server.content(README[:-1]), inside="/git/blobs/")
        with pytest.raises(ServiceError, match=r"README.md of example/flows .* is not what the commit holds: 7 bytes"):
            open_files().cat_file("README.md")

    @pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a//b", "a/./b", ""])
    def test_a_list_that_leads_out_is_refused(
        self, repository: Repository, forge: GitHubForge, open_files: Open, path: str
    ) -> None:
        line = {"path": path, "mode": "100644", "type": "blob", "sha": "0" * 40, "size": 1}
        forge.plant(server.document({"sha": "0" * 40, "tree": [line], "truncated": False}), inside="/git/trees/")
        with pytest.raises(ServiceError, match="and no path is like that"):
            open_files().ls("")

    def test_all_below_the_root_is_one_request(
        self, repository: Repository, forge: GitHubForge, open_files: Open
    ) -> None:
        files = open_files(ref=repository.branches["main"])
        files.find("")
        assert len(forge.asked) == 1


@pytest.mark.parametrize("name", ["flows", "a/b/c", "../flows", "example/..", "example/flows?x", "example/"])
def test_a_repository_has_an_owner_and_a_name(name: str) -> None:
    with pytest.raises(errors.SettingsError, match="named owner/name; found"):
        GitHubFileSystem(name)


def test_without_an_address_it_is_the_public_github() -> None:
    assert repr(GitHubFileSystem("example/flows")) == (
        "<GitHubFileSystem example/flows at its default branch, https://api.github.com>"
    )
