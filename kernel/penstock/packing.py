"""Exceptions on their way through a pickle: one that cannot travel becomes a text, and takes nothing else along."""

import pickle
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Packed:
    """An exception as a pickle of its own, with the text that stands for it if it cannot be restored."""

    content: bytes
    text: str

    def restored(self) -> Any:
        """Return the exception, or a text that says what it was and why it is not here."""
        try:
            return pickle.loads(self.content)  # noqa: S301 - part of the pickle that is being read
        except Exception as error:  # noqa: BLE001 - a user's class
            return f"{self.text}, which cannot be restored from a pickle: {error!r}"


def packed(exception: Exception) -> Packed | str:
    """Return *exception* packed, or a text that says what it was and why it cannot be pickled."""
    import cloudpickle

    try:
        return Packed(cloudpickle.dumps(exception), repr(exception))
    except Exception as error:  # noqa: BLE001 - what a user's exception holds
        return f"{exception!r}, which cannot be pickled: {error!r}"
