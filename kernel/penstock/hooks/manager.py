"""Loading plugins, each on its own: one that cannot be loaded is recorded with its cause and harms nobody.

pluggy's own loader stops at the first plugin that raises. Here entry points are taken in the order of their
names, a guarded step at a time: allowed, imported, of a known API version, registered, without unknown hooks
or arguments, without a taken name.
"""

import inspect
import pkgutil
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import importlib_metadata
import pluggy

from penstock import errors, settings
from penstock.hooks import builtins, lookup, specs
from penstock.hooks.markers import API_VERSION, PROJECT

_OFFER_PREFIX: Final = "penstock_register_"


@dataclass(slots=True, eq=False)
class PluginRecord:
    """What is known of one plugin: where it comes from, what it brings, and why it is left out if it is."""

    name: str
    distribution: str | None = None
    version: str | None = None
    package: str = ""
    hooks: tuple[str, ...] = ()
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    import_ms: float = 0.0
    error: str | None = None
    hint: str | None = None
    blocked: bool = False


Target: TypeAlias = "type[Any] | str"


@dataclass(slots=True)
class Offer:
    """A class that a plugin offers under a type name, or the string to import it from until it is first asked for."""

    kind: str
    type: str
    target: Target
    plugin: str
    distribution: str | None

    @property
    def class_name(self) -> str:
        """The name of the class, without importing it."""
        return self.target.rpartition(":")[2] if isinstance(self.target, str) else self.target.__name__

    def load(self) -> Any:
        """Return the class; raises PluginMissingError with the cause if it cannot be imported."""
        try:
            self.target = pkgutil.resolve_name(self.target) if isinstance(self.target, str) else self.target
            if not inspect.isclass(self.target) or getattr(self.target, "kind", None) != self.kind:
                raise TypeError(f"{self.target!r} is offered, which is no class of that kind")  # noqa: TRY301 - told below
        except (Exception, SystemExit) as error:  # the plugin's own code, at its first import
            cause, hint = _describe(error, str(self.target).partition(":")[0].partition(".")[0])
            message = f'{self.kind} "{self.type}" of the plugin {self.distribution or self.plugin} is broken: {cause}'
            raise errors.PluginMissingError("\n".join(filter(None, (message, hint)))) from error
        return self.target


