"""Random flows with random outcomes end as a few lines say that skips and triggers let them."""

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Flow, Task, clock, context, flatten, signals, triggers
from penstock.states import Mapped, State
from penstock.testing.clocks import VirtualClock

ENDS = ["Success", "Failed", "Skipped"]
RULES: dict[str, Any] = {
    "all_successful": lambda failed, total: failed == 0,
    "all_failed": lambda failed, total: failed == total,
    "any_successful": lambda failed, total: total == 0 or failed < total,
    "any_failed": lambda failed, total: total == 0 or failed > 0,
    "all_finished": lambda failed, total: True,
}


class Outcome(Task):
    """Ends as it is told to."""

    def __init__(self, end: str, **options: Any) -> None:
        super().__init__(**options)
        self.end = end

    def run(self) -> str:
        if self.end == "Failed":
            raise ValueError(self.end)
        if self.end == "Skipped":
            raise signals.SKIP(self.end)
        return self.end


def model(end: str, rule: str, above: list[str], *, skips: bool = True) -> str:
    """Return how a task ends, by the rules as the documentation states them."""
    if skips and "Skipped" in above:
        return "Skipped"
    failed = sum(one in {"Failed", "TriggerFailed"} for one in above)
    return end if RULES[rule](failed, len(above)) else "TriggerFailed"


node = st.tuples(st.sampled_from(ENDS), st.sampled_from(sorted(RULES)), st.booleans(), st.lists(st.integers(0, 7)))


@settings(max_examples=300, deadline=None)
@given(st.lists(node, max_size=8), st.sampled_from(["in-process", "threads"]), st.randoms(use_true_random=False))
def test_random_flows_end_as_the_rules_say(nodes: list[Any], executor: str, random: Any) -> None:
    flow = Flow("random")
    tasks: list[Task] = []
    expected: list[str] = []
    for end, rule, skips, links in nodes:
        task = Outcome(end, trigger=getattr(triggers, rule), skip_on_upstream_skip=skips)
        above = sorted({link % len(tasks) for link in links}) if tasks else []
        tasks.append(task)
        expected.append(model(end, rule, [expected[other] for other in above], skips=skips))
        flow.add_task(task)
        for other in above:
            flow.add_edge(tasks[other], task)
    shuffled = Flow("shuffled", tasks=random.sample(tasks, len(tasks)), edges=list(flow.edges))
    for one in (flow, shuffled):
        state = one.run(executor=executor)
        assert [state.result[task].type for task in tasks] == expected
        ends = [state.result[task] for task in one.reference_tasks()]
        assert state.is_failed() == any(end.is_failed() for end in ends)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(ENDS), max_size=6),
    st.lists(st.sampled_from(sorted(RULES)), min_size=1, max_size=3),
    st.sampled_from(["in-process", "threads"]),
)
def test_maps_of_maps_end_child_by_child_as_the_rules_say(ends: list[str], rules: list[str], executor: str) -> None:
    class Child(Task):
        def run(self, end: str) -> str:
            return Outcome(end).run()

    class Below(Task):
        def run(self, above: Any) -> str:
            return "Success"

    with Flow("maps") as flow:
        stages: list[Task] = [Child().map(ends)]
        for rule in rules:
            stages.append(Below(trigger=getattr(triggers, rule)).map(stages[-1]))
    states = flow.run(executor=executor).result
    expected = list(ends)
    for rule, stage in zip(["", *rules], stages, strict=True):
        expected = [model("Success", rule, [end]) for end in expected] if rule else expected
        assert [child.type for child in states[stage].map_states] == expected


class Deed(Task):
    """Does with its input what its name says, and counts the attempts of each round of each of its runs."""

    def __init__(self, name: str, done: Counter[Any], **options: Any) -> None:
        super().__init__(name=name, **options)
        self.done = done

    def run(self, x: Any) -> Any:
        round_of_loop = context.get("task_loop_count", 1)
        self.done[context.task_slug, context.map_index, context.task_run_count, round_of_loop] += 1
        odd = len(repr(x)) % 2
        if self.name == "fail" and odd:
            raise ValueError("odd")
        if self.name == "skip" and odd:
            raise signals.SKIP("odd")
        if self.name.startswith("retry") and context.task_run_count == 1:
            raise ValueError("not yet")
        if self.name == "loop" and round_of_loop < 2 + odd:
            raise signals.LOOP(result=round_of_loop)
        return [x, [x]] if self.name == "lists" else x


OPTIONS: dict[str, dict[str, Any]] = {
    "pass": {},
    "lists": {},
    "fail": {},
    "skip": {},
    "loop": {},
    "retry at once": {"max_retries": 1, "retry_delay": timedelta()},
    "retry later": {"max_retries": 1, "retry_delay": timedelta(hours=1)},
}
PASSING: dict[str, Any] = {
    "whole": lambda task, flow, above: task.bind(above, flow=flow),
    "mapped": lambda task, flow, above: task.bind(above, mapped=True, flow=flow),
    "flat": lambda task, flow, above: task.bind(flatten(above), mapped=True, flow=flow),
}
deed = st.tuples(
    st.sampled_from([*OPTIONS, "retry later"]),
    st.sampled_from([*["all_successful"] * 5, *sorted(RULES)]),
    st.booleans(),
    st.sampled_from(["mapped", "mapped", *PASSING]),
    st.sampled_from([1, 1, 1, 2, 3, 4]),
    st.none() | st.integers(1, 4),
)
"""A deed with its trigger, whether it is skipped with what is above, how its input passes, and how many tasks before it
are that input and another that it waits for."""


def told(state: State) -> Any:
    """Return what can be compared of a state: its type and value, those of its children, the types of exceptions."""
    if isinstance(state, Mapped):
        return state.type, [told(child) for child in state.map_states]
    return state.type, repr(state.result)


@settings(max_examples=300, deadline=None)
@given(st.lists(deed, min_size=1, max_size=6))
def test_random_flows_end_the_same_in_process_as_on_threads(deeds: list[Any]) -> None:
    flow, done = Flow("deeds"), Counter[Any]()
    tasks: list[Task] = [Deed("pass", done).bind([1, 22, [3, 3]], flow=flow)]
    for name, rule, skips, passing, link, after in deeds:
        task = Deed(name, done, trigger=getattr(triggers, rule), skip_on_upstream_skip=skips, **OPTIONS[name])
        above = tasks[-min(link, len(tasks))]
        PASSING[passing](task, flow, above)
        if after is not None and (other := tasks[-min(after, len(tasks))]) is not above:
            task.set_upstream(other, flow=flow)
        tasks.append(task)
    ends = []
    for executor in ("in-process", "threads"):
        done.clear()
        with clock.use(VirtualClock()):
            state = flow.run(executor=executor)
        ends.append((state.type, [told(state.result[task]) for task in tasks], dict(done)))
    assert ends[0] == ends[1]
    assert set(done.values()) <= {1}
