"""What penstock-backend offers."""

from collections.abc import Mapping

from penstock.hooks.markers import hookimpl


@hookimpl
def penstock_register_backend() -> Mapping[str, str]:
    """Offer one class under its type and under the scheme of the URLs it takes."""
    return {"sql": "penstock_backend.backend:SQLBackend", "sqlite": "penstock_backend.backend:SQLBackend"}
