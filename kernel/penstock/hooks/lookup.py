"""From names to classes: what `from penstock.storage import S3` and `type = "s3"` find.

The registry knows what the installed plugins offer; the catalogue, `catalogue.toml`, knows what penstock's own
plugins offer, so that a missing one can be named; `classic.toml` knows what names of Prefect 1 have become.
"""

import importlib
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock import errors

if TYPE_CHECKING:
    from penstock.hooks.manager import Registry

_PLURAL: Final = ("result", "serializer", "executor", "schedule", "scheduler", "run_config", "backend")
FACADES: Final[dict[str, str]] = {"storage": "storage", **{kind: f"{kind}s" for kind in _PLURAL}}
"""Each kind with the facade module its classes are imported from."""


def find(kind: str, name: str, distribution: str | None = None) -> Any:
    """Return the class of *kind* that is offered as *name*, a type name or a class name.

    Raises PluginMissingError if its plugin is not installed (*distribution*, where known, is named) or broken,
    and UnknownTypeError listing what there is if nobody is known to offer it.
    """
    offers = _registry().offers[kind]
    if name in offers:
        return offers[name].load()
    where = f"penstock.{FACADES[kind]}.{name}" if name[:1].isupper() else f'{kind} "{name}"'
    distribution = distribution or catalogued(kind, name)
    if distribution is None:
        known = {offer.type for offer in offers.values()}
        message = f'No plugin offers {"an" if kind[0] in "aeiou" else "a"} {kind} "{name}".'
        raise errors.UnknownTypeError(f"{message}{errors.did_you_mean(name, known)} There is {errors.listing(known)}.")
    raise missing(f"{where} comes with", distribution)


def missing(what: str, distribution: str) -> errors.PluginMissingError:
    """Return the error that *what* (`"x comes with"`, `"y needs"`) a plugin which cannot be used here, and why."""
    installed = next((r for r in _registry().records if r.distribution == distribution), None)
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
    return next((d for d, offers in catalogue().items() if name in offers.get(kind, "").split()), None)


@cache
def catalogue(name: str = "catalogue") -> dict[str, dict[str, str]]:
    """Return what comes with which distribution of the project: class names and type names by kind.

    As `classic`, return what stands for which name of Prefect 1, by module.
    """
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def advise(module: str, name: str) -> None:
    """Raise RenamedError if *name*, which *module* does not have, is a name of Prefect 1 for which something stands."""
    if (instead := catalogue("classic").get(module, {}).get(name)) is not None:
        raise errors.RenamedError(f"{module} has no {name}. Instead: {instead}", name=module)


def distribution_of(kind: str, name: str) -> str | None:
    """Return the installed distribution that offers *name*, or None."""
    offer = _registry().offers[kind].get(name)
    return offer.distribution if offer else None


def attach(module: str, kind: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` that let the facade *module* find classes of *kind* by name."""

    def get_attribute(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return find(kind, name)
        except errors.UnknownTypeError as error:
            advise(module, name)
            raise AttributeError(f"module {module!r} has no attribute {name!r}. {error}", name=name) from None

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[module]), *(offer.class_name for offer in _registry().offers[kind].values())})

    return get_attribute, list_names


def borrow(module: str, kind: str, name: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` that let *module* stand for its namesake beside the class *name*."""

    def namesake() -> Any:
        return importlib.import_module(f"{find(kind, name).__module__.rpartition('.')[0]}.{module.rpartition('.')[2]}")

    return lambda attribute: getattr(namesake(), attribute), lambda: dir(namesake())


def _registry() -> "Registry":
    from penstock.hooks import manager  # which looks names up here

    return manager.registry()
