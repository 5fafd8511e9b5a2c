"""The result kind: a configured place and form to keep what tasks return.

A result on its place is a header and a body. The header says which serializer wrote it, how long the body is
and its SHA-256, so that what is read is what was written, and is read the way it was written.
"""

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Final

from pydantic import BaseModel, Field

from penstock import clock, errors
from penstock.hooks import kinds
from penstock.hooks.kinds import Kind, KindSpec
from penstock.serializers import PickleSerializer, Serializer
from penstock.serializers.base import SerializerField
from penstock.states import Location

MAGIC: Final = b"penstock-result 1\n"
_LONGEST_HEADER: Final = 4096


class Result(Kind, ABC):
    """Where and how the values of a task or of a flow are kept.

    A subclass writes `put`, `get` and `has`; serialising, checking and naming are done here.
    """

    kind: ClassVar[str] = "result"
    any_url: ClassVar[str | None] = "fsspec"

    location: str | None = Field(
        default=None,
        description="template of the address: `{flow_name}/{task_name}.pkl`; filled from context and inputs",
    )
    serializer: SerializerField = Field(
        default_factory=PickleSerializer, validate_default=True, description="the form in which a value is kept"
    )

    @abstractmethod
    def put(self, location: str, content: bytes) -> str:
        """Keep *content* at *location* and return the full address.

        * Atomic: a reader sees the old content or the new, never a part.
        * Raises ResultError naming the place if it cannot be written.
        """

    @abstractmethod
    def get(self, location: str) -> bytes:
        """Return the content at *location*; raises ResultMissingError if there is none."""

    @abstractmethod
    def has(self, location: str) -> bool:
        """Return whether there is content at *location*."""

    def write(self, value: Any, /, **context: Any) -> Location:
        """Keep *value* at the address that the template gives for *context*; return where it is."""
        return self.write_at(self.format(**context), value)

    def write_at(self, address: str, value: Any, /) -> Location:
        """Keep *value* at *address*; return where it is."""
        content = pack(self.serializer, value)
        return Location(self.put(address, content), sha256(content).hexdigest(), len(content))

    def read(self, location: "str | Location") -> Any:
        """Return the value at *location*.

        Raises ResultMissingError, ResultCorruptError if header, length or digest differ, SerializationError.
        """
        address = location.location if isinstance(location, Location) else location
        content = self.get(address)
        if isinstance(location, Location) and location.digest and sha256(content).hexdigest() != location.digest:
            raise errors.ResultCorruptError(f"The result at {address} is not what the run wrote: its SHA-256 differs")
        return unpack(content, address, self.serializer)

    def exists(self, location: str | None = None, /, **context: Any) -> bool:
        """Return whether there is a result at the address that the template gives for *context*."""
        return self.has(self.format(location, **context))

    def format(self, location: str | None = None, /, **context: Any) -> str:
        """Return the address: *location* or this result's template, filled from *context*."""
        template = location or self.location
        if template is None:
            return self.default_location(context)
        failure = f"The location {template!r} of result {self.type!r} cannot be filled from {errors.listing(context)}"
        with errors.told_as(errors.ResultError, failure, Exception):  # the format of a user's value
            return template.format_map(context)

    def default_location(self, context: Mapping[str, Any]) -> str:  # noqa: ARG002 - for subclasses to use
        """Return an address for a value without a template: the day (UTC) and a random name."""
        return f"{clock.now():%Y/%m/%d}/{uuid.uuid4().hex}.penstock"


class _Header(BaseModel, extra="forbid", frozen=True):
    serializer: KindSpec
    length: int
    sha256: str


def pack(serializer: Serializer, value: Any) -> bytes:
    """Return header and body of *value*."""
    body = serializer.dumps(value)
    header = {"serializer": kinds.dump(serializer), "length": len(body), "sha256": sha256(body).hexdigest()}
    line = json.dumps(header, sort_keys=True).encode() + b"\n"
    if len(line) > _LONGEST_HEADER:
        message = f"The options of the serializer {serializer.type!r} take {len(line)} bytes; {_LONGEST_HEADER} fit"
        raise errors.ResultError(f"{message} into the header of a result. Give it shorter ones")
    return MAGIC + line + body


def unpack(content: bytes, address: str, serializer: Serializer) -> Any:
    """Return the value that *content* holds, read with the serializer its header names."""
    if not content.startswith(MAGIC):
        message = f"What lies at {address} is not a penstock result, or a newer one: it does not begin with {MAGIC!r}"
        raise errors.ResultCorruptError(message)
    end = content.find(b"\n", len(MAGIC), len(MAGIC) + _LONGEST_HEADER)
    try:
        header = _Header.model_validate_json(content[len(MAGIC) : end] if end > 0 else b"")
    except ValueError as error:
        raise errors.ResultCorruptError(f"The header of the result at {address} is damaged, or newer") from error
    body = content[end + 1 :]
    found = sha256(body).hexdigest()
    if len(body) != header.length or found != header.sha256:
        written = f"{header.length} bytes with SHA-256 {header.sha256[:12]}… were written"
        there = f"{len(body)} bytes with {found[:12]}… are there"
        raise errors.ResultCorruptError(f"The result at {address} is damaged: {written}, {there}")
    spec = header.serializer
    if spec.type == serializer.type:  # whose class need not be one that a plugin offers
        return type(serializer)(**spec.options).loads(body)
    return Serializer.restore(spec).loads(body)
