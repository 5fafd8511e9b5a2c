"""Flows in GitLab's projects."""

import pytest
from forges.gitlab import GitLabForge
from forges.server import Forge, Place
from forges.storages import HostedStorageContract, Make

import penstock_gitlab
from penstock import errors, storage
from penstock_gitlab import GitLab


class TestGitLab(HostedStorageContract):
    name = "example/group/flows"
    host_name = "GitLab"
    secret = "GITLAB_ACCESS_TOKEN"  # noqa: S105 - its name
    archives = "/archive.tar.gz"

    @pytest.fixture
    def forge(self, place: Place) -> Forge:
        return place.serve(GitLabForge())

    @pytest.fixture
    def make(self, forge: Forge) -> Make:
        return lambda **options: GitLab(self.name, forge.address, self.entry, **options)


def test_the_facade_finds_it_with_the_arguments_in_the_classic_order() -> None:
    made = storage.GitLab("example/flows", "gitlab.example.org", "flow.py", "main", "MINE")
    assert made == GitLab(
        repo="example/flows",
        host="gitlab.example.org",
        path="flow.py",
        ref="main",
        access_token_secret="MINE",  # noqa: S106 - its name
    )
    assert made.repository() == "gitlab.example.org/example/flows"
    assert GitLab("example/flows", path="flow.py").repository() == "gitlab.com/example/flows"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"repo": "flows"}, 'option "repo" of storage "gitlab"'),
        ({"host": "ftp://gitlab.example.org"}, "is like https://HOST/PATH"),
        ({"host": "ann:hidden@gitlab.example.org"}, "holds a password; give it as a secret"),
    ],
    ids=["no-group", "scheme", "password"],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, str], told: str) -> None:
    with pytest.raises(errors.SettingsError, match=told) as caught:
        GitLab(**{"repo": "example/flows", "path": "flow.py", **options})
    assert "hidden" not in str(caught.value)


def test_the_package_names_what_it_has() -> None:
    names = penstock_gitlab.__all__
    assert [getattr(penstock_gitlab, name).__name__ for name in names] == names
    with pytest.raises(AttributeError, match="Nowhere"):
        _ = penstock_gitlab.Nowhere
