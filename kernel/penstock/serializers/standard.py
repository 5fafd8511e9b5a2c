"""The serializers that need nothing: pickle for any value, JSON for values that other programs read."""

import pickle
from typing import Any, ClassVar

from pydantic_core import PydanticSerializationError, from_json, to_json

from penstock import errors
from penstock.serializers.base import Serializer


class PickleSerializer(Serializer):
    """Pickle, with cloudpickle for what the standard module cannot name (lambdas, classes of a script)."""

    type: ClassVar[str] = "pickle"

    def dumps(self, value: Any) -> bytes:
        """Return the pickle of *value*."""
        import cloudpickle

        try:
            content: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # __reduce__ and __getstate__ are other people's code
            message = f"a value of type {type(value).__qualname__} cannot be pickled: {error}"
            raise errors.SerializationError(message) from error
        return content

    def loads(self, content: bytes) -> Any:
        """Return the unpickled value."""
        try:
            return pickle.loads(content)  # noqa: S301 - results are read where flow code runs, nowhere else
        except Exception as error:  # __setstate__ is other people's code
            message = f"a pickled value cannot be read: {type(error).__name__}: {error}"
            raise errors.SerializationError(message) from error


class JSONSerializer(Serializer):
    """JSON, with pydantic's rules for dates, UUIDs, dataclasses and models; they come back as JSON values."""

    type: ClassVar[str] = "json"

    def dumps(self, value: Any) -> bytes:
        """Return *value* as UTF-8 JSON."""
        try:
            return to_json(value)
        except (PydanticSerializationError, ValueError) as error:
            message = f"a value of type {type(value).__qualname__} cannot be written as JSON: {error}"
            raise errors.SerializationError(message) from error

    def loads(self, content: bytes) -> Any:
        """Return the JSON value."""
        try:
            return from_json(content)
        except ValueError as error:
            raise errors.SerializationError(f"the content is not valid JSON: {error}") from error
