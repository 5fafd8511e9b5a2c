"""Random flows with random outcomes end as a few lines say that skips and triggers let them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Flow, Task, signals, triggers

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
