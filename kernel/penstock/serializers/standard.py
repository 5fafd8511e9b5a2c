"""The serializers that the kernel itself brings: pickle for any value, JSON for other programs."""

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
