"""Tasks: the nodes of a flow."""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, overload

from penstock import errors
from penstock.context import active_flow, context, within_blocks
from penstock.tasks.operators import Operators
from penstock.tasks.options import OPTION_NAMES, TaskOptions, checked_text, make_options
from penstock.tasks.signatures import Inputs, annotated_nout, call_signature

if TYPE_CHECKING:
    from typing import Unpack

    from penstock.flow import Flow
    from penstock.tasks.options import NamedTaskArguments, TaskArguments

_OWN_NAMES: Final = OPTION_NAMES | {"name"}


class Task(Operators):
    """A step of a flow. Subclass it and write `run`, or decorate a function with `@task`.

    A task is a definition: calling it in a flow adds a copy that is bound to the call's arguments. Copies share
    their options, so a task costs a hundred bytes. Equality is identity.
    """

    __slots__ = ("_inputs", "name", "options")

    reruns_on_restart: ClassVar[bool] = False
    """Whether a restarted run runs this task again though it has succeeded: what a resource needs, whose value died."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Warn of what hides an option, and let the constructor warn of tasks among its arguments."""
        super().__init_subclass__(**kwargs)
        for name in _OWN_NAMES.intersection(cls.__dict__):
            message = f"{cls.__name__} has an attribute {name!r}, which hides the option {name!r} of a task; rename it"
            warnings.warn(message, stacklevel=2)
        if "__init__" in cls.__dict__ and not cls.__module__.startswith("penstock."):
            cls.__init__ = _wary(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, name: str | None = None, **options: "Unpack[TaskArguments]") -> None:
        """Make a task; times are timedeltas or seconds. Raises TaskError or TypeError for options that do not fit.

        * *name*: the class's name by default; *slug* names the task in its flow, *task_run_name* its runs: a template
          (`"load {path}"`) or a function, filled from the inputs, the parameters and the context.
        * *max_retries*: attempts after the first, each after *retry_delay*, which may be a list with one delay for
          each, the last one for the rest, or a function of the attempt's number; *retry_on* limits them to these
          exceptions.
        * *timeout*: how long the body may take before the task ends as TimedOut.
        * *trigger*: one of `penstock.triggers`.
        * *result*: where the value is kept, an object, a type name or a table; `checkpoint=False` says that it is not.
          *target* is its address, a template or a function: if there is a value already, the task ends as Cached with
          it.
        * *cache_for*: how long a result serves later runs, where *cache_validator* accepts it (one of
          `penstock.cache_validators`); tasks with one *cache_key* share their results.
        * *log_stdout*: what the body prints is logged.
        * *nout*: how many values the body returns, so that `low, high = bounds()` can take them apart.
        """
        _set_name(self, checked_text(f"name of a {type(self).__name__}", name or type(self).__name__))
        if options.get("nout") is None:
            options["nout"] = annotated_nout(self.body())
        self.options: TaskOptions = make_options(f"task {self.name!r}", options, context.get("tags", ()))
        self._inputs: Inputs | None = None
        flow = active_flow.get()
        if flow is not None:
            flow._note(self)  # noqa: SLF001 - the graph's own two halves

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; a subclass defines this with the inputs it needs."""
        raise NotImplementedError(f"{type(self).__name__} has no run method; define one")

    def body(self) -> Callable[..., Any]:
        """Return the function that does the work."""
        return self.run

    @property
    def signature(self) -> Inputs:
        """The inputs that `run` takes."""
        if self._inputs is None:
            if type(self).run is Task.run:
                self.run()  # which says that there is none
            self._inputs = Inputs(self.body(), f"task {self.name!r}")
        return self._inputs

    def copy(self, **changes: Any) -> Self:
        """Return a copy, with other options or attributes where *changes* say so.

        Raises AttributeError for a name that the task does not have.
        """
        new = self._duplicate()
        for name, value in changes.items():
            if name not in OPTION_NAMES and not hasattr(self, name):
                message = f"task {self.name!r} has no attribute {name!r}.{errors.did_you_mean(name, OPTION_NAMES)}"
                raise AttributeError(message)
            setattr(new, name, value)
        return new

    def _add_tags(self, tags: Iterable[str]) -> None:
        if not self.options.tags.issuperset(tags):
            self.options = self.options.changed(f"task {self.name!r}", tags=self.options.tags.union(tags))

    def shared(self) -> list[object]:
        """Return what this task shares with its copies, and with no other task."""
        return [self.options] if self._inputs is None else [self.options, self._inputs]

    def _duplicate(self) -> Self:
        new = type(self).__new__(type(self))
        new.options, new.name, new._inputs = self.options, self.name, self._inputs  # noqa: SLF001 - of this class
        if hasattr(self, "__dict__"):
            new.__dict__.update(self.__dict__)
        return new

    def __call__(
        self, *args: Any, mapped: bool = False, task_args: Mapping[str, Any] | None = None,
        upstream_tasks: Iterable[Any] | None = None, flow: "Flow | None" = None, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Add a copy of this task to the flow, bound to the arguments, and return the copy.

        Arguments are tasks, whose values will be passed, or values. *task_args* are options for the copy;
        *upstream_tasks* are waited for. Raises FlowError outside of a flow, TypeError for arguments that `run`
        does not take.
        """
        graph = where(self, flow)
        keys, values = self.signature.bind(args, kwargs)
        new = self.copy(**task_args) if task_args else self._duplicate()
        return new._join(graph, flow, keys, values, upstream_tasks, mapped)  # noqa: SLF001 - of this class

    def bind(
        self, *args: Any, mapped: bool = False, upstream_tasks: Iterable[Any] | None = None,
        flow: "Flow | None" = None, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Bind this task itself, not a copy, to the arguments, and return it."""
        return self._join(where(self, flow), flow, *self.signature.bind(args, kwargs), upstream_tasks, mapped)

    def _join(self, graph: Any, flow: "Flow | None", keys: Any, values: Any, after: Any, mapped: bool) -> Self:
        tags = graph._tags if flow is None else context.get("tags")  # noqa: SLF001 - the graph's own two halves
        if tags:
            self._add_tags(tags)
        graph._bind(self, keys, values, after, mapped)  # noqa: SLF001 - as above
        return self

    def map(
        self, *args: Any, task_args: Mapping[str, Any] | None = None, upstream_tasks: Iterable[Any] | None = None,
        flow: "Flow | None" = None, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Add a copy that runs once for each item of the arguments; mark those to pass whole with `unmapped`."""
        new = self.copy(**(task_args or {}))
        if new.options.nout is not None and "nout" not in (task_args or {}):
            new.nout = None  # its value is a list now, of as many as there are children
        return new.bind(*args, mapped=True, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def set_upstream(
        self, task: Any, flow: "Flow | None" = None, key: str | None = None, *, mapped: bool = False
    ) -> Self:
        """Let this task wait for *task* and, with *key*, take its value."""
        where(self, flow).add_edge(task, self, key=key, mapped=mapped)
        return self

    def set_downstream(
        self, task: "Task", flow: "Flow | None" = None, key: str | None = None, *, mapped: bool = False
    ) -> Self:
        """Let *task* wait for this one and, with *key*, take its value."""
        where(self, flow).add_edge(self, task, key=key, mapped=mapped)
        return self

    def set_dependencies(
        self, flow: "Flow | None" = None, *, upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None, keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
    ) -> Self:  # fmt: skip
        """Set several dependencies of this task at once, as `Flow.set_dependencies` does."""
        where(self, flow).set_dependencies(self, upstream_tasks, downstream_tasks, keyword_tasks, mapped=mapped)
        return self

    def inputs(self) -> dict[str, dict[str, Any]]:
        """Return for each input its `type`, `default` and whether it is `required`, as `run` declares it."""
        return {
            name: {
                "type": Any if parameter.annotation is parameter.empty else parameter.annotation,
                "default": None if parameter.default is parameter.empty else parameter.default,
                "required": parameter.default is parameter.empty,
            }
            for name, parameter in inspect.signature(self.body()).parameters.items()
        }

    def outputs(self) -> Any:
        """Return the type that `run` is annotated to return, or Any."""
        returned = inspect.signature(self.body()).return_annotation
        return Any if returned is inspect.Signature.empty else returned

    def __getattr__(self, name: str) -> Any:
        """Return an option as if it were an attribute, `task.max_retries`; the task's `logger`; what a call takes."""
        if name in OPTION_NAMES:
            return getattr(self.options, name)
        if name == "logger":
            from penstock import logs  # structlog takes long to import

            return logs.get_logger(f"penstock.task.{self.name}")
        if name == "__signature__":
            return call_signature(self.body(), type(self).__call__)
        why = "; its __init__ has to call super().__init__()" if name in {"signature", *Task.__slots__} else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{why}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an option or an attribute."""
        if name in _OWN_NAMES and not hasattr(self, "options"):
            message = f"{type(self).__name__} sets {name!r} before Task.__init__, which sets it anew"
            warnings.warn(f"{message}; pass it on to that", stacklevel=2)
        elif name in OPTION_NAMES:
            self.options = self.options.changed(f"task {self.name!r}", **{name: value})
        else:
            object.__setattr__(self, name, value)

    def __setstate__(self, state: tuple[dict[str, Any] | None, dict[str, Any]]) -> None:
        """Unpickle attributes and slots as they were."""
        for values in state:
            for name, value in (values or {}).items():
                object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Task: {self.name}>"


class FunctionTask(Task):
    """A task whose work is a function; made by `@task`."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: "Unpack[TaskArguments]") -> None:
        """Make a task of *fn*, named after it."""
        if not callable(fn):
            raise TypeError(f"@task needs a function; found {fn!r}. Options go by name: @task(name=...)")
        self.fn: Callable[..., Any] = fn
        super().__init__(name=name or getattr(fn, "__name__", type(fn).__name__), **options)
        self._inputs = Inputs(fn, f"task {self.name!r}")

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the bare function."""
        return self.fn(*args, **kwargs)

    def body(self) -> Callable[..., Any]:
        """Return the bare function."""
        return self.fn

    def _duplicate(self) -> Self:
        new = _new(type(self))
        _set_name(new, self.name)
        _set_options(new, self.options)
        _set_inputs(new, self._inputs)
        _set_fn(new, self.fn)
        return new

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # the function's own, for help()
        """The function's docstring."""
        return inspect.getdoc(self.fn)


_new = object.__new__
# Writing a slot through its descriptor costs a quarter of what __setattr__ with its look at the options does.
_set_name, _set_options, _set_inputs = (Task.__dict__[slot].__set__ for slot in ("name", "options", "_inputs"))
_set_fn = FunctionTask.__dict__["fn"].__set__


@overload
def task(fn: Callable[..., Any], /) -> FunctionTask: ...
@overload
def task(**options: "Unpack[NamedTaskArguments]") -> Callable[[Callable[..., Any]], FunctionTask]: ...
def task(
    fn: Callable[..., Any] | None = None, /, **options: "Unpack[NamedTaskArguments]"
) -> FunctionTask | Callable[..., FunctionTask]:
    """Make a task of a function: `@task`, or `@task(max_retries=3, retry_delay=10)`.

    Takes the options of `Task`. Raises TaskError for a function whose inputs a flow cannot fill.
    """
    return functools.partial(FunctionTask, **options) if fn is None else FunctionTask(fn, **options)


def where(task: Task, flow: "Flow | None") -> Any:
    """Return *flow* or the active one, to which *task* is to be added; raises FlowError if there is neither."""
    graph = active_flow.get() if flow is None else within_blocks(flow)
    if graph is None:
        message = f"{task!r} was called outside of a flow. Call it inside `with Flow(...):`, pass flow="
        raise errors.FlowError(f"{message}, or run its function alone: {task.name}.run(...)")
    return graph


def _wary(construct: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that warns of a task among its arguments: tasks are for the call, where values pass."""

    @functools.wraps(construct)
    def init(self: Task, *args: Any, **kwargs: Any) -> None:
        if any(isinstance(argument, Task) for argument in (*args, *kwargs.values())):
            kind = type(self).__name__
            message = f"{kind}(...) was given a task, whose value is not known before the flow runs"
            how = f"Make the task first and give it its inputs after: {kind}(options)(task)"
            warnings.warn(f"{message}. {how}", stacklevel=2)
        construct(self, *args, **kwargs)

    return init
