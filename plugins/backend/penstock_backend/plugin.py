"""What penstock-backend offers."""

from collections.abc import Mapping
from typing import Any

from penstock.hooks.markers import hookimpl


@hookimpl
def penstock_register_backend() -> Mapping[str, str]:
    """Offer one class under its type and under the schemes of the URLs it takes."""
    return dict.fromkeys(("sql", "sqlite", "postgresql", "postgres"), "penstock_backend.backend:SQLBackend")


@hookimpl(optionalhook=True)  # there where the command line is installed
def penstock_register_commands(cli: Any) -> None:
    """Add `penstock backend`."""
    cli.add_lazy("backend", "penstock_backend.commands:backend", "The database: check it, copy it, let old runs go.")
