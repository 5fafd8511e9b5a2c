"""Flows in GitHub's repositories."""

import pytest
from forges.github import GitHubForge
from forges.server import Place
from forges.storages import HostedStorageContract, Make

import penstock_github
from penstock import errors, storage
from penstock_github import GitHub


class TestGitHub(HostedStorageContract):
    host_name = "GitHub"
    secret = "GITHUB_ACCESS_TOKEN"  # noqa: S105 - its name
    archives = "/tarball/"

    @pytest.fixture
    def forge(self, place: Place) -> GitHubForge:
        return place.serve(GitHubForge())

    @pytest.fixture
    def make(self, forge: GitHubForge) -> Make:
        return lambda **options: GitHub(self.name, self.entry, base_url=forge.api, **options)


def test_the_facade_finds_it_with_the_arguments_in_the_classic_order() -> None:
    made = storage.GitHub("example/flows", "flow.py", "main", "MINE", "https://github.example.org/api/v3")
    assert made == GitHub(
        repo="example/flows",
        path="flow.py",
        ref="main",
        access_token_secret="MINE",  # noqa: S106 - its name
        base_url="https://github.example.org/api/v3",
    )
    assert made.repository() == "github.example.org/example/flows"
    assert GitHub("example/flows", "flow.py").repository() == "github.com/example/flows"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"repo": "flows"}, 'option "repo" of storage "github"'),
        ({"repo": "../flows"}, 'option "repo" of storage "github"'),
        ({"path": ""}, 'option "path" of storage "github"'),
        ({"base_url": "github.example.org"}, "is like https://HOST/PATH"),
        ({"base_url": "https://ann:hidden@github.example.org"}, "holds a password; give it as a secret"),
    ],
    ids=["no-owner", "upwards", "no-path", "no-scheme", "password"],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, str], told: str) -> None:
    with pytest.raises(errors.SettingsError, match=told) as caught:
        GitHub(**{"repo": "example/flows", "path": "flow.py", **options})
    assert "hidden" not in str(caught.value)


def test_the_package_names_what_it_has() -> None:
    names = penstock_github.__all__
    assert [getattr(penstock_github, name).__name__ for name in names] == names
    with pytest.raises(AttributeError, match="Nowhere"):
        _ = penstock_github.Nowhere
