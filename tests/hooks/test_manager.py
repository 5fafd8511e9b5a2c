"""Plugins: how they are loaded, and what becomes of those that cannot be."""

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import importlib_metadata
import pytest

import penstock
from penstock import errors, hookimpl, hookspec, settings
from penstock.executors import Executor
from penstock.hooks import lookup, manager, observing
from penstock.hooks.manager import PluginRecord, Registry

Install = Callable[[str, str], importlib_metadata.EntryPoint]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a plugin from its source, as a distribution of its own."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def write(name: str, source: str) -> importlib_metadata.EntryPoint:
        made.append(f"acme_{name}")
        (tmp_path / f"acme_{name}.py").write_text(f"import penstock\n{source}", encoding="utf-8")
        info = tmp_path / f"acme_{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[penstock]\n{name} = acme_{name}\n", encoding="utf-8")
        found: importlib_metadata.EntryPoint
        (found,) = importlib_metadata.distribution(f"acme-{name}").entry_points
        return found

    yield write
    for module in made:
        sys.modules.pop(module, None)


def load(*entry_points: importlib_metadata.EntryPoint) -> tuple[Registry, dict[str, PluginRecord]]:
    registry = Registry()
    registry.load(entry_points)
    return registry, {record.name: record for record in registry.records}


EXECUTOR = """
class Fleet(penstock.executors.Executor):
    type = "fleet"
    ships: int = 1
    def open(self):
        raise NotImplementedError

@penstock.hookimpl
def penstock_register_executor():
    return Fleet
"""


def test_a_plugin_is_found_with_what_it_offers(install: Install) -> None:
    registry, records = load(install("fleet", EXECUTOR))
    record = records["fleet"]
    assert (record.distribution, record.version, record.error) == ("acme-fleet", "1.2", None)
    assert record.hooks == ("penstock_register_executor",)
    assert record.offers == {"executor": ("fleet",)}
    assert record.import_ms > 0
    assert registry.offers["executor"]["fleet"].load() is registry.offers["executor"]["Fleet"].load()


def test_an_offer_by_string_is_imported_on_first_use(install: Install) -> None:
    source = '@penstock.hookimpl\ndef penstock_register_executor():\n    return {"later": "acme_later_code:Later"}'
    registry, records = load(install("later", source))
    assert records["later"].error is None
    offer = registry.offers["executor"]["Later"]
    told = r"acme-later is broken: ModuleNotFoundError: acme_later_code"
    with pytest.raises(errors.PluginMissingError, match=told) as caught:
        offer.load()
    assert "pip install" not in str(caught.value)  # it is the plugin's own


