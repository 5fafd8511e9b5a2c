import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock import states
from penstock.backends.models import StateReport
from penstock.spec import FlowSpec, TaskSpec
from penstock_backend import SQLBackend
from penstock_backend.sqlite_file import SQLiteFile


def test_loading_the_plugin_does_not_load_sqlalchemy() -> None:
    code = "import sys, penstock_backend.plugin; print([m for m in ('sqlalchemy', 'alembic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_a_database_that_is_up_to_date_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/penstock.db"
    backend = SQLBackend(url)
    backend.create_project("tutorial")
    backend.close()
    code = (
        "import sys; from penstock_backend import SQLBackend; "
        f"assert SQLBackend({url!r}).list_projects(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_misspelt_name_of_the_package_is_an_attribute_error() -> None:
    import penstock_backend

    with pytest.raises(AttributeError, match="SQLBakend"):
        penstock_backend.SQLBakend  # noqa: B018 - the access is what is tested


def test_an_idle_agent_writes_nothing(tmp_path: Path) -> None:
    backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    backend.claim("ann")
    database = SQLiteFile(tmp_path / "penstock.db")
    with database.watching() as watch:
        for _ in range(5):
            backend.claim("ann")
            backend.end_lost_runs()
            backend.schedule_due()
        assert not watch.wait(0)
    database.close()
    backend.close()


def test_the_file_holds_no_pickle_and_no_value_of_a_state(tmp_path: Path) -> None:
    backend = SQLBackend(f"sqlite:///{tmp_path}/penstock.db")
    backend.create_project("tutorial")
    backend.register_flow(FlowSpec(name="hello", tasks=[TaskSpec(slug="a-1", name="a", type="x")]), project="tutorial")
    run = backend.create_flow_run("tutorial", "hello", parameters={}).id
    (claim,) = backend.claim("ann")
    ended = [states.Success("done", result="the-secret-value"), states.Cached(result=b"the-secret-value")]
    reports = [
        StateReport(state=state.serialize(), timestamp=claim.lease_expires, slug=str(number), name="a")
        for number, state in enumerate(ended)
    ]
    backend.report_states(run, claim.fence, reports)
    backend.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b'"Success"' in content
    assert b"the-secret-value" not in content
    assert not any(bytes([0x80, protocol, 0x95]) in content for protocol in (4, 5))
    types = {column.type.__class__ for table in _tables() for column in table.columns}
    assert sa.PickleType not in types
    assert sa.LargeBinary not in types


def _tables() -> list[sa.Table]:
    from penstock_backend.tables import metadata

    return list(metadata.tables.values())
