"""Tables of Apache Arrow, in Arrow's own IPC stream."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from penstock import errors
from penstock.serializers import Serializer
from penstock_formats.libraries import library, told


class ArrowSerializer(Serializer):
    """`pyarrow.Table`s with their schema and its metadata, as an IPC stream that every Arrow library reads."""

    type: ClassVar[str] = "arrow"

    compression: Literal["lz4", "zstd"] | None = Field(default=None, description="how the buffers are compressed")

    def dumps(self, value: Any) -> bytes:
        """Return a table as an IPC stream."""
        pyarrow, ipc = library("pyarrow", "arrow"), library("pyarrow.ipc", "arrow")
        kind = type(value).__qualname__
        if not isinstance(value, pyarrow.Table):
            message = f"a value of type {kind} cannot be written as an Arrow stream; it takes a pyarrow.Table"
            raise errors.SerializationError(message)
        sink = pyarrow.BufferOutputStream()
        with told(f"a {kind} cannot be written as an Arrow stream"):
            options = ipc.IpcWriteOptions(compression=self.compression)
            with ipc.new_stream(sink, value.schema, options=options) as stream:
                stream.write_table(value)
        content: bytes = sink.getvalue().to_pybytes()
        return content

    def loads(self, content: bytes) -> Any:
        """Return the table."""
        ipc = library("pyarrow.ipc", "arrow")
        with told("the content cannot be read as an Arrow stream"), ipc.open_stream(content) as stream:
            return stream.read_all()
