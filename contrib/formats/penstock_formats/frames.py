"""Frames of pandas, in the file formats that pandas reads and writes."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from penstock import errors
from penstock.serializers import Serializer
from penstock_formats.libraries import library, told


class PandasSerializer(Serializer):
    """Data frames as files: `PandasSerializer("parquet")`.

    How well a frame survives is its format's affair: `csv` keeps neither types nor, unless told, the index.
    """

    type: ClassVar[str] = "pandas"
    positional: ClassVar[tuple[str, ...]] = ("file_type",)

    file_type: Literal["csv", "feather", "json", "orc", "parquet", "pickle", "stata"] = Field(
        description="written by the frame's `to_...`, read by pandas' `read_...` of that name"
    )
    serialize_kwargs: dict[str, Any] = Field(default={}, description="options of `to_...`")
    deserialize_kwargs: dict[str, Any] = Field(default={}, description="options of `read_...`")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, file_type: str, **options: Any) -> None: ...

    def dumps(self, value: Any) -> bytes:
        """Return a frame as the content of a file."""
        pandas, kind = library("pandas", "pandas"), type(value).__qualname__
        if not isinstance(value, pandas.DataFrame):
            message = f"a value of type {kind} cannot be written by pandas; it takes a DataFrame"
            raise errors.SerializationError(message)
        buffer = BytesIO()
        with told(f"a {kind} cannot be written as {self.file_type}"):
            getattr(value, f"to_{self.file_type}")(buffer, **self.serialize_kwargs)
        return buffer.getvalue()

    def loads(self, content: bytes) -> Any:
        """Return the frame."""
        read = getattr(library("pandas", "pandas"), f"read_{self.file_type}")
        with told(f"the content cannot be read as {self.file_type}"):
            return read(BytesIO(content), **self.deserialize_kwargs)
