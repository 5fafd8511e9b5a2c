"""Where the source of flows is kept; `from penstock.storage import S3` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.storage.base import Reference, Source, Storage, Stored
from penstock.storage.scripts import load_flows

if TYPE_CHECKING:
    from penstock_azure import Azure as Azure
    from penstock_bitbucket import Bitbucket as Bitbucket
    from penstock_codecommit import CodeCommit as CodeCommit
    from penstock_fsspec import FsspecStorage as FsspecStorage
    from penstock_fsspec import Local as Local
    from penstock_gcs import GCS as GCS
    from penstock_git import Git as Git
    from penstock_github import GitHub as GitHub
    from penstock_gitlab import GitLab as GitLab
    from penstock_module import Module as Module
    from penstock_s3 import S3 as S3
    from penstock_webhook import Webhook as Webhook
else:
    __getattr__, __dir__ = lookup.attach(__name__, "storage")

__all__ = ["Reference", "Source", "Storage", "Stored", "load_flows"]
