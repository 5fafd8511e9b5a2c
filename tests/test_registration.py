"""What `flow.register()` does, refuses and returns."""

import pytest

from penstock import Flow, Parameter, errors, get_backend, task
from penstock.results import LocalResult
from penstock.run_configs import LocalRun
from penstock.schedules import CronSchedule
from penstock.storage import Local


@task
def shout(word: str = "hello") -> str:
    return word.upper()


def greeting(**options: object) -> Flow:
    with Flow("greeting", **options) as flow:  # type: ignore[arg-type]
        shout()
    return flow


def test_registering_returns_the_flows_id_and_each_time_makes_a_version() -> None:
    first, second = greeting().register("house"), greeting().register("house", labels=["gpu"])
    registered = get_backend().get_flow("house", "greeting")
    assert first != second == registered.id
    assert (registered.version, registered.spec["labels"]) == (2, ["gpu"])


def test_with_the_key_of_the_version_before_nothing_is_registered() -> None:
    first = greeting().register("house", idempotency_key="one")
    assert greeting().register("house", idempotency_key="one") == first
    assert greeting().register("house", idempotency_key="two") != first


def test_a_flow_without_a_storage_gets_the_default_one_with_the_options_given() -> None:
    flow = greeting()
    flow.register("house", labels=["a"], stored_as_script=False)
    assert flow.storage is not None
    assert flow.storage.type == "local"
    with pytest.raises(errors.SettingsError, match=r'no option "no_url"'):
        greeting().register("house", no_url=True)


def test_options_go_over_those_of_the_flows_storage_and_unknown_ones_are_refused() -> None:
    flow = greeting(storage=Local(labels={"disk"}))
    flow.register("house", stored_as_script=False)
    assert isinstance(flow.storage, Local)
    assert (flow.storage.labels, flow.storage.stored_as_script) == ({"disk"}, False)
    with pytest.raises(errors.SettingsError, match=r'storage "local" has no option "label"\. Did you mean labels\?'):
        flow.register("house", label=["gpu"])
    assert get_backend().get_flow("house", "greeting").version == 1


def test_a_run_config_may_be_named_and_what_is_none_is_refused() -> None:
    assert greeting(run_config="local").serialize().run_config == LocalRun().spec()
    with pytest.raises(errors.SettingsError, match="run_config cannot be 5; expected an object"):
        greeting(run_config=5).register("house")


def test_a_project_whose_name_has_a_slash_is_refused() -> None:
    with pytest.raises(TypeError, match=r"found 'house/left'.*PROJECT/NAME, so that it has no slash"):
        greeting().register("house/left")
    assert get_backend().list_projects() == []


def test_its_schedule_may_be_registered_as_paused() -> None:
    greeting(schedule=CronSchedule("@daily")).register("house", set_schedule_active=False)
    assert not get_backend().get_flow("house", "greeting").schedule_active


def test_a_flow_that_cannot_run_by_its_schedule_is_refused_and_nothing_is_kept() -> None:
    with Flow("needs a word", schedule=CronSchedule("@daily")) as flow:
        shout(Parameter("word"))
    with pytest.raises(errors.ScheduleError, match=r'"needs a word" cannot run by its schedule.* word'):
        flow.register("house")
    assert get_backend().list_projects() == []
    flow.schedule = None
    assert flow.register("house")


def test_a_clock_that_gives_what_is_no_parameter_is_refused() -> None:
    with Flow("one word", schedule=CronSchedule("@daily", parameter_defaults={"wort": "hallo"})) as flow:
        shout(Parameter("word", default="hello"))
    with pytest.raises(errors.ScheduleError, match='clock of flow "one word" gives it "wort", which is none of its'):
        flow.register("house")
    assert get_backend().list_projects() == []


def test_a_project_has_to_be_named() -> None:
    with pytest.raises(TypeError, match=r'Flow "greeting" needs a project'):
        greeting().register("")


def test_labels_that_are_one_text_are_refused_before_anything_is_kept() -> None:
    with pytest.raises(TypeError, match=r"found the text 'gpu'. Write labels=\['gpu'\]"):
        greeting().register("house", labels="gpu")
    assert get_backend().list_projects() == []
    greeting().register("house", labels=["gpu"])
    with pytest.raises(TypeError, match="found the text 'gpu'"):
        get_backend().create_flow_run("house", "greeting", labels="gpu")
    assert get_backend().list_flow_runs() == []


def test_registering_inside_the_block_is_refused() -> None:
    with Flow("early") as flow, pytest.raises(errors.FlowError, match="register it after the block"):
        flow.register("house")


def test_building_needs_a_storage() -> None:
    with pytest.raises(errors.StorageError, match="has no storage to be built"):
        greeting().serialize(build=True)


def test_the_metadata_hold_executor_and_result() -> None:
    flow = greeting(executor={"type": "threads", "max_workers": 2}, result=LocalResult("kept"))
    spec = flow.serialize().model_dump(mode="json")
    assert (spec["executor"]["type"], spec["executor"]["options"]) == ("threads", {"max_workers": 2})
    assert spec["result"]["type"] == "local"
    assert "hello" not in str(spec)
