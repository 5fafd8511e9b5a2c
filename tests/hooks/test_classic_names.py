"""What somebody is told who looks for a name of Prefect 1 that is called otherwise here."""

import importlib
import re

import pytest

import penstock
from penstock import errors
from penstock.hooks import lookup

CLASSIC = [(module, name) for module, names in lookup.catalogue("classic").items() for name in names]


@pytest.mark.parametrize(("module", "name"), CLASSIC)
def test_what_stands_for_a_name_is_there(module: str, name: str) -> None:
    with pytest.raises(errors.RenamedError, match=f"^{re.escape(module)} has no {name}. Instead: ") as raised:
        getattr(importlib.import_module(module), name)
    for source, names in re.findall(r"from (\S+) import ([\w, ]+)", str(raised.value)):
        for one in names.split(", "):
            assert hasattr(importlib.import_module(source), one)


def test_an_import_says_it_too() -> None:
    with pytest.raises(ImportError, match="LocalRun takes the same env and labels"):
        from penstock.run_configs import UniversalRun  # type: ignore[attr-defined]  # noqa: F401 - as a flow would


def test_any_other_name_is_just_not_there() -> None:
    assert not hasattr(penstock, "Flowww")
    with pytest.raises(AttributeError, match="it has Flow, Parameter"):
        penstock.Flowww  # noqa: B018 - asked for, and no more
