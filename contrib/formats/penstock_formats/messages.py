"""JSON and MessagePack as msgspec writes them: fast, and strict about what they hold."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from penstock.serializers import Serializer
from penstock_formats.libraries import library, told


class MsgspecSerializer(Serializer):
    """Plain values, dataclasses and `msgspec.Struct`s as messages; they come back as plain values."""

    type: ClassVar[str] = "msgspec"
    positional: ClassVar[tuple[str, ...]] = ("format",)

    format: Literal["json", "msgpack"] = Field(default="msgpack", description="JSON text or MessagePack")

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(self, format: str = "msgpack") -> None: ...  # noqa: A002 - as msgspec has it

    def dumps(self, value: Any) -> bytes:
        """Return *value* as a message."""
        module = library(f"msgspec.{self.format}", "msgspec")
        with told(f"a value of type {type(value).__qualname__} cannot be written as {self.format}"):
            content: bytes = module.encode(value)
        return content

    def loads(self, content: bytes) -> Any:
        """Return the message's value."""
        module = library(f"msgspec.{self.format}", "msgspec")
        with told(f"the content cannot be read as {self.format}"):
            return module.decode(content)
