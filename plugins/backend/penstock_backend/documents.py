"""Documents: what is set for a flow, limits, the key-value store, and what flows and people leave beside runs."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, bindparam, delete, select, update

from penstock import clock, errors
from penstock.backends.models import Document
from penstock.hooks.kinds import KindSpec
from penstock.settings import OnLost
from penstock_backend import flows, runs, slots
from penstock_backend.database import insert_new
from penstock_backend.projects import check_name
from penstock_backend.tables import AnyRow, columns_of, documents

DOCUMENT_BYTES: Final = 256 * 1024
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):\S+")
_EXECUTED: Final = frozenset({"javascript", "vbscript", "data"})


def _address(value: str) -> str:
    """Return an address; raises ValueError for one without a scheme, or of which a browser would execute something."""
    found = _SCHEME.fullmatch(value)
    if found is None or found[1].lower() in _EXECUTED:
        raise ValueError(f"expected an address such as https://example.com/a.png; found {value[:100]!r}")
    return value


_Address: TypeAlias = Annotated[str, AfterValidator(_address)]


class _Data(BaseModel, extra="forbid", ser_json_inf_nan="constants"):
    """What the data of a document holds."""


class FlowGroup(_Data):
    """What is set for all versions of a flow, in place of what each was registered with."""

    labels: list[str] | None = None
    parameters: dict[str, Any] = {}
    schedule: KindSpec | None = None
    executor: dict[str, Any] | None = None
    run_config: dict[str, Any] = {}
    on_lost: OnLost | None = None


class _Limit(_Data):
    slots: int = Field(ge=0)


class _Value(_Data):
    value: Any


class _Note(_Data):
    text: str
    author: str = ""


class _Made(_Data):
    """What all artifacts have: a title, and the task that made them."""

    title: str = ""
    task: str | None = None
    map_index: int | None = None


class _Link(_Made):
    type: Literal["link"]
    link: _Address


class _Markdown(_Made):
    type: Literal["markdown"]
    markdown: str


class _Table(_Made):
    type: Literal["table"]
    columns: list[str]
    rows: list[list[Any]]


class _Image(_Made):
    type: Literal["image"]
    image: _Address


class _Progress(_Made):
    type: Literal["progress"]
    progress: float = Field(ge=0, le=100)


_Artifact: TypeAlias = Annotated[_Link | _Markdown | _Table | _Image | _Progress, Field(discriminator="type")]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How documents of a kind that penstock knows are checked, and what follows when one has changed."""

    form: TypeAdapter[Any]
    scope: Callable[[Connection, Document], dict[str, Any]]
    """Returns the columns that the scope stands for; raises what names a wrong one."""
    follow: Callable[[Connection, Document, Mapping[str, Any]], None] = lambda _connection, _document, _before: None


def _none(_connection: Connection, document: Document) -> dict[str, Any]:
    if document.scope:
        raise errors.DocumentError(f'A {document.kind} has no scope; found "{document.scope}"')
    return {"scope": ""}


def _run(connection: Connection, document: Document) -> dict[str, Any]:
    row = runs.find(connection, document.scope)
    return {"scope": row.id, "flow_run_id": row.id}


def _project(connection: Connection, document: Document) -> dict[str, Any]:
    flows.find(connection, document.scope, document.name)
    return {"scope": document.scope}


def _limited(_connection: Connection, document: Document) -> dict[str, Any]:
    if document.scope not in slots.SCOPES:
        raise errors.DocumentError(f'A limit is for a label or for a tag; found the scope "{document.scope}"')
    return {"scope": document.scope}


def _reschedule(connection: Connection, document: Document, before: Mapping[str, Any]) -> None:
    """Let the runs of another schedule begin now, and none of the one before; what is to come is as is set now."""
    changed = {name for name in FlowGroup.model_fields if before.get(name) != document.data.get(name)}
    if "schedule" in changed:
        flows.begin_schedule_anew(connection, document.scope, document.name)
    elif changed & {"labels", "parameters", "executor"}:
        flows.make_anew(connection, document.scope, document.name)


_KINDS: Final[dict[str, _Kind]] = {
    "flow-group": _Kind(TypeAdapter(FlowGroup), _project, _reschedule),
    "limit": _Kind(TypeAdapter(_Limit), _limited),
    "value": _Kind(TypeAdapter(_Value), _none),
    "artifact": _Kind(TypeAdapter[Any](_Artifact), _run),
    "note": _Kind(TypeAdapter(_Note), _run),
}


