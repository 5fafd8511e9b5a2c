"""Forms that need no library: datetimes as text, and what another serializer makes, compressed."""

import importlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from penstock import errors
from penstock.serializers import PickleSerializer, Serializer
from penstock.serializers.base import SerializerField


class DateTimeSerializer(Serializer):
    """Datetimes as ISO 8601 text; a named time zone comes back as its offset, which is the same moment."""

    type: ClassVar[str] = "datetime"

    def dumps(self, value: Any) -> bytes:
        """Return a datetime as text, as in `2026-03-20T12:00:00+00:00`."""
        if not isinstance(value, datetime):
            message = f"a value of type {type(value).__qualname__} cannot be written as a datetime; give it a datetime"
            raise errors.SerializationError(message)
        return value.isoformat().encode()

    def loads(self, content: bytes) -> datetime:
        """Return the datetime."""
        with errors.told_as(errors.SerializationError, "the content is not an ISO 8601 datetime", ValueError):
            return datetime.fromisoformat(content.decode())


class CompressedSerializer(Serializer):
    """What another serializer makes of a value, compressed: `CompressedSerializer("json", "bz2")`."""

    type: ClassVar[str] = "compressed"
    positional: ClassVar[tuple[str, ...]] = ("serializer", "format")
    serializer: SerializerField = Field(default_factory=PickleSerializer)
    format: Literal["bz2", "gzip", "lzma", "xz", "zlib"] = Field("zlib", description="`lzma` and `xz` are the same")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, serializer: Serializer | str = "pickle", format: str = "zlib") -> None: ...  # noqa: A002

    def dumps(self, value: Any) -> bytes:
        """Return *value* as the other serializer has it, compressed."""
        content: bytes = self._module().compress(self.serializer.dumps(value))
        return content

    def loads(self, content: bytes) -> Any:
        """Return the value that the other serializer reads in the decompressed content."""
        failure = f"the content cannot be decompressed as {self.format}"
        with errors.told_as(errors.SerializationError, failure, Exception):  # each format raises errors of its own
            plain = self._module().decompress(content)
        return self.serializer.loads(plain)

    def _module(self) -> Any:
        return importlib.import_module({"xz": "lzma"}.get(self.format, self.format))
