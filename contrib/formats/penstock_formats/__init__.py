"""Forms in which values are kept: pandas, Arrow and msgspec, datetimes, and anything compressed.

The classes are imported on first use, and their libraries when a value is written or read.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_formats.frames import PandasSerializer
    from penstock_formats.messages import MsgspecSerializer
    from penstock_formats.standard import CompressedSerializer, DateTimeSerializer
    from penstock_formats.tables import ArrowSerializer

__all__ = ["ArrowSerializer", "CompressedSerializer", "DateTimeSerializer", "MsgspecSerializer", "PandasSerializer"]

_MODULES: Final = {
    "ArrowSerializer": "tables",
    "CompressedSerializer": "standard",
    "DateTimeSerializer": "standard",
    "MsgspecSerializer": "messages",
    "PandasSerializer": "frames",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
