"""The serializer kind: a form in which results are kept."""

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, PlainSerializer

from penstock.hooks import kinds
from penstock.hooks.kinds import Kind


class Serializer(Kind, ABC):
    """Turns values into bytes and back. `type` is written into each result's header, so it must not change."""

    kind: ClassVar[str] = "serializer"

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Return *value* as bytes; raises SerializationError naming what cannot be serialised."""

    @abstractmethod
    def loads(self, content: bytes) -> Any:
        """Return the value that `dumps` gave *content* for; raises SerializationError if it cannot be read."""


SerializerField = Annotated[Serializer, BeforeValidator(Serializer.resolve), PlainSerializer(kinds.dump)]
"""A field that holds a serializer, and travels as its spec."""
