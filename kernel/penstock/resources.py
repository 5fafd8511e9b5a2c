"""Resources that a part of a flow needs: set up before it, cleaned up after it, however it ended."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, overload

from penstock import errors, signals
from penstock.blocks import Block
from penstock.edges import Binding
from penstock.tasks import FunctionTask, Task

if TYPE_CHECKING:
    from penstock.edges import Edge
    from penstock.flow import Flow
    from penstock.states import State


class ResourceTask(FunctionTask):  # pyright: ignore[reportIncompatibleMethodOverride]  # __doc__ is its own
    """A task whose value dies with its process."""

    reruns_on_restart: ClassVar[bool] = True


class ResourceInit(ResourceTask):
    """Makes the manager: calls its class, whose arguments are the task's inputs."""


class ResourceCleanup(ResourceTask):
    """Cleans the resource up."""


def _set_up(mgr: Any) -> Any:
    return mgr.setup()


def _clean_up(mgr: Any, resource: Any = None) -> None:
    mgr.cleanup(resource)


def resource_cleanup_trigger(upstream_states: "Mapping[Edge, State]") -> bool:
    """Run once all has ended, if there is something to clean up: the manager was made and set its resource up."""
    for edge, state in upstream_states.items():
        if not state.is_finished():
            raise signals.TRIGGERFAIL(f"{edge.upstream_task.name} did not finish, so its resource is not cleaned up")
        if edge.key is not None and (state.is_skipped() or not state.is_successful()):
            raise signals.SKIP(f"{edge.upstream_task.name} did not succeed, so there is nothing to clean up")
    return True


@dataclass(repr=False)
class ResourceManager:
    """Makes blocks whose tasks use what *resource_class* makes; made by `@resource_manager`."""

    resource_class: Callable[..., Any]
    name: str = ""
    init_task_kwargs: Mapping[str, Any] = field(default_factory=dict)
    setup_task_kwargs: Mapping[str, Any] = field(default_factory=dict)
    cleanup_task_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Name what is not named; raises TaskError for a class that cleans nothing up."""
        if isinstance(self.resource_class, type) and not hasattr(self.resource_class, "cleanup"):
            raise errors.TaskError(f"{self.resource_class.__name__} has no method cleanup(self, resource); define one")
        self.name = self.name or str(getattr(self.resource_class, "__name__", "resource"))
        named = {"name": f"{self.name}.cleanup", "trigger": resource_cleanup_trigger, "skip_on_upstream_skip": False}
        self.init_task_kwargs = {"name": self.name, **self.init_task_kwargs}
        self.setup_task_kwargs = {"name": f"{self.name}.setup", "checkpoint": False, **self.setup_task_kwargs}
        self.cleanup_task_kwargs = {**named, "checkpoint": False, **self.cleanup_task_kwargs}

    def __call__(self, *args: Any, flow: "Flow | None" = None, **kwargs: Any) -> "ResourceBlock":
        """Add the tasks that make and set up a resource, and return the block to enter; arguments may be tasks."""
        return ResourceBlock(self, args, kwargs, flow)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<ResourceManager: {self.name}>"


class ResourceBlock(Block):
    """A block whose tasks run while a resource is there: `with Cluster(3) as cluster:`.

    Tasks inside that wait for no other inside wait for the set-up; the clean-up waits for the last of them. Entering
    it gives the set-up task, or None if the manager has no `setup`.
    """

    def __init__(
        self, manager: ResourceManager, args: tuple[Any, ...], kwargs: dict[str, Any], flow: "Flow | None"
    ) -> None:
        """Add the tasks that make and set up the resource."""
        super().__init__(flow)
        self._name = manager.name
        where = self._choose_flow()
        made = ResourceInit(manager.resource_class, **manager.init_task_kwargs).bind(*args, flow=where, **kwargs)
        self.init_task: Task = made
        self.setup_task: Task | None = None
        if hasattr(manager.resource_class, "setup"):
            self.setup_task = ResourceTask(_set_up, **manager.setup_task_kwargs).bind(made, flow=where)
        self.cleanup_task: Task = ResourceCleanup(_clean_up, **manager.cleanup_task_kwargs)

    def __enter__(self) -> Task | None:
        """Begin, and return the task whose value is the resource."""
        self._open()
        return self.setup_task

    def __exit__(self, *exception: object) -> None:
        """End: add the clean-up, and let each task inside stand between set-up and clean-up."""
        inside = self._close()
        waited = {upstream for task in inside for upstream in self.upstream(task)}
        last = [task for task in inside if task not in waited]
        for task in self._first(inside):
            if self.setup_task is not None and self.setup_task not in self.upstream(task):
                self.flow._bind_more(task, Binding(after=(self.setup_task,)))  # noqa: SLF001 - the graph's own two halves
        resource = () if self.setup_task is None else (self.setup_task,)
        self.cleanup_task.bind(self.init_task, *resource, upstream_tasks=last, flow=self.flow)

    def __repr__(self) -> str:
        """Show the manager's name."""
        return f"<block of resource {self._name}>"


@overload
def resource_manager(resource_class: Callable[..., Any], /) -> ResourceManager: ...
@overload
def resource_manager(**options: Any) -> Callable[[Callable[..., Any]], ResourceManager]: ...
def resource_manager(
    resource_class: Callable[..., Any] | None = None, /, **options: Any
) -> ResourceManager | Callable[[Callable[..., Any]], ResourceManager]:
    """Make a resource manager of a class with `cleanup(resource)` and, if something is to be set up, `setup()`.

    Its block adds a task that calls the class, one that calls `setup` and one that calls `cleanup`; the clean-up runs
    if the first two succeeded, whatever became of the tasks inside. None of the three decides how a run ends, but for
    a set-up that nothing uses. Takes the options of `ResourceManager`: `name`, and for each of the three tasks its
    own options, as `init_task_kwargs`, `setup_task_kwargs` and `cleanup_task_kwargs`.
    """
    return functools.partial(ResourceManager, **options) if resource_class is None else ResourceManager(resource_class)
