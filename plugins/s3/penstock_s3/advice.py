"""What an error of S3 means, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

_RIGHTS: Final = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject, and s3:ListBucket, without which a missing object is refused too",
    "ListObjectsV2": "s3:ListBucket",
    "DeleteObject": "s3:DeleteObject",
}

_ANSWERS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (
        ("NoSuchBucket",),
        'there is no bucket "{bucket}" at {service}. Create it, or correct the option "bucket"',
    ),
    (
        ("AccessDenied", "AllAccessDisabled", "403", "Forbidden"),
        "{service} refuses {operation}. What {keys} need is the right {right}",
    ),
    (
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"),
        "{service} does not accept {keys} ({code}). Correct them",
    ),
    (
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"),
        "{keys} were temporary and have expired. Get new ones, and try again",
    ),
    (
        (
            *("PermanentRedirect", "TemporaryRedirect", "301", "307"),
            *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ),
        'the bucket "{bucket}" is in {region}. Set the option "region" to that',
    ),
    (
        ("RequestTimeTooSkewed",),
        "the clock is not that of {service}: it is {RequestTime} here, and {ServerTime} there. Set it, best by NTP",
    ),
    (
        ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504"),
        "{service} was too busy or failed ({code}), also when asked again. Try later",
    ),
    (
        ("ConditionalRequestConflict",),
        "somebody else was writing the same object all the time. Try again",
    ),
    (
        ("NoSuchUpload",),
        "the upload was ended from elsewhere before it was complete. Try again",
    ),
    (
        ("NotImplemented",),
        "{service} does not know what {operation} asked of it ({Message}). A storage with a `key` asks for less",
    ),
)
"""What it means that the service answers with one of these codes."""

_NOBODY: Final = 'nobody answers at {address}. Check the network, and the options "endpoint_url" and "region"'
_BROKEN: Final = "the connection to {service} broke off, also when tried again. Try later"
_NO_NAME: Final = '"{bucket}" is no name for a bucket: expected are 3 to 63 lowercase letters, digits, . and -'
_FAILURES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        exceptions.NoCredentialsError,
        'no credentials were found. Name a secret with the option "credentials", or log in as for the AWS CLI',
    ),
    (exceptions.ParamValidationError, "an option does not fit: {told}"),
    (
        exceptions.SSLError,
        'no secure connection to {address} was made: {told}. client_options={{"verify": "ca.pem"}} names whom to trust',
    ),
    (exceptions.EndpointConnectionError, _NOBODY),
    (exceptions.ConnectTimeoutError, _NOBODY),
    (exceptions.ConnectionError, _BROKEN),
    (exceptions.HTTPClientError, _BROKEN),
    (aiohttp.ClientError, _BROKEN),
)
"""What it means that the client fails on its own, the narrower class first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket as messages name it: where it is, and which secret holds the credentials for it, if one does."""

    bucket: str
    endpoint: str | None
    secret: str | None

    def explain(self, error: BaseException) -> str | None:
        """Return what *error* means, or None if that is not known; a missing object means nothing else."""
        origin = _origin(error)
        if isinstance(origin, ClientError):
            return self._answered(origin)
        return self._failed(origin) if origin is not None else None

    def _answered(self, error: ClientError) -> str | None:
        code, operation = code_of(error), error.operation_name
        text = next((text for codes, text in _ANSWERS if code in codes), None)
        facts = {
            "RequestTime": "another time",
            "ServerTime": "another",
            "Message": "it does not say",
            **error.response.get("Error", {}),
            "code": code,
            "operation": operation,
            "right": _RIGHTS.get(operation, f"to {operation}"),
            "bucket": self.bucket,
            "service": self.service,
            "region": _region(error.response) or "another region",
            "keys": f'the keys in the secret "{self.secret}"' if self.secret else "the credentials found here",
        }
        return text and text.format(**facts)

    def _failed(self, error: BaseException) -> str | None:
        told = " ".join(str(error).split())
        text = next((text for kind, text in _FAILURES if isinstance(error, kind)), None)
        if "Invalid bucket name" in told:
            text = _NO_NAME
        elif text == _NOBODY and _was_connected(error):
            text = _BROKEN
        address = _host(getattr(error, "kwargs", {}).get("endpoint_url")) or self.service
        return text and text.format(bucket=self.bucket, service=self.service, address=address, told=told)

    @property
    def service(self) -> str:
        """What is asked, as messages name it."""
        return _host(self.endpoint) or "S3"


def code_of(error: BaseException) -> str | None:
    """Return the code that S3 answered with, if *error* comes from an answer."""
    origin = _origin(error)
    return str(origin.response.get("Error", {}).get("Code")) if isinstance(origin, ClientError) else None


def _origin(error: BaseException | None) -> BaseException | None:
    """Return the client's own error, which s3fs raises others from."""
    while error is not None and not isinstance(error, ClientError | BotoCoreError | aiohttp.ClientError):
        error = error.__cause__
    return error


def _was_connected(error: BaseException) -> bool:
    """Return whether a connection broke, which aiobotocore tells in the same way as that none was made."""
    cause = getattr(error, "kwargs", {}).get("error")
    return isinstance(cause, aiohttp.ClientOSError) and not isinstance(cause, aiohttp.ClientConnectorError)


def _region(response: Mapping[str, Any]) -> str | None:
    """Return the region of a bucket, which an answer from another one tells."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    found = response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
    return str(found) if found else None


def _host(url: str | None) -> str | None:
    """Return scheme, host and port, which tell no secret."""
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else None