BROKEN = {
    "raises": ("1 / 0", r"ZeroDivisionError: division by zero \(.*acme_raises.py:2\)"),
    "lacks": ("import hvac_of_nobody", r"ModuleNotFoundError: hvac_of_nobody \(.*acme_lacks.py:2\)"),
    "exits": ("raise SystemExit(3)", r"SystemExit: 3 \(.*acme_exits.py:2\)"),
    "lazy": ("def __getattr__(name): return {}[name]", "KeyError: 'penstock_api'"),
    "newer": ("penstock_api = 99", "hook API version 99; this penstock has 1"),
    "misspelt": (
        "@penstock.hookimpl\ndef penstock_register_executer(): return {}",
        "hook penstock_register_executer, which nobody specifies. Did you mean penstock_register_executor?",
    ),
    "argument": (
        "@penstock.hookimpl\ndef penstock_flow_run_state(run, older): ...",
        r"PluginValidationError: .*older",
    ),
    "nameless": (
        """class X(penstock.executors.Executor):
    def open(self): ...
@penstock.hookimpl
def penstock_register_executor(): return [X]""",
        "no `type: ClassVar",
    ),
    "taken": (
        '@penstock.hookimpl\ndef penstock_register_executor(): return {"fleet": "x:Fleet"}',
        r'"fleet" is offered by two plugins, fleet \(acme-fleet\) and taken \(acme-taken\)',
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_is_named_with_its_cause_and_harms_nobody(fault: str, install: Install) -> None:
    source, cause = BROKEN[fault]
    registry, records = load(install("fleet", EXECUTOR), install(fault, source), install("zeppelin", ""))
    error = records[fault].error
    assert error is not None
    with pytest.raises(ValueError, match=cause):
        raise ValueError(error)
    assert records["fleet"].error is records["zeppelin"].error is None
    assert registry.offers["executor"]["fleet"].plugin == "fleet"
    assert not [offer for offers in registry.offers.values() for offer in offers.values() if offer.plugin == fault]
    assert fault not in [name for name, _ in registry.manager.list_name_plugin()]


def test_a_plugin_of_a_taken_name_or_module_is_refused_and_the_other_keeps_what_it_has(
    install: Install, tmp_path: Path
) -> None:
    fleet, other = install("fleet", EXECUTOR), install("armada", EXECUTOR.replace("fleet", "boat"))
    (tmp_path / "acme_armada-1.2.dist-info/entry_points.txt").write_text(
        "[penstock]\nfleet = acme_armada\nsquadron = acme_fleet\n", encoding="utf-8"
    )
    registry, _ = load(fleet, *importlib_metadata.distribution("acme-armada").entry_points)
    told = {(record.name, record.distribution): record.error for record in registry.records}
    refused = "its name or module is that of fleet (acme-fleet); remove one"
    assert told[("fleet", "acme-fleet")] is None
    assert told[("fleet", "acme-armada")] == told[("squadron", "acme-armada")] == refused
    assert registry.offers["executor"]["fleet"].distribution == "acme-fleet"
    assert [name for name, _ in registry.manager.list_name_plugin()] == ["kernel", "fleet"]
    assert other.name == "armada"


def test_an_entry_point_that_names_nothing_harms_nobody(install: Install) -> None:
    fleet = install("fleet", EXECUTOR)
    _, records = load(fleet, importlib_metadata.EntryPoint("odd", "no module!:x", "penstock"))
    assert "Invalid object reference" in (records["odd"].error or "")
    assert records["fleet"].error is None


def test_observing_under_a_taken_name_is_refused_and_the_other_keeps_what_it_has() -> None:
    class Watching:
        @hookimpl
        def penstock_secret(self, name: str) -> str | None:
            return name.lower() if name == "WATCHED" else None

    watching = Watching()
    with observing(watching, "watching"):
        for plugin, name in ((object(), "kernel"), (watching, "again")):
            with pytest.raises(errors.PluginError, match="its name or module is that of"), observing(plugin, name):
                pass
        assert penstock.Secret("WATCHED").get() == "watched"
    assert Executor.resolve("in-process").type == "in-process"


@pytest.mark.parametrize("target", ["dict", "penstock.results:MemoryResult", "os.path:join"])
def test_an_offer_of_something_else_is_refused_when_it_is_first_used(target: str, install: Install) -> None:
    offered = target if target == "dict" else repr(target)
    registry, _ = load(
        install("odd", f"@penstock.hookimpl\ndef penstock_register_executor(): return {{'x': {offered}}}")
    )
    for _ in range(2):
        with pytest.raises(
            errors.PluginMissingError, match=r'executor "x" of the plugin acme-odd .* no class of that kind'
        ):
            registry.offers["executor"]["x"].load()


def test_a_missing_module_comes_with_what_to_try(install: Install) -> None:
    _, records = load(install("lacks", "import hvac_of_nobody.client"))
    assert records["lacks"].hint == "Try: pip install hvac_of_nobody"
    _, records = load(install("torn", "import acme_torn.half"))
    assert records["torn"].hint is None


def test_strict_raises_instead(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_PLUGINS__STRICT", "1")
    with settings.override(), pytest.raises(errors.PluginError, match="plugin 'raises' of acme-raises"):
        load(install("raises", "1 / 0"))


@pytest.mark.parametrize("variable", ["PENSTOCK_PLUGINS__BLOCK=raises", "PENSTOCK_PLUGINS__ALLOW=fleet,other"])
def test_a_blocked_plugin_is_not_even_imported(
    variable: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable.split("=", 1))
    with settings.override():
        _, records = load(install("fleet", EXECUTOR), install("raises", "1 / 0"))
    assert records["raises"].blocked
    assert records["raises"].error is None
    assert records["fleet"].offers
    assert "acme_raises" not in sys.modules


def test_a_plugin_may_bring_hooks_that_others_implement_whatever_their_names(install: Install) -> None:
    brings = """
class Specs:
    @penstock.hookspec
    def penstock_paint(self, colour): ...

@penstock.hookimpl
def penstock_add_hookspecs(manager):
    manager.add_hookspecs(Specs)
"""
    paints = "@penstock.hookimpl\ndef penstock_paint(colour): return colour * 2"
    registry, records = load(install("zebra", brings), install("ant", paints))
    assert [record.error for record in records.values()] == [None] * 3
    assert registry.manager.hook.penstock_paint(colour="red") == ["redred"]
    _, alone = load(install("bee", paints), install("cat", paints.replace("hookimpl", "hookimpl(optionalhook=True)")))
    assert "nobody specifies" in (alone["bee"].error or "")
    assert alone["cat"].error is None


def test_the_kernel_is_a_plugin_like_any_other() -> None:
    _, records = load()
    assert records["kernel"].offers == {
        "executor": ("in-process",),
        "result": ("constant", "memory"),
        "serializer": ("json", "pickle"),
    }


def test_a_missing_plugin_is_named_with_what_to_install() -> None:
    with pytest.raises(ImportError) as caught:
        from penstock.run_configs import DockerRun  # type: ignore[attr-defined]  # noqa: F401 - importing it is what raises
    assert str(caught.value) == (
        "penstock.run_configs.DockerRun comes with the plugin penstock-docker, which is not installed.\n"
        "Try: pip install penstock-docker"
    )


def test_an_unknown_name_lists_what_there_is() -> None:
    import penstock.executors

    with pytest.raises(AttributeError, match=r"no attribute 'Thread'.*in-process"):
        _ = penstock.executors.Thread  # type: ignore[attr-defined]
    with pytest.raises(errors.UnknownTypeError, match=r'offers an executor "in-procss". Did you mean in-process\?'):
        Executor.resolve("in-procss")
    assert "InProcessExecutor" in dir(penstock.executors)


def test_a_spec_of_an_uninstalled_plugin_says_what_to_install() -> None:
    with pytest.raises(errors.PluginMissingError, match="pip install acme-fleet"):
        Executor.restore({"type": "armada", "options": {}, "distribution": "acme-fleet"})


def test_options_are_validated_by_the_classs_own_fields() -> None:
    class Fleet(Executor):
        type: ClassVar[str] = "fleet"
        positional: ClassVar[tuple[str, ...]] = ("ships",)
        ships: int = 1

        def open(self) -> Any:
            raise NotImplementedError

    class Offering:
        @hookimpl
        def penstock_register_executor(self) -> type[Executor]:
            return Fleet

    fleet: Any = Fleet

    assert fleet(3).ships == 3
    with pytest.raises(errors.SettingsError, match=r'executor "fleet" has no option "ship". Did you mean ships\?'):
        fleet(ship=3)
    with pytest.raises(errors.SettingsError, match=r'option "ships" of executor "fleet": .*integer.*found .many.'):
        fleet("many")
    with pytest.raises(TypeError, match="takes 1 positional"):
        fleet(1, 2)
    with observing(Offering()):
        assert Executor.resolve({"type": "fleet", "ships": 5}) == fleet(5)
        assert Executor.restore(fleet(7).spec()) == fleet(7)
        assert fleet(7).spec().model_dump() == {"type": "fleet", "options": {"ships": 7}, "distribution": None}


def test_an_option_that_cannot_be_data_is_an_error_that_names_its_class() -> None:
    class Fleet(Executor):
        type: ClassVar[str] = "fleet"
        ships: Any = None

        def open(self) -> Any:
            raise NotImplementedError

    for ships in (object(), b"\xff"):
        with pytest.raises(errors.SettingsError, match='An option of executor "fleet" cannot be data: '):
            Fleet(ships=ships).spec()


def test_the_registry_is_never_half_built() -> None:
    assert manager.registry() is manager.registry()
    assert set(manager.registry().offers) == set(lookup.FACADES)


def test_hookspec_and_hookimpl_are_public() -> None:
    assert penstock.hookspec is hookspec
    assert isinstance(penstock.testing, types.ModuleType)
