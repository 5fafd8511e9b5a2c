"""The storage kind: where the source of flows is kept, on the side of whoever owns the flows.

A storage holds the flows it was given until `build` stores them; what remains then is a reference for each:
location, SHA-256, size and format. Only these leave the owner's side.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, Field, PrivateAttr
from slugify import slugify

from penstock import clock, errors
from penstock.hooks.kinds import Kind, Labels
from penstock.storage import scripts

if TYPE_CHECKING:
    from penstock.flow import Flow
    from penstock.hooks.kinds import KindSpec

Format = Literal["script", "pickle", "package"]
_LONGEST_NAME: Final = 200  # file systems end at 255 bytes, and the name of a clash grows


class Reference(BaseModel, extra="forbid", frozen=True):
    """Where the source of a flow is kept, and what it must be: SHA-256 in hex, size in bytes, format.

    A package is a script with the files around it; *entry* is the script's path among them.
    """

    location: str
    sha256: str
    size: int
    format: Format
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A source as it lies in a storage: its size in bytes, and when it was written (UTC) if that is known."""

    location: str
    size: int
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The source of one flow, ready to be stored; *entry* is the script's path in a package."""

    flow_name: str
    content: bytes
    format: Format
    created: datetime
    entry: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of the content, in hex."""
        return sha256(self.content).hexdigest()

    def key(self) -> str:
        """Return slugified flow name / slugified timestamp (UTC); two sources of one moment have the same."""
        return f"{slugify(self.flow_name, max_length=_LONGEST_NAME) or 'flow'}/{slugify(self.created.isoformat())}"

    def refer(self, location: str) -> Reference:
        """Return the reference to this source at *location*."""
        size = len(self.content)
        return Reference(location=location, sha256=self.sha256, size=size, format=self.format, entry=self.entry)


class Storage(Kind, ABC):
    """A place that keeps the source of flows. A subclass writes `put` and `fetch`.

    One that is only read, such as a repository, writes `pin` instead of `put`. One that can say what lies in it also
    writes `stored` and `remove`.

    `flow.storage = Local()` attaches the flow, `storage.build()` stores every attached flow as it then is.
    """

    kind: ClassVar[str] = "storage"
    any_url: ClassVar[str | None] = "fsspec"

    labels: Labels = Field(default_factory=set, description="labels an agent must have to reach this storage")
    stored_as_script: bool | None = Field(
        default=None,
        description="keep the flow's script (true) or a pickle (false); by default the script where there is one",
    )
    secrets: list[str] = Field(default=[], description="names of secrets that runs of its flows find in their context")
    references: dict[str, Reference] = Field(default_factory=dict, description="what is stored, by flow name")

    _attached: "dict[str, Flow]" = PrivateAttr(default_factory=dict)

    def put(self, source: Source) -> Reference:
        """Store *source* and return `source.refer(location)`.

        * Nothing half written remains if it fails; raises StorageUnreachableError naming the place.
        * What was stored before under other names stays.
        """
        subject = f'Flow "{source.flow_name}" cannot be put into this {self.type} storage, which is only read'
        raise errors.StorageError(f"{subject}. Store it where it can be written, or put it there by other means")

    def pin(self, flow: "Flow") -> Reference | None:  # noqa: ARG002 - for subclasses to use
        """Return the reference to what lies of *flow* in a place that is only read, or None to have it put.

        * What it refers to never changes: a commit, not a branch.
        * Raises FlowNotStoredError if there is nothing.
        """
        return None

    @abstractmethod
    def fetch(self, reference: Reference) -> bytes:
        """Return what is stored at *reference*; raises FlowNotStoredError if there is nothing.

        The caller checks the digest before it uses a byte.
        """

    def stored(self) -> Iterator[Stored]:
        """Yield every source that penstock has put into the place, whoever refers to it; nothing else that lies there.

        Raises StorageError if that cannot be known.
        """
        raise errors.StorageError(f"A {self.type} storage cannot say what lies in it")

    def remove(self, location: str) -> None:
        """Remove what `stored` has told of; no error if it is gone."""
        raise errors.StorageError(f"Nothing can be removed from a {self.type} storage; asked for was {location}")

    def default_result(self) -> "KindSpec | None":
        """Return the spec of the result that goes with this storage, or None."""
        return None

    def script_of(self, flow: "Flow") -> Path | None:
        """Return the script to store for *flow*, or None to store a pickle; raises StorageError."""
        path = scripts.script_of(flow) if self.stored_as_script is not False else None
        return Path(path) if path else None

    def add_flow(self, flow: "Flow") -> None:
        """Attach *flow*, to be stored by `build`; raises StorageError if another flow has its name."""
        if self._attached.setdefault(flow.name, flow) is not flow:
            raise errors.StorageError(f'This {self.type} storage already holds another flow "{flow.name}"; rename one')

    def detach(self, flow: "Flow") -> None:
        """Let go of *flow*, because it has another storage now."""
        if self._attached.get(flow.name) is flow:
            del self._attached[flow.name]

    def build(self) -> Self:
        """Store every attached flow as it is now, and return this storage."""
        stored = {name: self.pin(flow) or self.put(self.source_of(flow)) for name, flow in self._attached.items()}
        self.references = {**self.references, **stored}
        return self

    def get_flow(self, name: str) -> "Flow":
        """Return the stored flow.

        Raises FlowNotStoredError, SourceChangedError before a byte is executed if the digest differs, and
        FlowFileError if the source does not define the flow.
        """
        reference = self.references.get(name)
        if reference is None:
            message = f'This {self.type} storage holds no flow "{name}"; it holds {errors.listing(self.references)}'
            raise errors.FlowNotStoredError(message)
        content = self.fetch(reference)
        found = sha256(content).hexdigest()
        if found != reference.sha256:
            subject = f'The source of flow "{name}" at {reference.location} has changed since registration'
            hashes = f"SHA-256 {reference.sha256[:12]}… was registered, {found[:12]}… is there"
            raise errors.SourceChangedError(f"{subject}: {hashes}. Nothing was executed; register the flow again")
        return self.load(name, reference, content)

    def load(self, name: str, reference: Reference, content: bytes) -> "Flow":
        """Return the flow *name* from *content*, which is what *reference* says; raises as `get_flow`."""
        if reference.format == "package":
            message = f'Flow "{name}" is stored as a package, which a {self.type} storage cannot load'
            raise errors.StorageError(f"{message}; install the version of its plugin that stored it")
        load = scripts.flow_from_script if reference.format == "script" else scripts.flow_from_pickle
        return load(name, content, reference.location)

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle this storage without the flows that are attached, of which each is stored on its own."""
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {**state["__pydantic_private__"], "_attached": {}}}

    def __contains__(self, name: object) -> bool:
        """Return whether a flow of that name is attached or stored."""
        return name in self._attached or name in self.references

    def source_of(self, flow: "Flow") -> Source:
        """Return what is to be stored of *flow*: its script or a pickle; raises StorageError."""
        path = self.script_of(flow)
        if path is None and self.stored_as_script:
            message = f'Flow "{flow.name}" cannot be stored as a script: it is not a module-level name of a file'
            raise errors.StorageError(f"{message}. Define it at module level, or use stored_as_script=False")
        content = path.read_bytes() if path else scripts.pickle_flow(flow)
        return Source(flow.name, content, "script" if path else "pickle", clock.now())

    def __eq__(self, other: object) -> bool:
        """Compare types and options; attached flows do not count."""
        return isinstance(other, Storage) and type(self) is type(other) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        """Hash by identity: a storage changes as flows are stored."""
        return id(self)
