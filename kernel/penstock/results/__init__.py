"""Where the values of tasks are kept; `from penstock.results import LocalResult` finds the plugin's class."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.results.base import Result
from penstock.results.memory import ConstantResult, MemoryResult
from penstock.states import Location

if TYPE_CHECKING:
    from penstock_azure import AzureResult as AzureResult
    from penstock_fsspec import FsspecResult as FsspecResult
    from penstock_fsspec import LocalResult as LocalResult
    from penstock_gcs import GCSResult as GCSResult
    from penstock_s3 import S3Result as S3Result
else:
    __getattr__, __dir__ = lookup.attach(__name__, "result")

__all__ = ["ConstantResult", "Location", "MemoryResult", "Result"]
