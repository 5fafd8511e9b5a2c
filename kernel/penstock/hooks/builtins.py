"""The kernel's own plugin: what it ships is offered through the same hooks as everybody's."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from penstock.hooks.markers import hookimpl


@hookimpl
def penstock_register_executor() -> Mapping[str, str]:
    """Offer the executor that needs nothing."""
    return {"in-process": "penstock.executors.in_process:InProcessExecutor"}


@hookimpl
def penstock_register_result() -> Mapping[str, str]:
    """Offer the results that need no place outside the process."""
    return {"constant": "penstock.results.memory:ConstantResult", "memory": "penstock.results.memory:MemoryResult"}


@hookimpl
def penstock_register_serializer() -> Mapping[str, str]:
    """Offer the standard forms."""
    return {
        "json": "penstock.serializers.standard:JSONSerializer",
        "pickle": "penstock.serializers.standard:PickleSerializer",
    }


@hookimpl(trylast=True)
def penstock_secret(name: str) -> str | None:
    """Look into the environment, then into the folder `secrets` of the home folder."""
    from penstock import errors, settings

    if (value := os.environ.get(f"PENSTOCK_SECRETS__{name}", os.environ.get(name))) is not None:
        return value
    path = settings.get().home / "secrets" / name
    with errors.told_as(errors.SecretMissingError, f"The secret at {path} cannot be read", OSError, ValueError):
        return path.read_text(encoding="utf-8-sig").removesuffix("\n") if path.exists() else None


@hookimpl(trylast=True)
def penstock_run_task(body: Callable[[], Any]) -> Any:
    """Run the body that other plugins wrap."""
    return body()
