"""Results with a fault, which the judge has to find."""

from pathlib import Path
from typing import ClassVar

from pydantic import PrivateAttr

from penstock.results import Result

_CHUNK = 4096


class InPlaceResult(Result):
    """Writes into the file that readers read."""

    type: ClassVar[str] = "in-place"
    folder: Path

    def put(self, location: str, content: bytes) -> str:
        path = self.folder / location
        with path.open("wb", buffering=0) as file:
            for start in range(0, len(content), _CHUNK):
                file.write(content[start : start + _CHUNK])
        return location

    def get(self, location: str) -> bytes:
        return (self.folder / location).read_bytes()

    def has(self, location: str) -> bool:
        return (self.folder / location).is_file()


class LateResult(InPlaceResult):
    """Writes whole files, each of them when the next one comes."""

    type: ClassVar[str] = "late"

    _waiting: bytes = PrivateAttr(default=b"")

    def put(self, location: str, content: bytes) -> str:
        path = self.folder / location
        path.with_suffix(".new").write_bytes(self._waiting or content)
        path.with_suffix(".new").replace(path)
        self._waiting = content
        return location
