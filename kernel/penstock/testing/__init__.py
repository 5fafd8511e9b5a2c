"""What tests need: for authors of flows a harness and assertions, for authors of plugins each kind's contract.

A contract is a class of tests to subclass, `penstock.testing.storages.StorageContract` for one; contracts need pytest.
"""

import importlib
import pkgutil
import sys
from typing import TYPE_CHECKING, Any, Final

if "pytest" in sys.modules:
    import pytest

    # so that a contract that fails shows the values it compared, as the author's own tests do
    pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))

if TYPE_CHECKING:
    from penstock.testing.assertions import assert_failed, assert_skipped, assert_states, assert_success
    from penstock.testing.clocks import VirtualClock
    from penstock.testing.debugging import is_serializable, raise_on_exception
    from penstock.testing.flows import Harness, Run, harness

__all__ = [
    "Harness", "Run", "VirtualClock", "assert_failed", "assert_skipped", "assert_states", "assert_success", "harness",
    "is_serializable", "raise_on_exception",
]  # fmt: skip

_HOMES: Final = {
    "assertions": ("assert_failed", "assert_skipped", "assert_states", "assert_success"),
    "clocks": ("VirtualClock",),
    "debugging": ("is_serializable", "raise_on_exception"),
    "flows": ("Harness", "Run", "harness"),
}


def __getattr__(name: str) -> Any:
    """Import what a public name stands for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}", name=name)


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__]
