"""What penstock-backend offers."""

from collections.abc import Mapping

from penstock.hooks.markers import hookimpl


@hookimpl
def penstock_register_backend() -> Mapping[str, str]:
    """Offer one class under its type and under the schemes of the URLs it takes."""
    return dict.fromkeys(("sql", "sqlite", "postgresql", "postgres"), "penstock_backend.backend:SQLBackend")
