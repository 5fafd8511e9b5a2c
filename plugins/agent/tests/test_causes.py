import pytest

from penstock_agent.causes import cause


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0 before the run did"),
        (3, "exit code 3 before the run did"),
        (-9, "signal 9 (SIGKILL): killed from outside, or out of memory"),
        (-11, "signal 11 (SIGSEGV): a crash in native code"),
        (-1, "signal 1 (SIGHUP)"),
        (-99, "signal 99"),
    ],
)
def test_a_cause_is_said_in_words(code: int, words: str) -> None:
    assert cause(code).endswith(words)
