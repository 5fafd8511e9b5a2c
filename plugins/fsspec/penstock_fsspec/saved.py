"""Flows in files of one's own: what `flow.save` writes and `Flow.load` reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fsspec.implementations.local import LocalFileSystem
from slugify import slugify

from penstock import errors, settings
from penstock.storage import scripts
from penstock_fsspec import atomic

if TYPE_CHECKING:
    from penstock import Flow

_ENDING: Final = ".penstock"


def save(flow: "Flow", path: str | Path | None = None) -> Path:
    """Write *flow* to *path*, by default to one named after it in penstock's home folder, and return the path.

    The file is the new one as a whole, or as it was. Raises SerializationError, or StorageError if it cannot be
    written.
    """
    target = Path(path).expanduser() if path is not None else _kept_as(flow.name)
    content = scripts.pickle_flow(flow)
    with errors.told_as(errors.StorageError, f'Flow "{flow.name}" cannot be saved at {target}', OSError):
        atomic.replace(LocalFileSystem(), str(target.absolute()), content)
    return target


def load(source: str | Path) -> "Flow":
    """Return the flow that was saved under a name, or at a path: one with a folder or the ending `.penstock`.

    Loading runs code from the file. Raises FlowFileError if there is none, StorageError naming the versions that
    differ if it cannot be read.
    """
    named = isinstance(source, str) and Path(source).name == source and not source.endswith(_ENDING)
    path = _kept_as(str(source)) if named else Path(source).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        saved = [known.stem for known in path.parent.glob(f"*{_ENDING}")]
        hint = errors.did_you_mean(path.stem, saved) or f" Saved there: {errors.listing(saved)}."
        raise errors.FlowFileError(f"No saved flow can be read at {path}: {error.strerror or error}.{hint}") from error
    return scripts.flow_from_pickle(path.stem, content, str(path))


def _kept_as(name: str) -> Path:
    return settings.get().home / "flows" / f"{slugify(name) or 'flow'}{_ENDING}"
