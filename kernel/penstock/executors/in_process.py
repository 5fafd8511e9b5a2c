"""The executor that needs nothing: one task after another, in the calling thread."""

from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from penstock.executors.base import Executor


class InProcessExecutor(Executor):
    """Run every task in the thread that called `flow.run()`; the default."""

    type: ClassVar[str] = "in-process"

    def open(self) -> AbstractContextManager[None]:
        """Return a context without a pool."""
        return nullcontext()
