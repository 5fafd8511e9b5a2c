"""Where penstock ends a flow otherwise than Prefect 1.4.1 does, and why: the whole list.

`test_classic.py` fails for a difference that is not listed, and for one that is listed and no longer there.
"""

from typing import Any, Final

EVERYWHERE: Final[list[tuple[Any, Any, str]]] = [
    ({"exception": "SKIP"}, None, "what is skipped without a result has none; there its result is the signal itself"),
    (
        "BaseException",
        "TimeoutError",
        "a timeout is a TimeoutError; there it is a BaseException of its own",
    ),
]
"""A value there, what stands in its place here, and why."""

_REFUSED: Final = "a flow that cannot run raises from flow.run before anything has run; there the run ends as failed"
_FLATTENED: Final = "counts the children; there it counts what the upstream task had before it was flattened"
_STATES_LOST: Final = "the state comes back; there flow.run stumbles over one whose result is not the tasks' states"

_GATHERED: Final = "a dictionary is gathered by one task; there a list gathers its values before"

_ONCE: Final = "a time is told once; there as often as there are events at it"
_PLACE: Final = "where no input is compared a result serves its own flow, task and child, unless a cache_key shares it"
DIFFERENCES: Final[dict[str, dict[str, str]]] = {
    "building.failing_to_run_inside_the_block": {
        "notes[0]": "what is wrong with a flow is a FlowError, which is a ValueError; there this is a RuntimeError",
    },
    "caching.by_name_in_another_flow": {
        "notes": _PLACE,
        "runs[1].tasks.same name-1.result": _PLACE,
    },
    "building.in_a_circle": {"raised": _REFUSED, "runs": _REFUSED},
    "building.tasks_that_are_added_and_not_called": {"raised": _REFUSED, "runs": _REFUSED},
    "collections_operators.dictionaries": {"runs[0].tasks.List-1": _GATHERED},
    "collections_operators.nested_collections": {
        f"runs[0].tasks.List-{number}": "lists in lists are numbered from the inside; there from the outside"
        for number in (1, 2, 4)
    },
    "flatten.children_one_of_which_failed": {"runs[0].tasks.inc-1.n_map_states": _FLATTENED},
    "flatten.mapped_children": {"runs[0].tasks.inc-1.n_map_states": _FLATTENED},
    "flatten.maps_of_flattened_maps": {
        "runs[0].tasks.add-1.n_map_states": _FLATTENED,
        "runs[0].tasks.upto-2.n_map_states": _FLATTENED,
    },
    "handlers.a_flows_end_is_replaced_without_the_tasks_states": {"raised": _STATES_LOST, "runs": _STATES_LOST},
    "handlers.a_flows_handler_raises_a_signal": {"raised": _STATES_LOST, "runs": _STATES_LOST},
    "handlers.what_a_flows_handler_is_told_first": {
        "notes[0][1]": "a run that begins at once was Pending; there it was Scheduled for now, which is Pending too",
    },
    "mapping.over_a_dictionary": {
        "runs[0]": "a dictionary is not mappable and fails its task; there it fails the whole run with a KeyError",
    },
    "parameters.inside_collections": {
        "runs[0].tasks.List-2": _GATHERED,
        "runs[1].tasks.List-2": _GATHERED,
    },
    "parameters.one_that_nothing_uses": {
        "runs[0].tasks.x": "a parameter made in the block of a flow is one of the flow's; there only once it is used",
    },
    "resources.in_two_flows": {
        "notes[0]": "inside a block, tasks join the flow that the block is of; there that is an error",
    },
    "schedules.a_weekend_that_is_put_off": {"notes": _ONCE},
    "schedules.adjusted": {
        "notes[2]": "what an adjustment moves past the moment asked about is due; there it is lost",
    },
    "schedules.dates_of_one_month_that_end_before_they_begin": {
        "notes": "the rest of the year lies between the two; there nothing does if both are in one month",
    },
    "schedules.times_of_clocks_that_meet": {"notes": _ONCE},
    "schedules.what_has_another_type": {
        f"notes[{number}]": "an option that does not fit is a SettingsError, which is a ValueError"
        for number in range(3)
    },
    "signals_loops.exceptions_beyond_exception": {
        "raised": "sys.exit() in a task fails that task; there it ends the process in the middle of the run",
        "runs": "sys.exit() in a task fails that task; there it ends the process in the middle of the run",
    },
    "task_states.a_mapped_state_with_some_children_ended": {
        "runs[0].tasks.counted-1.means": "a mapped task whose children went on says so; there it keeps its first state",
    },
}
"""By scenario, then by the place in its outcome, whatever lies below that place included."""
