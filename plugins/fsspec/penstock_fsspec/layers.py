"""Layers between a storage or result and its file system: compression and encryption, by name.

`"zstd"` or `"zstd:19"`, `"fernet:SECRET"`. The first one named is the innermost: `["zstd", "fernet:KEY"]` compresses,
then encrypts. Other plugins offer theirs with the hook `penstock_layer`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Protocol

from pydantic import AfterValidator

from penstock import Secret, errors, hooks
from penstock_fsspec.options import secret_named

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MOST_BYTES: Final = 1 << 34
"""How much may come out of a layer where nobody knows how much should: 16 GiB."""
_HIGHEST_LEVEL: Final = 22
_GROWTH: Final = 1 << 16  # what a layer may add to little content


class LayerError(errors.PenstockError, ValueError):
    """A layer cannot be taken off: it is another one, was changed, or stands for too much."""


class Layer(Protocol):
    """Turns bytes into other bytes, and back."""

    def encode(self, content: bytes) -> bytes:
        """Return what is to be written for *content*."""

    def decode(self, content: bytes, most: int) -> bytes:
        """Return what *content* was made of.

        Raises ValueError if it was not made by this layer, was changed, or stands for more than *most* bytes.
        """


def find(text: str) -> Layer:
    """Return the layer that is written as `name` or `name:argument`.

    Raises SettingsError if no plugin knows it, or its argument does not fit.
    """
    name, _, argument = text.partition(":")
    for _, offered in hooks.implementations("penstock_layer"):
        layer: Layer | None = offered(name=name, argument=argument)
        if layer is not None:
            return layer
    raise errors.SettingsError(
        f"No plugin knows a layer {name!r}; penstock-fsspec has zstd (compression) and fernet:SECRET (encryption)"
    )


def encode(layers: Sequence[str], content: bytes) -> bytes:
    """Return *content* in *layers*, the first of them innermost."""
    for text in layers:
        content = find(text).encode(content)
    return content


def decode(layers: Sequence[str], content: bytes, most: int = MOST_BYTES) -> bytes:
    """Return what is in *layers*.

    Raises LayerError naming the layer if it cannot be taken off, or if more than *most* bytes come out.
    """
    for position, text in reversed(list(enumerate(layers))):
        bound = most if position == 0 else 2 * most + _GROWTH
        try:
            content = find(text).decode(content, bound)
        except errors.PenstockError:
            raise
        except ValueError as error:
            raise LayerError(f"the layer {text!r} cannot be taken off: {error}") from error
    return content


def _known(layers: list[str]) -> list[str]:
    for text in layers:
        find(text)
    return layers


Layers = Annotated[list[str], AfterValidator(_known)]
"""The option of a storage or result that names its layers."""


@dataclass(frozen=True, slots=True)
class Zstandard:
    """Compression with Zstandard (RFC 8878); needs the package zstandard."""

    level: str = ""
    """From 1 to 22, by default 3."""

    def __post_init__(self) -> None:
        """Check the level."""
        if self.level and not (self.level.isdecimal() and 1 <= int(self.level) <= _HIGHEST_LEVEL):
            raise errors.SettingsError(f"The level of zstd is a number from 1 to {_HIGHEST_LEVEL}; found {self.level}")
        _needed("zstandard", "zstd")

    def encode(self, content: bytes) -> bytes:
        """Compress; size and checksum of the content stand in the frame."""
        import zstandard

        return zstandard.ZstdCompressor(level=int(self.level or 3), write_checksum=True).compress(content)

    def decode(self, content: bytes, most: int) -> bytes:
        """Decompress one frame that says how large its content is."""
        import zstandard

        try:
            size = zstandard.frame_content_size(content)
            if not 0 <= size <= most:
                raise ValueError(f"it stands for {size} bytes, and at most {most} are expected")
            return zstandard.ZstdDecompressor().decompress(content, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise ValueError(f"it is not compressed with zstd, or damaged ({error})") from error


@dataclass(frozen=True, slots=True)
class Fernet:
    """Authenticated encryption with a Fernet key that a secret holds; needs the package cryptography.

    The secret may hold several keys with spaces between them: the first encrypts, each of them decrypts.
    """

    secret: str

    def __post_init__(self) -> None:
        """Check that there is a name, and not the key itself."""
        if not self.secret:
            raise errors.SettingsError('The layer fernet needs the name of the secret that holds its key: "fernet:KEY"')
        secret_named(self.secret)
        _needed("cryptography", "fernet")

    def encode(self, content: bytes) -> bytes:
        """Encrypt."""
        return self._cipher().encrypt(content)

    def decode(self, content: bytes, most: int) -> bytes:
        """Decrypt."""
        from cryptography.fernet import InvalidToken

        if len(content) > 2 * most + _GROWTH:
            raise ValueError(f"it has {len(content)} bytes, and at most {most} are expected to come out")
        try:
            return self._cipher().decrypt(content)
        except InvalidToken as error:
            raise ValueError(f"it is not encrypted with the key {self.secret}, or it was changed") from error

    def _cipher(self) -> "MultiFernet":
        from cryptography import fernet

        keys = str(Secret(self.secret).get()).split()
        try:
            return fernet.MultiFernet([fernet.Fernet(key) for key in keys])
        except ValueError as error:
            message = f'The secret "{self.secret}" is no Fernet key: 32 bytes in URL-safe base64 are expected'
            raise errors.SettingsError(f"{message}. Make one with cryptography.fernet.Fernet.generate_key()") from error


def _needed(package: str, layer: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        message = f"The layer {layer} needs the package {package}, which is not installed"
        raise errors.PluginMissingError(f"{message}.\nTry: pip install 'penstock-fsspec[{layer}]'")
