"""Play every scenario with the framework that this interpreter has, and print the outcomes as one JSON document.

Usage: python tests/classic/run_scenarios.py [PREFIX]
"""

import builtins
import importlib
import io
import json
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import classic

FLOWS = Path(__file__).parent / "flows"


class Terminal(io.StringIO):
    """A terminal at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def approve(prompt: object = "") -> str:
    """Answer whoever asks on the terminal whether a paused task may go on."""
    classic.note("asked for approval")
    return "y"


def main(prefix: str = "") -> None:
    """Play the scenarios whose name starts with *prefix*, each in an empty folder of its own."""
    warnings.simplefilter("ignore")
    builtins.input, sys.stdin = approve, Terminal()
    for file in sorted(FLOWS.glob("*.py")):
        try:
            importlib.import_module(f"flows.{file.stem}")
        except Exception:  # noqa: BLE001 - its scenarios are missed below, and the test says so
            traceback.print_exc()
    outcomes = {}
    for name in classic.scenarios:
        if not name.startswith(prefix):
            continue
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            outcomes[name] = classic.play(name)
            os.chdir(FLOWS)
    print(json.dumps(outcomes, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
