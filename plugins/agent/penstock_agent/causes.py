"""Why a process ended, in words."""

import signal
from typing import Final

_KNOWN: Final = {
    signal.SIGKILL: "killed from outside, or out of memory",
    signal.SIGTERM: "asked to end from outside",
    signal.SIGSEGV: "a crash in native code",
    signal.SIGBUS: "a crash in native code",
    signal.SIGABRT: "native code gave up",
    signal.SIGXCPU: "its limit of processor time",
}


def cause(code: int) -> str:
    """Return how a process with the exit code *code* ended; negative codes are signals, as in `subprocess`."""
    if code >= 0:
        return f"The process of the run ended with exit code {code} before the run did"
    try:
        number = signal.Signals(-code)
    except ValueError:
        return f"The process of the run was ended by signal {-code}"
    hint = f": {_KNOWN[number]}" if number in _KNOWN else ""
    return f"The process of the run was ended by signal {-code} ({number.name}){hint}"