def put(connection: Connection, document: Document) -> Document:
    """Keep *document*; raises DocumentError, and what names an unknown flow or run."""
    if not _KIND.fullmatch(document.kind):
        message = f'"{document.kind}" is no kind of documents: use small letters, digits and hyphens'
        raise errors.DocumentError(message)
    check_name(document.kind, document.name)
    known, data, place = _KINDS.get(document.kind), document.data, {"scope": document.scope}
    if known is not None:
        data, place = _checked(known, document), known.scope(connection, document)
    _check_size(document, data)
    kept = document.model_copy(update={"data": data, "scope": place["scope"], "updated": clock.now()})
    before = _find(connection, kept)
    if not insert_new(connection, documents, {"id": str(uuid4()), **kept.model_dump(), **place}):
        connection.execute(_REPLACE, {**_key(kept), "data": kept.data, "updated": kept.updated})
    if known is not None:
        known.follow(connection, kept, before.data if before is not None else {})
    return _read(connection, [kept])[0]


def list_all(connection: Connection, kind: str, scope: str | None, name: str | None, limit: int) -> list[Document]:
    """Return documents of a kind, by scope and name; those of a run by its name, too."""
    query = select(documents).where(documents.c.kind == kind).order_by(documents.c.scope, documents.c.name)
    if scope is not None:
        query = query.where(documents.c.scope == _scope(connection, kind, scope))
    if name is not None:
        query = query.where(documents.c.name == name)
    return _read(connection, [_record(row) for row in connection.execute(query.limit(limit))])


def remove(connection: Connection, kind: str, name: str, scope: str) -> bool:
    """Delete a document; return whether it was there."""
    gone = Document(kind=kind, scope=_scope(connection, kind, scope), name=name)
    before = _find(connection, gone)
    if before is None:
        return False
    connection.execute(delete(documents).where(documents.c.id == before.id))
    if kind in _KINDS:
        _KINDS[kind].follow(connection, gone, before.data)
    return True


def _scope(connection: Connection, kind: str, scope: str) -> str:
    known = _KINDS.get(kind)
    return str(runs.find(connection, scope).id) if known is not None and known.scope is _run else scope


def _checked(known: _Kind, document: Document) -> dict[str, Any]:
    try:
        given = known.form.validate_python(document.data)
    except ValidationError as error:
        faults = [(item["loc"], item["msg"].removeprefix("Value error, ")) for item in error.errors()]
        wrong = [f"{'.'.join(map(str, where)) or 'data'}: {fault}" for where, fault in faults]
        message = f'The {document.kind} "{document.name}" cannot be kept: {"; ".join(wrong)}'
        raise errors.DocumentError(message) from error
    return dict(given.model_dump(mode="json", exclude_unset=True))


def _check_size(document: Document, data: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise errors.DocumentError(f'The {document.kind} "{document.name}" is no JSON: {error}') from error
    if size > DOCUMENT_BYTES:
        message = f'The {document.kind} "{document.name}" takes {size} bytes as JSON; at most {DOCUMENT_BYTES} are kept'
        raise errors.DocumentError(f"{message}. Store what is large elsewhere, and keep its location")


_THIS: Final = tuple(documents.c[name] == bindparam(f"of_{name}") for name in ("kind", "scope", "name"))
_ONE: Final = select(documents).where(*_THIS)
_REPLACE: Final = update(documents).where(*_THIS).values(data=bindparam("data"), updated=bindparam("updated"))


def _key(document: Document) -> dict[str, Any]:
    return {f"of_{name}": getattr(document, name) for name in ("kind", "scope", "name")}


def _find(connection: Connection, one: Document) -> AnyRow | None:
    return connection.execute(_ONE, _key(one)).first()


def _read(connection: Connection, found: list[Document]) -> list[Document]:
    """Return the documents, with what is known of them beside what was put."""
    if not any(one.kind == "limit" for one in found):
        return found
    used = {scope: slots.used(connection, scope) for scope in slots.SCOPES}
    return [one.model_copy(update={"data": {**one.data, "used": used[one.scope][one.name]}}) for one in found]


def _record(row: AnyRow) -> Document:
    return Document(**columns_of(row))
