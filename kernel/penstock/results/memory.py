"""The results that need no place outside the process: a constant, and a dictionary."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from penstock import errors
from penstock.results.base import Result


class ConstantResult(Result):
    """A value that is known beforehand: reading gives it, writing is refused."""

    type: ClassVar[str] = "constant"
    positional: ClassVar[tuple[str, ...]] = ("value",)

    value: Any = None

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, value: Any = None, **options: Any) -> None: ...

    def read(self, location: Any = None) -> Any:  # noqa: ARG002 - a constant is the same everywhere
        """Return the value."""
        return self.value

    def put(self, location: str, content: bytes) -> str:  # noqa: ARG002 - refused whatever it is
        """Refuse: a constant is not written."""
        raise errors.ResultError(f"A constant result cannot be written; its value is {self.value!r}")

    def get(self, location: str) -> bytes:
        """Refuse: a constant has no stored form."""
        message = f"A constant result has no stored form, so there is nothing at {location!r}; read gives its value"
        raise errors.ResultMissingError(message)

    def has(self, location: str) -> bool:  # noqa: ARG002 - a constant is there everywhere
        """Return True."""
        return True


class MemoryResult(Result):
    """Results in this object's memory, gone with it: for tests and for sharing values within a process."""

    type: ClassVar[str] = "memory"
    takes_urls: ClassVar[bool] = False  # memory:// is a file system of fsspec

    _contents: dict[str, bytes] = PrivateAttr(default_factory=dict)

    def put(self, location: str, content: bytes) -> str:
        """Keep *content* under *location*."""
        self._contents[location] = content
        return location

    def get(self, location: str) -> bytes:
        """Return what is kept under *location*."""
        if location not in self._contents:
            raise errors.ResultMissingError(f"No result is at {location!r} in memory; {len(self._contents)} others are")
        return self._contents[location]

    def has(self, location: str) -> bool:
        """Return whether something is kept under *location*."""
        return location in self._contents
