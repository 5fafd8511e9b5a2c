"""The contract of storages that are only read, over each way to a repository."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest

from penstock.storage import Storage
from penstock.testing.storages import ReadOnlyStorageContract
from penstock_git import Git

Publish: TypeAlias = Callable[[Mapping[str, bytes]], Storage]


class TestGitOnADisk(ReadOnlyStorageContract):
    @pytest.fixture
    def publish(self, repository: Any) -> Publish:
        def published(files: Mapping[str, bytes]) -> Storage:
            repository.push(files)
            return Git(self.entry, url=repository.url)

        return published


class TestGitOverHTTP(ReadOnlyStorageContract):
    @pytest.fixture
    def publish(self, repository: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> Publish:
        web.users["acme"] = "t0ken-for-acme"
        monkeypatch.setenv("PENSTOCK_SECRETS__GIT_TOKEN", "t0ken-for-acme")
        options = {"git_token_secret_name": "GIT_TOKEN", "git_token_username": "acme"}

        def published(files: Mapping[str, bytes]) -> Storage:
            repository.push(files)
            return Git(self.entry, url=f"{web.address}/acme/flows.git", **options)

        return published


class TestGitOverSSH(ReadOnlyStorageContract):
    @pytest.fixture
    def publish(self, repository: Any, shell: Any) -> Publish:
        def published(files: Mapping[str, bytes]) -> Storage:
            repository.push(files)
            return Git(self.entry, "acme/flows", repo_host=f"127.0.0.1:{shell.port}", use_ssh=True)

        return published
