"""What an error of Azure Blob Storage means, and what to do about it."""

from dataclasses import dataclass
from typing import Final

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

_CODES: Final = {
    "missing": ("ContainerNotFound",),
    "refused": (
        *("AuthorizationPermissionMismatch", "AuthorizationFailure", "InsufficientAccountPermissions"),
        *("AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch", "AuthorizationSourceIPMismatch"),
    ),
    "unproven": ("AuthenticationFailed", "InvalidAuthenticationInfo"),
    "anonymous": ("NoAuthenticationInformation", "PublicAccessNotPermitted"),
    "elsewhere": ("ResourceNotFound", "InvalidOperation", "AccountIsDisabled"),
    "busy": ("ServerBusy", "InternalError", "OperationTimedOut"),
}

_UNPROVEN: Final = "failed to authenticate"  # said with various codes


@dataclass(frozen=True, slots=True)
class Place:
    """A container as messages name it: where it is, and which secret holds the connection string."""

    container: str
    account: str | None
    endpoint: str | None
    secret: str | None

    def explain(self, error: BaseException) -> str | None:
        """Return what *error* means, or None if that is not known; a missing blob means nothing else."""
        origin = _origin(error)
        code = getattr(origin, "error_code", None)
        if isinstance(origin, HttpResponseError) and code is not None:
            return self._answered(str(getattr(code, "value", code)), _line(origin))
        return self._failed(origin) if origin is not None else None

    def _answered(self, code: str, told: str) -> str | None:
        """Explain an error that the service answered with."""
        if code == "BlobNotFound":
            return None
        there, keys = self._service, self._keys
        otherwise = "name a secret with a connection string"
        texts = {
            "missing": f'there is no container "{self.container}" at {there}. '
            f"Create it (az storage container create --name {self.container}), or correct the name",
            "refused": f"{there} refuses this to {keys} ({code}: {told}). "
            'They need the role "Storage Blob Data Contributor", or a SAS that allows this',
            "unproven": f"{there} does not accept {keys} ({code}): "
            "the key is another one's, or the SAS or token has expired. Correct them, or get new ones",
            "anonymous": f"{there} asks for credentials ({code}): {otherwise}, or an account that you are logged in to",
            "elsewhere": f"there is no such account at {there}, or none for these credentials ({code}). "
            f"Correct its name or address, or {otherwise}",
            "busy": f"{there} was too busy or failed ({code}), also when asked again. Try later",
        }
        meaning = "unproven" if _UNPROVEN in told else next((known for known in _CODES if code in _CODES[known]), "")
        return texts.get(meaning, f"{code}: {told}")

    def _failed(self, error: AzureError) -> str | None:
        """Explain an error that the client raised on its own."""
        match error:
            case ClientAuthenticationError():
                chain = "log in with az login, or set what azure-identity reads (AZURE_CLIENT_ID, …)"
                return f"no credentials were found: {_line(error)} Name a secret with a connection string, {chain}"
            case ServiceRequestError():
                hint = "Check the network, and the name or address of the account"
                return f"nobody answers at {self._service}: {_line(error)}. {hint}"
            case ServiceResponseError():
                return f"the connection to {self._service} broke off, also when tried again. Try later"
            case HttpResponseError() if error.status_code is not None and error.status_code >= 500:  # noqa: PLR2004
                return f"{self._service} was too busy or failed ({error.status_code}), also when asked again. Try later"
        return None

    @property
    def _service(self) -> str:
        account = self.endpoint or (self.account and f"https://{self.account}.blob.core.windows.net")
        return account or (f'the account in the secret "{self.secret}"' if self.secret else "Azure Blob Storage")

    @property
    def _keys(self) -> str:
        return f'what the secret "{self.secret}" holds' if self.secret else "the credentials found here"


def _origin(error: BaseException | None) -> AzureError | None:
    """Return the client's own error, which adlfs raises others from."""
    while error is not None and not isinstance(error, AzureError):
        error = error.__cause__
    return error


def _line(error: AzureError) -> str:
    return str(error.message).partition("\n")[0].strip()
