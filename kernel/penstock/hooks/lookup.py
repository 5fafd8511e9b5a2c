"""From names to classes: what `from penstock.storage import S3` and `type = "s3"` find.

The registry knows what the installed plugins offer; the catalogue knows what penstock's own plugins offer,
so that a missing one can be named.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

from penstock import errors

_PLURAL: Final = ("result", "serializer", "executor", "schedule", "scheduler", "run_config", "backend")
FACADES: Final[dict[str, str]] = {"storage": "storage", **{kind: f"{kind}s" for kind in _PLURAL}}
"""Each kind with the facade module its classes are imported from."""

CATALOGUE: Final[dict[str, dict[str, str]]] = {
    "penstock-fsspec": {
        "storage": "Local local FsspecStorage fsspec",
        "result": "LocalResult local FsspecResult fsspec",
    },
    "penstock-s3": {"storage": "S3 s3", "result": "S3Result s3"},
    "penstock-github": {"storage": "GitHub github"},
    "penstock-executors": {"executor": "ThreadExecutor threads ProcessExecutor processes"},
    "penstock-schedulers": {
        "schedule": "IntervalSchedule interval CronSchedule cron",
        "scheduler": "LocalScheduler local BackendScheduler backend",
    },
    "penstock-backend": {"backend": "SQLBackend sql sqlite"},
    "penstock-client": {"backend": "HTTPBackend http https"},
    "penstock-agent": {"run_config": "LocalRun local"},
    "penstock-dask": {"executor": "DaskExecutor dask LocalDaskExecutor local-dask"},
    "penstock-ray": {"executor": "RayExecutor ray"},
    "penstock-docker": {"storage": "Docker docker", "run_config": "DockerRun docker"},
    "penstock-gitlab": {"storage": "GitLab gitlab"},
    "penstock-formats": {"serializer": "ArrowSerializer arrow MsgspecSerializer msgspec PandasSerializer pandas"},
    "penstock-gcs": {"storage": "GCS gcs gs", "result": "GCSResult gcs gs"},
    "penstock-azure": {"storage": "Azure azure az abfs abfss", "result": "AzureResult azure az abfs abfss"},
}
"""What comes with which distribution of the project: class names and type names by kind."""


def find(kind: str, name: str, distribution: str | None = None) -> Any:
    """Return the class of *kind* that is offered as *name*, a type name or a class name.

    Raises PluginMissingError if its plugin is not installed (*distribution*, where known, is named) or broken,
    and UnknownTypeError listing what there is if nobody is known to offer it.
    """
    from penstock.hooks import manager

    offers = manager.registry().offers[kind]
    if name in offers:
        return offers[name].load()
    where = f"penstock.{FACADES[kind]}.{name}" if name[:1].isupper() else f'{kind} "{name}"'
    distribution = distribution or catalogued(kind, name)
    if distribution is None:
        known = {offer.type for offer in offers.values()}
        message = f'No plugin offers {"an" if kind[0] in "aeiou" else "a"} {kind} "{name}".'
        hint = errors.did_you_mean(name, known)
        raise errors.UnknownTypeError(f"{message}{hint} There is {errors.listing(known)}.")
    raise missing(f"{where} comes with", distribution)


def missing(what: str, distribution: str) -> errors.PluginMissingError:
    """Return the error that *what* (`"x comes with"`, `"y needs"`) a plugin which cannot be used here, and why."""
    from penstock.hooks import manager

    installed = next((r for r in manager.registry().records if r.distribution == distribution), None)
    if installed is None:
        fate = f"is not installed.\nTry: pip install {distribution}"
    elif installed.error:
        fate = f"is broken: {installed.error}"
    elif installed.blocked:
        fate = "the setting plugins.block or allow leaves out"
    else:
        fate = f"is installed as {installed.version}, without this; update it"
    return errors.PluginMissingError(f"{what} the plugin {distribution}, which {fate}")


def catalogued(kind: str, name: str) -> str | None:
    """Return the distribution of the project that offers *name*, or None."""
    return next((d for d, offers in CATALOGUE.items() if name in offers.get(kind, "").split()), None)


def distribution_of(kind: str, name: str) -> str | None:
    """Return the installed distribution that offers *name*, or None."""
    from penstock.hooks import manager

    offer = manager.registry().offers[kind].get(name)
    return offer.distribution if offer else None


def attach(module: str, kind: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` that let the facade *module* find classes of *kind* by name."""

    def get_attribute(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return find(kind, name)
        except errors.UnknownTypeError as error:
            message = f"module {module!r} has no attribute {name!r}. {error}"
            raise AttributeError(message, name=name, obj=sys.modules[module]) from None

    def list_names() -> list[str]:
        from penstock.hooks import manager

        offered = (offer.class_name for offer in manager.registry().offers[kind].values())
        return sorted({*vars(sys.modules[module]), *offered})

    return get_attribute, list_names
