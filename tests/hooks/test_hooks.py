"""Each hook of the kernel, implemented once: a test named after it."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import penstock
from penstock import Flow, errors, hookimpl, task
from penstock.backends import Backend
from penstock.executors import Executor
from penstock.hooks import calls, manager, observing, specs
from penstock.hooks.kinds import Kind
from penstock.results import Result
from penstock.run_configs import RunConfig
from penstock.schedulers import Scheduler
from penstock.schedules import Schedule
from penstock.serializers import Serializer
from penstock.spec import FlowSpec
from penstock.states import State, Success
from penstock.storage import Storage

HOOKS = sorted(name for name in vars(specs) if name.startswith("penstock_"))


@task
def one() -> int:
    return 1


@task
def double(x: int) -> int:
    return x * 2


def test_every_hook_has_a_test_named_after_it() -> None:
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    tests = {node.name.removeprefix("test_") for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert set(HOOKS) <= tests


def offered(kind: type[Kind], facade: Any) -> None:
    """Offer a class of *kind* and find it by type, by name, and from its spec."""

    class Acme(kind):  # type: ignore[valid-type, misc]  # any of the kinds
        type: ClassVar[str] = "acme"
        address: str = "here"

    Acme.__abstractmethods__ = frozenset()

    class Plugin:
        pass

    setattr(Plugin, f"penstock_register_{kind.kind}", staticmethod(hookimpl(_offer(Acme, kind.kind))))
    with pytest.raises(AttributeError):
        _ = facade.Acme
    with observing(Plugin(), "acme"):
        assert facade.Acme is Acme
        assert kind.resolve("acme").address == "here"  # type: ignore[attr-defined]
        assert kind.restore(Acme(address="there").spec()) == Acme(address="there")
        for wrong, example in ((Acme, r"an object such as Acme\(\)"), (5, "an object")):
            with pytest.raises(errors.SettingsError, match=f"{kind.kind} cannot be .*{example}, a type name, a URL"):
                kind.resolve(wrong)  # type: ignore[arg-type]
    with pytest.raises(errors.UnknownTypeError):
        kind.resolve("acme")


def _offer(offer: Any, kind: str) -> Any:
    def implementation() -> Any:
        return {"acme": offer}

    implementation.__name__ = f"penstock_register_{kind}"
    return implementation


def test_penstock_register_storage() -> None:
    offered(Storage, penstock.storage)


def test_penstock_register_result() -> None:
    offered(Result, penstock.results)


def test_penstock_register_serializer() -> None:
    offered(Serializer, penstock.serializers)


def test_penstock_register_executor() -> None:
    offered(Executor, penstock.executors)


def test_penstock_register_schedule() -> None:
    offered(Schedule, penstock.schedules)


def test_penstock_register_scheduler() -> None:
    offered(Scheduler, penstock.schedulers)


def test_penstock_register_run_config() -> None:
    offered(RunConfig, penstock.run_configs)


def test_penstock_register_backend() -> None:
    offered(Backend, penstock.backends)


def test_penstock_add_hookspecs() -> None:
    class Specs:
        @penstock.hookspec
        def penstock_paint(self, colour: str) -> str:
            """Return the colour, painted."""
            return colour

    class Plugin:
        @hookimpl
        def penstock_add_hookspecs(self, manager: Any) -> None:
            manager.add_hookspecs(Specs)

        @hookimpl
        def penstock_paint(self, colour: str) -> str:
            return colour * 2

    with observing(Plugin()):
        assert manager.registry().manager.hook.penstock_paint(colour="red") == ["redred"]


def test_penstock_log_processors() -> None:
    class Plugin:
        @hookimpl
        def penstock_log_processors(self) -> list[Any]:
            return [str.upper, str.lower]

    with observing(Plugin()):
        assert calls.log_processors() == [str.upper, str.lower]
    assert str.upper not in calls.log_processors()


def test_penstock_draw_flow() -> None:
    class Plugin:
        @hookimpl(tryfirst=True)
        def penstock_draw_flow(self, flow: Flow, horizontal: bool) -> str:
            return f"{flow.name} {horizontal}"

    with observing(Plugin()):
        assert str(Flow("drawn").visualize(horizontal=True)) == "drawn True"


def test_penstock_diagnose() -> None:
    class Plugin:
        @hookimpl(tryfirst=True)
        def penstock_diagnose(self, flow: Flow) -> str:
            return flow.name

    with observing(Plugin()):
        assert Flow("asked").diagnostics() == "asked"


def test_penstock_render_html() -> None:
    class Plugin:
        @hookimpl(tryfirst=True)
        def penstock_render_html(self, subject: State | Flow) -> str:
            return subject.name if isinstance(subject, Flow) else subject.type

    with observing(Plugin()):
        assert Success()._repr_html_() == "Success"
        assert Flow("shown")._repr_html_() == "shown"


def test_penstock_flow_registered(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []

    class Plugin:
        @hookimpl
        def penstock_flow_registered(self, project: str, spec: FlowSpec) -> None:
            told.append((project, spec.name))
            raise ZeroDivisionError

    with observing(Plugin(), "angry"):
        calls.flow_registered(FlowSpec(name="hello"), "tutorial", 1)
    assert told == [("tutorial", "hello")]
    assert "The observer of the plugin angry raised" in caplog.text


class Watcher:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def penstock_task_run_state(self, new: Any, run: Any) -> None:
        self.seen.append(f"{run.name} {new.type}")

    @hookimpl
    def penstock_flow_run_state(self, run: Any, old: Any, new: Any) -> None:
        self.seen.append(f"{run.flow_name}: {old.type} {new.type}")


def test_penstock_show_progress() -> None:
    shown: list[str] = []

    class View:
        @hookimpl(tryfirst=True)
        @contextmanager
        def penstock_show_progress(self, flow: Flow) -> Iterator[None]:
            shown.append(f"{flow.name} begins")
            yield
            shown.append(f"{flow.name} ends")

    with Flow("shown") as flow:
        one()
    with observing(View()):
        assert flow.run(progress=True).is_successful()
        assert flow.run().is_successful()
    assert shown == ["shown begins", "shown ends"]


def test_without_a_plugin_that_shows_progress_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_registry", manager.Registry())
    with pytest.raises(errors.PluginMissingError, match=r"progress of a run needs.*\nTry: pip install penstock-cli"):
        Flow("unseen").run(progress=True)


def test_penstock_flow_run_state() -> None:
    watcher = Watcher()
    with observing(watcher):
        Flow("empty").run()
    assert watcher.seen == ["empty: Pending Running", "empty: Running Success"]
    Flow("empty").run()
    assert len(watcher.seen) == 2


def test_penstock_task_run_state(caplog: pytest.LogCaptureFixture) -> None:
    class Angry:
        @hookimpl
        def penstock_task_run_state(self) -> None:
            raise ZeroDivisionError

    watcher = Watcher()
    with Flow("watched") as flow:
        double.map([one(), 1])
    with observing(watcher), observing(Angry(), "angry"):
        assert flow.run().is_successful()
    assert watcher.seen == [
        "watched: Pending Running",
        "one Running",
        "one Success",
        "List Running",
        "List Success",
        "double[0] Running",
        "double[0] Success",
        "double[1] Running",
        "double[1] Success",
        "double Mapped",
        "watched: Running Success",
    ]
    assert "The observer of the plugin angry raised" in caplog.text


def test_penstock_propose_state() -> None:
    class Policy:
        @hookimpl
        def penstock_propose_state(self, new: Any) -> Any:
            return penstock.states.Skipped("not today", 9) if new.is_successful() else None

    with Flow("proposed") as flow:
        proposed = one()
    with observing(Policy()):
        state = flow.run()
    assert state.result[proposed].is_skipped()
    assert state.result[proposed].result == 9


def test_penstock_secret() -> None:
    class Safe:
        @hookimpl
        def penstock_secret(self, name: str) -> str | None:
            return "from the safe" if name == "KEPT" else None

    with observing(Safe()):
        assert penstock.Secret("KEPT").get() == "from the safe"
        assert not penstock.Secret("LOST").exists()
    assert not penstock.Secret("KEPT").exists()


def test_penstock_run_task() -> None:
    around: list[Any] = []

    class Wrapper:
        @hookimpl(wrapper=True)
        def penstock_run_task(self, run: Any, inputs: Any) -> Any:
            around.append((run.name, dict(inputs)))
            value = yield
            return value * 10

    with Flow("wrapped") as flow:
        alone, mapped = double(1), double.map([2, 3])
    with observing(Wrapper()):
        state = flow.run()
    assert (state.result[alone].result, state.result[mapped].result) == (20, [40, 60])
    assert around == [("double", {"x": 1}), ("double[0]", {"x": 2}), ("double[1]", {"x": 3})]


@pytest.mark.parametrize("executor", ["in-process", "threads", "processes"])
def test_who_watches_is_told_of_each_child_of_a_map_from_beginning_to_end(executor: str) -> None:
    told: dict[Any, list[str]] = {}

    class Plugin:
        @hookimpl
        def penstock_task_run_state(self, run: Any, old: State, new: State) -> None:
            told.setdefault((run.slug, run.map_index), []).append(f"{old.type} → {new.type}")

    @task
    def half(x: int) -> float:
        return 1 / x

    with Flow("watched") as flow:
        double.map(half.map([1, 0, 2]))
    with observing(Plugin(), "watcher"):
        assert flow.run(executor=executor).is_failed()
    well, badly = ["Pending → Running", "Running → Success"], ["Pending → Running", "Running → Failed"]
    assert [told["half-1", child] for child in range(3)] == [well, badly, well]
    assert [told["double-1", child] for child in range(3)] == [well, ["Pending → TriggerFailed"], well]
    assert told["half-1", None] == told["double-1", None]