class Registry:
    """The plugins of this process: their hooks, what they offer, and a record of each."""

    def __init__(self) -> None:
        """Start with the kernel's own plugin only."""
        self.manager: pluggy.PluginManager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(specs)
        version = next((one.version for one in importlib_metadata.distributions(name=PROJECT)), None)
        self.records: list[PluginRecord] = [PluginRecord("kernel", PROJECT, version)]
        self.offers: dict[str, dict[str, Offer]] = {kind: {} for kind in lookup.FACADES}
        self.manager.hook.penstock_add_hookspecs.call_historic(kwargs={"manager": self.manager})
        self._add(builtins, self.records[0])

    def load(self, entry_points: Iterable[importlib_metadata.EntryPoint]) -> "Registry":
        """Import and register the plugins of *entry_points*, those that bring hooks of their own first; return this."""
        imported = [self._import(entry_point) for entry_point in sorted(entry_points, key=lambda e: e.name)]
        usable = [(plugin, record) for plugin, record in imported if plugin is not None]
        usable.sort(key=lambda item: "penstock_add_hookspecs" not in dir(item[0]))
        for plugin, record in usable:
            self._add(plugin, record)
        for plugin, record in usable:
            self._guard(record, plugin, self._refuse_unknown_hooks, plugin)
        self.records.sort(key=lambda record: record.name)
        return self

    @contextmanager
    def holding(self, plugin: object, name: str) -> Iterator[PluginRecord]:
        """Hold *plugin* beside the installed ones inside the block; raises PluginError if it cannot be registered."""
        self.records.append(record := PluginRecord(name))
        self._add(plugin, record)
        try:
            if record.error is not None:
                raise errors.PluginError(record.error)
            yield record
        finally:
            self._forget(None if record.error else plugin, record)
            self.records.remove(record)

    def _import(self, entry_point: importlib_metadata.EntryPoint) -> tuple[Any, PluginRecord]:
        name, version = (found.name, found.version) if (found := entry_point.dist) else (None, None)
        record = PluginRecord(entry_point.name, name, version, entry_point.value.partition(":")[0].partition(".")[0])
        self.records.append(record)
        chosen = settings.get().plugins
        record.blocked = record.name in chosen.block or bool(chosen.allow and record.name not in chosen.allow)
        if record.blocked:
            return None, record
        begun = time.perf_counter()
        plugin = self._guard(record, None, entry_point.load)
        record.import_ms = (time.perf_counter() - begun) * 1000
        return plugin, record

    def _add(self, plugin: object, record: PluginRecord) -> None:
        """Register *plugin* and take up what it offers; on failure leave it out and say why in *record*."""
        self._guard(record, None, self._refuse_taken_plugin, plugin, record)
        if record.error is None:
            self._guard(record, plugin, self._register, plugin, record)

    def _guard(self, record: PluginRecord, plugin: object, step: Callable[..., Any], *arguments: object) -> Any:
        """Return what *step* returns; if it fails, write down why and forget the plugin."""
        try:
            return step(*arguments)
        except (Exception, SystemExit) as error:  # a plugin's own code: its failure is recorded and harms nobody else
            if settings.get().plugins.strict:
                raise errors.PluginError(f"plugin {record.name!r} of {record.distribution}: {error}") from error
            record.error, record.hint = _describe(error, record.package)
            self._forget(plugin, record)
            return None

    def _register(self, plugin: object, record: PluginRecord) -> None:
        wanted = getattr(plugin, "penstock_api", API_VERSION)
        if wanted != API_VERSION:
            raise errors.PluginError(f"it is made for hook API version {wanted}; this penstock has {API_VERSION}")
        self.manager.register(plugin, record.name)
        record.hooks = tuple(sorted(caller.name for caller in self.manager.get_hookcallers(plugin) or ()))
        offers = [offer for kind in lookup.FACADES for offer in self._offered(plugin, record, kind)]
        for offer in offers:
            self._refuse_taken_name(offer)
        for offer in offers:
            self.offers[offer.kind][offer.type] = self.offers[offer.kind][offer.class_name] = offer
            record.offers[offer.kind] = (*record.offers.get(offer.kind, ()), offer.type)

    def _offered(self, plugin: object, record: PluginRecord, kind: str) -> list[Offer]:
        known = getattr(self.manager.hook, _OFFER_PREFIX + kind).get_hookimpls()
        answers = [_named(one.function(), kind) for one in known if one.plugin is plugin]
        return [Offer(kind, *item, record.name, record.distribution) for answer in answers for item in answer.items()]

    def _refuse_taken_plugin(self, plugin: object, record: PluginRecord) -> None:
        names = {name for name, one in self.manager.list_name_plugin() if name == record.name or one is plugin}
        for other in [one for one in self.records if one.name in names and one is not record and not one.error]:
            raise errors.PluginError(f"its name or module is that of {other.name} ({other.distribution}); remove one")

    def _refuse_taken_name(self, offer: Offer) -> None:
        for name in (offer.type, offer.class_name):
            taken = self.offers[offer.kind].get(name)
            if taken is not None:
                both = " and ".join(f"{one.plugin} ({one.distribution})" for one in (taken, offer))
                message = f'the {offer.kind} "{name}" is offered by two plugins, {both}'
                raise errors.PluginError(f"{message}; block one: PENSTOCK_PLUGINS__BLOCK={offer.plugin}")

    def _refuse_unknown_hooks(self, plugin: object) -> None:
        for caller in self.manager.get_hookcallers(plugin) or ():
            optional = all(known.optionalhook for known in caller.get_hookimpls() if known.plugin is plugin)
            if caller.spec is None and not optional:
                specified = [name for name, hook in vars(self.manager.hook).items() if getattr(hook, "spec", None)]
                hint = errors.did_you_mean(caller.name, specified)
                raise errors.PluginError(f"it implements the hook {caller.name}, which nobody specifies.{hint}")

    def _forget(self, plugin: object, record: PluginRecord) -> None:
        if self.manager.is_registered(plugin):
            self.manager.unregister(plugin)
        for kind in record.offers:  # none if it was refused: what there is may be of another plugin of that name
            self.offers[kind] = {name: one for name, one in self.offers[kind].items() if one.plugin != record.name}
        record.offers = {}


def _named(answer: Any, kind: str) -> Mapping[str, Any]:
    if isinstance(answer, Mapping):
        return answer
    classes: list[Any] = [answer] if inspect.isclass(answer) else list(answer)
    for offered in classes:
        if not isinstance(getattr(offered, "type", None), str):
            message = f"{_OFFER_PREFIX}{kind} offers {offered!r}, which has no `type: ClassVar[str]` to be found by"
            raise errors.PluginError(message)
    return {offered.type: offered for offered in classes}


def _describe(error: BaseException, home: str = "") -> tuple[str, str | None]:
    """Return an error of the plugin in package *home* in one line with its place, and what to try if that is known."""
    if isinstance(error, errors.PluginError):
        return textwrap.shorten(str(error), 300, placeholder=" …"), None
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    outside = [f for f in frames if not f.filename.startswith(("<", str(Path(__file__).parent)))]
    place = f" ({'/'.join(Path(outside[-1].filename).parts[-2:])}:{outside[-1].lineno})" if outside else ""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    text = missing or textwrap.shorten(str(error), 300, placeholder=" …")
    package = (missing or "").partition(".")[0]
    hint = f"Try: pip install {package}" if package and package != home else None
    return f"{type(error).__name__}: {text}{place}", hint


_lock: Final = threading.RLock()
_registry: Registry | None = None


def registry() -> Registry:
    """Return this process's registry, loading the installed plugins at the first call."""
    global _registry  # noqa: PLW0603 - built once per process, behind the lock
    if _registry is None:
        with _lock:
            _registry = _registry or Registry().load(importlib_metadata.entry_points(group=PROJECT))
    return _registry
