"""A storage behind HTTP: one request stores a flow, another gives it back."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from penstock import errors
from penstock.hooks.kinds import KindSpec
from penstock.storage import Reference, Source, Storage
from penstock_fsspec.options import Options, refuse_credentials
from penstock_webhook import templates
from penstock_webhook.requests import BODY, Request, fault

if TYPE_CHECKING:
    from penstock import Flow

_LOCATION: Final = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")  # what may go into an address
_SHOWN: Final = 12


class Webhook(Storage):
    """Flow storage behind two HTTP requests: `build_request` brings a flow's source, `get_flow_request` fetches it.

    Their options are those of the library requests. In any text of them `${NAME}` stands for a secret or environment
    variable, filled in when the request is sent, `${location}` for the place of the flow that is stored or fetched.
    """

    type: ClassVar[str] = "webhook"
    takes_urls: ClassVar[bool] = False
    positional: ClassVar[tuple[str, ...]] = (
        "build_request_kwargs",
        "build_request_http_method",
        "get_flow_request_kwargs",
        "get_flow_request_http_method",
    )

    build_request_kwargs: Options = Field(description="options of the request that stores a flow; `url` at least")
    build_request_http_method: str = Field(description="its method, such as POST", pattern="^[A-Za-z]+$")
    get_flow_request_kwargs: Options = Field(description="options of the request that fetches a flow")
    get_flow_request_http_method: str = Field(description="its method, such as GET", pattern="^[A-Za-z]+$")
    flow_script_path: Path | None = Field(
        default=None, exclude=True, description="the flow's script, where it cannot be found from the flow itself"
    )

    if TYPE_CHECKING:  # pydantic's own signature knows no positional arguments

        def __init__(
            self,
            build_request_kwargs: dict[str, Any],
            build_request_http_method: str,
            get_flow_request_kwargs: dict[str, Any],
            get_flow_request_http_method: str,
            **options: Any,
        ) -> None: ...

    @field_validator("build_request_kwargs", "get_flow_request_kwargs")
    @classmethod
    def _known(cls, options: dict[str, Any]) -> dict[str, Any]:
        wrong = fault(options)
        if wrong is not None:
            raise PydanticCustomError("options", "{wrong}", {"wrong": wrong})
        return options

    @field_validator("build_request_kwargs")
    @classmethod
    def _without_body(cls, options: dict[str, Any]) -> dict[str, Any]:
        if set(options) & set(BODY):
            raise PydanticCustomError("options", "its body is the flow's source; leave out json and data")
        return options

    def spec(self) -> KindSpec:
        """Return this storage as data; raises StorageError if a credential would travel with it."""
        for name in ("build_request_kwargs", "get_flow_request_kwargs"):
            options = getattr(self, name)
            url = templates.around(options["url"])
            query = dict(parse_qsl(urlsplit(url).query))
            refuse_credentials(self, {name: {**templates.bare(options), "url": url, "url?": query}})
        return super().spec()

    def script_of(self, flow: "Flow") -> Path | None:
        """Return the script at `flow_script_path` if that is given, else the one that defines *flow*."""
        if self.flow_script_path is None or self.stored_as_script is False:
            return super().script_of(flow)
        if not self.flow_script_path.is_file():
            message = f'The script of flow "{flow.name}" is not at {self.flow_script_path}'
            raise errors.StorageError(f'{message}; correct the option "flow_script_path" of this storage')
        return self.flow_script_path

    def put(self, source: Source) -> Reference:
        """Send *source* to the server; another content never has the same location."""
        reference = source.refer(f"{source.key()}-{source.sha256[:_SHOWN]}")
        try:
            self._send(self.build_request_http_method, self.build_request_kwargs, reference, source.content)
        except errors.FlowNotStoredError as error:
            raise errors.StorageUnreachableError(str(error)) from error
        return reference

    def fetch(self, reference: Reference) -> bytes:
        """Return what the server has; one byte more than expected is enough to know that it is something else."""
        if not _LOCATION.fullmatch(reference.location):
            message = f"{reference.location!r} is no location of a flow that a webhook storage has stored"
            raise errors.StorageError(f"{message}; register the flow again")
        try:
            return self._send(self.get_flow_request_http_method, self.get_flow_request_kwargs, reference)
        except errors.FlowNotStoredError as error:
            raise errors.FlowNotStoredError(f"There is no {reference.location}: {error}") from error

    def client(self, request: Request) -> httpx2.Client:
        """Return the client that sends *request*."""
        return request.client()

    def _send(self, method: str, options: dict[str, Any], reference: Reference, content: bytes | None = None) -> bytes:
        request = Request(method.upper(), options, {"location": reference.location, "sha256": reference.sha256})
        with self.client(request) as client:
            return request.send(client, content, reference.size + 1)
