"""What can be set from outside: TOML files, then the environment, then the command line.

`penstock.toml` or `[tool.penstock]` of a `pyproject.toml` in the working folder or the nearest folder above
it, and below those `$PENSTOCK_HOME/config.toml`; then variables `PENSTOCK_SECTION__KEY`; then what `override`
adds. Every value remembers where it came from.
"""

import contextlib
import json
import os
import threading
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from penstock import errors

_PREFIX: Final = "PENSTOCK_"
_SECRETS: Final = "PENSTOCK_SECRETS__"  # read where they are asked for, and nowhere else
_KINDS: Final = ("executor", "storage", "result", "backend")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def kind_options(value: object) -> object:
    """Return the options that a type name or a URL stands for, with the layers that may follow it after bars."""
    if not isinstance(value, str):
        return value
    place, *layers = (part.strip() for part in value.split("|"))
    return {"url" if "://" in place else "type": place, **({"layers": layers} if layers else {})}


Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(lambda x: str(x).upper())]
"""A level of the log, in letters of either case."""
Names = Annotated[list[str], BeforeValidator(_split)]
"""A list; in the environment, names separated by commas."""
KindOptions = Annotated[dict[str, Any], BeforeValidator(kind_options)]
"""A type name or a URL, or a table with `type` or `url` and the options of that class."""


Catchup = Literal["none", "latest", "all"]
"""Which of the times that passed while no scheduler ran become runs."""
OnLost = Literal["fail", "reschedule"]
"""What becomes of a run whose agent and process are both gone."""


