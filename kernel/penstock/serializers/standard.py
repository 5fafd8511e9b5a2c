"""The serializers that need nothing: pickle for any value, JSON and ISO 8601 for other programs, and compression."""

import importlib
import pickle
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticSerializationError, from_json, to_json

from penstock import errors
from penstock.serializers.base import Serializer, SerializerField


class PickleSerializer(Serializer):
    """Pickle, with cloudpickle for what the standard module cannot name (lambdas, classes of a script)."""

    type: ClassVar[str] = "pickle"

    def dumps(self, value: Any) -> bytes:
        """Return the pickle of *value*."""
        import cloudpickle

        failure = f"a value of type {type(value).__qualname__} cannot be pickled"
        with errors.told_as(errors.SerializationError, failure, Exception):  # __reduce__ is other people's code
            content: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        return content

    def loads(self, content: bytes) -> Any:
        """Return the unpickled value."""
        failure = "a pickled value cannot be read"
        with errors.told_as(errors.SerializationError, failure, Exception):  # __setstate__ is other people's code
            return pickle.loads(content)  # noqa: S301 - results are read where flow code runs, nowhere else


class JSONSerializer(Serializer):
    """JSON, with pydantic's rules for dates, UUIDs, dataclasses and models; they come back as JSON values."""

    type: ClassVar[str] = "json"

    def dumps(self, value: Any) -> bytes:
        """Return *value* as UTF-8 JSON."""
        failure = f"a value of type {type(value).__qualname__} cannot be written as JSON"
        with errors.told_as(errors.SerializationError, failure, PydanticSerializationError, ValueError):
            return to_json(value)

    def loads(self, content: bytes) -> Any:
        """Return the JSON value."""
        with errors.told_as(errors.SerializationError, "the content is not valid JSON", ValueError):
            return from_json(content)


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
