"""FilterTask: keeps some of the values of a list, such as those of a mapped task."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from penstock import triggers
from penstock.context import context
from penstock.tasks import Task

if TYPE_CHECKING:
    from typing import Unpack

    from penstock.tasks.options import NamedTaskArguments


def _is_value(value: Any) -> bool:
    return value is not None and not isinstance(value, Exception)


class FilterTask(Task):
    """Keeps the values that *filter_func* accepts; by default all but None and exceptions.

    So a mapped task some of whose children failed or were skipped goes on with the rest. It runs however its
    upstream tasks ended.
    """

    def __init__(
        self,
        filter_func: Callable[[Any], bool] | None = None,
        log_func: Callable[[list[Any]], str] | None = None,
        **options: "Unpack[NamedTaskArguments]",
    ) -> None:
        """Keep what *filter_func* accepts, and log what *log_func* says of it; takes the options of `Task`."""
        options.setdefault("trigger", triggers.all_finished)
        options.setdefault("skip_on_upstream_skip", False)
        super().__init__(**options)
        self.filter_func: Callable[[Any], bool] = filter_func or _is_value
        self.log_func: Callable[[list[Any]], str] | None = log_func

    def run(self, task_results: Iterable[Any]) -> list[Any]:
        """Return the values that are kept."""
        kept = [value for value in task_results if self.filter_func(value)]
        if self.log_func is not None:
            from penstock import logs

            (context.get("logger") or logs.task_logger()).info(self.log_func(kept))
        return kept