class Section(BaseModel):
    """A group of settings; unknown names are refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class PluginSettings(Section):
    """Which plugins are loaded."""

    block: Names = Field(default=[], description="entry-point names that are not even imported")
    allow: Names = Field(default=[], description="if not empty, only these entry-point names are imported")
    strict: bool = Field(default=False, description="raise if a plugin cannot be loaded, rather than go on without it")


class AgentSettings(Section):
    """How an agent takes and supervises runs; times in seconds."""

    lease_seconds: float = Field(default=30, gt=0, description="how long a claimed run is held without a heartbeat")
    heartbeat_seconds: float = Field(default=10, gt=0, description="how often a lease is renewed")
    poll_seconds: float = Field(default=0.1, gt=0, description="how long an agent waits before it asks for runs again")
    grace_seconds: float = Field(default=5, ge=0, description="how long a process has between TERM and KILL")
    limit: int | None = Field(default=None, ge=1, description="how many runs may be under way at once")


class SchedulerSettings(Section):
    """How schedules become runs."""

    ahead: int = Field(default=10, ge=1, description="how many coming runs of a schedule are kept ready")
    interval_seconds: float = Field(default=5, gt=0, description="how often schedules are looked at")
    catchup: Catchup = Field(default="latest", description="which times become runs that passed while nobody looked")
    on_lost: OnLost = Field(default="fail", description="whether a lost run ends, or begins anew up to three times")


class LoggingSettings(Section):
    """What is logged, and in what form."""

    level: Level = Field(default="INFO", description="the lowest shown")
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: readable lines on a terminal, JSON elsewhere"
    )


class FlowSettings(Section):
    """How flows run."""

    checkpointing: bool = Field(default=True, description="write results wherever a result is configured")
    run_on_schedule: bool = Field(default=False, description="let flow.run() run a flow at each time of its schedule")
    create_project: bool = Field(default=True, description="let register create a project that does not exist")


class Settings(Section):
    """All settings."""

    home: Path = Field(default=Path("~/.penstock"), description="folder of the database, stored flows and results")
    backend: KindOptions = Field(default={}, description="who remembers flows and runs")
    executor: KindOptions = Field(default={"type": "in-process"}, description="what runs the tasks of a flow run")
    storage: KindOptions = Field(default={"type": "local"}, description="where the source of flows is kept")
    limits: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={}, description="for a tag, how many tasks with it may run at once in a flow run"
    )
    result: KindOptions | None = Field(default=None, description="where results are kept if neither task nor flow says")
    plugins: PluginSettings = PluginSettings()
    agent: AgentSettings = AgentSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    logging: LoggingSettings = LoggingSettings()
    flows: FlowSettings = FlowSettings()

    def backend_options(self) -> dict[str, Any]:
        """Return the backend's options, the SQLite file in the home folder if none are set."""
        return self.backend or {"url": f"sqlite:///{self.home / 'penstock.db'}"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and for each value that was set, by dotted name, where it came from."""

    settings: Settings
    origins: Mapping[str, str]


def load(environ: Mapping[str, str], folder: Path, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read the settings that hold in *folder* under *environ*.

    Raises SettingsError naming the file or variable, what was found and the nearest known name.
    """
    home = _folder(environ.get(_PREFIX + "HOME") or Settings.model_fields["home"].default)
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source, values in (*_files(folder, home), *_environment(environ), ("command line", overrides or {})):
        _merge(merged, values, source, origins, "")
    merged["home"] = _folder(merged.get("home") or home)
    try:
        return Loaded(Settings.model_validate(merged), origins)
    except ValidationError as error:
        raise errors.SettingsError("\n".join(_explain(dict(item), origins) for item in error.errors())) from error


def _folder(path: Any) -> Path:
    with errors.told_as(errors.SettingsError, f"The setting home cannot be {str(path)!r}", RuntimeError, TypeError):
        return Path(path).expanduser()


def _files(folder: Path, home: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the files that hold settings, the least important first."""
    if (home / "config.toml").is_file():
        yield str(home / "config.toml"), _read(home / "config.toml")
    for above in (folder, *folder.parents):
        own, project = above / "penstock.toml", above / "pyproject.toml"
        if own.is_file():
            yield str(own), _read(own)
            return
        if project.is_file() and "penstock" in (tool := _read(project).get("tool", {})):
            yield str(project), tool["penstock"]
            return


def _read(path: Path) -> dict[str, Any]:
    with errors.told_as(errors.SettingsError, f"{path} cannot be read as TOML", ValueError, OSError):
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors begin with a mark


def _environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield one nested mapping per variable; a name alone comes before its `__OPTION`s."""
    for variable in sorted(name for name in environ if name.startswith(_PREFIX) and not name.startswith(_SECRETS)):
        path = variable.removeprefix(_PREFIX).lower().split("__")
        if path[0] not in Settings.model_fields:
            known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
            stem = f"{_PREFIX}{path[0].upper()}"
            hint = errors.did_you_mean(stem, known) or f" The settings are {errors.listing(known)}."
            raise errors.SettingsError(f"{variable} is no setting.{hint}")
        yield variable, _nest(path, environ[variable])


def _nest(path: list[str], text: str) -> dict[str, Any]:
    value: Any = text
    if len(path) > 1 and path[0] in _KINDS:
        with contextlib.suppress(ValueError):
            value = json.loads(text)
    return dict(reduce(lambda inner, name: {name: inner}, reversed(path), value))


def _merge(into: dict[str, Any], values: Mapping[str, Any], source: str, origins: dict[str, str], path: str) -> None:
    for name, value in values.items():
        dotted = f"{path}{name}"
        if not path and name in _KINDS:
            _merge_kind(into, name, kind_options(value), source, origins)
        elif isinstance(value, Mapping) and isinstance(into.setdefault(name, {}), dict):
            _merge(into[name], value, source, origins, f"{dotted}.")
        else:
            into[name] = value
            origins[dotted] = source


def _merge_kind(into: dict[str, Any], name: str, options: Any, source: str, origins: dict[str, str]) -> None:
    """Let options that name a type or a URL replace what was there, and such that do not add to it."""
    known = into.get(name, {})
    adds = isinstance(options, Mapping) and {"type", "url"}.isdisjoint(options) and isinstance(known, dict)
    into[name] = {**known, **options} if adds else options
    for dotted in [] if adds else [path for path in origins if path.startswith(f"{name}.")]:
        del origins[dotted]
    named = options if isinstance(options, Mapping) else ()
    origins.update({f"{name}.{option}": source for option in named}, **{name: source})


def _explain(item: dict[str, Any], origins: Mapping[str, str]) -> str:
    path = [str(part) for part in item["loc"]]
    dotted = ".".join(path)
    near = [origins[name] for name in origins if dotted.startswith(f"{name}.") or name.startswith(f"{dotted}.")]
    source = f"   (from {origin})" if (origin := origins.get(dotted) or next(iter(near), "")) else ""
    if item["type"] == "extra_forbidden":
        known = type(getattr(Settings(), path[0]) if path[1:] else Settings()).model_fields
        hint = errors.did_you_mean(path[-1], known) or f" The names are {errors.listing(known)}."
        return f"There is no setting {dotted}.{hint}{source}"
    return f"The setting {dotted}: {item['msg']}; found {item['input']!r}{source}"


_lock: Final = threading.Lock()
_loaded: Loaded | None = None


def loaded() -> Loaded:
    """Return this process's settings with their origins, reading them at the first call."""
    global _loaded  # noqa: PLW0603 - read once per process, behind the lock
    if _loaded is None:
        with _lock:
            _loaded = _loaded or load(os.environ, Path.cwd())
    return _loaded


def get() -> Settings:
    """Return this process's settings."""
    return loaded().settings


@contextlib.contextmanager
def override(values: Mapping[str, Any] | None = None) -> Iterator[Settings]:
    """Read the settings anew inside the block, with the nested mapping *values* over all other sources."""
    global _loaded  # noqa: PLW0603 - the one other place where the process's settings change
    previous = _loaded
    _loaded = load(os.environ, Path.cwd(), values)
    try:
        yield _loaded.settings
    finally:
        _loaded = previous
