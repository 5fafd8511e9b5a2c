"""`penstock agent`: imported by the command line only, which brings click."""

import json
import queue
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from penstock_agent.agent import Agent
    from penstock_agent.events import Event

_ENDED_BADLY: Final = frozenset({"Failed", "TimedOut", "TriggerFailed", "ValidationFailed", "Cancelled"})
_LOOK_SECONDS: Final = 0.5
_STYLES: Final = {"trouble": "yellow", "plugin": "yellow", "started": "green", "claimed": "cyan"}


@click.group()
def agent() -> None:
    """Take due runs and watch over them."""


@agent.command(
    epilog="Examples: penstock agent start · penstock agent start --label gpu --limit 4 · penstock agent start --json"
)
@click.option("--name", help="The agent's name; the host's by default.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Take runs with this label; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="How many runs may be under way at once.")
@click.option("--show-logs", is_flag=True, help="Print what the runs log, to standard error.")
@click.option("--until-idle", is_flag=True, help="End when nothing is due and no run is under way.")
@click.option("--backend", metavar="URL", help="The backend to ask; by default the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a JSON object on a line.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def start(
    name: str | None,
    labels: tuple[str, ...],
    limit: int | None,
    backend: str | None,
    *,
    show_logs: bool,
    until_idle: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take due runs and run each in a process, until interrupted.

    A run is taken if this agent has all of its labels; an agent without labels takes runs without labels. On
    SIGINT or SIGTERM the runs under way have the grace time to end, and are then ended; on a second one, at once.
    """
    from penstock import settings
    from penstock_agent.agent import Agent

    def tell(event: "Event") -> None:
        if not quiet:
            click.echo(json.dumps(event.data()) if as_json else _styled(event))

    with settings.override({"backend": backend} if backend else None):
        _work(Agent(name, labels, limit, show_logs=show_logs, tell=tell), until_idle=until_idle)


def _styled(event: "Event") -> str:
    """Return the event's line; click takes the colour out where it does not go to a terminal."""
    kind, _, rest = event.text().partition(" ")
    colour = _STYLES.get(kind)
    if event.kind == "ended" and event.run is not None:
        colour = "red" if event.run.state.type in _ENDED_BADLY else "green"
    return f"{click.style(kind, fg=colour)} {rest}".rstrip()


def _work(worker: "Agent", *, until_idle: bool) -> None:
    """Let *worker* work on a thread until a signal comes or it ends by itself; raise what ended it before.

    A second signal lets it hurry.
    """
    news: queue.SimpleQueue[None] = queue.SimpleQueue()  # may be put to in a signal handler, as an Event may not be set
    stop, hurry, failures = threading.Event(), threading.Event(), []

    def work() -> None:
        try:
            worker.run(stop, until_idle=until_idle, hurry=hurry)
        except Exception as error:  # noqa: BLE001 - raised again on the main thread
            failures.append(error)
        finally:
            for _ in (stop, hurry):
                news.put(None)

    thread = threading.Thread(target=work, name="penstock-agent")
    before = {number: signal.signal(number, lambda *_: news.put(None)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        thread.start()
        for told in (stop, hurry):
            _hear(news)  # of a signal, or the end of the thread
            told.set()
        thread.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failures:
        raise failures[0]


def _hear(news: "queue.SimpleQueue[None]") -> None:
    """Return when there are *news*, in steps: a signal that another thread happens to take does not end a wait here.

    That is so while that thread starts a process, for one. Python calls the handler on the main thread, when that is
    not waiting.
    """
    heard = False
    while not heard:
        with suppress(queue.Empty):
            news.get(timeout=_LOOK_SECONDS)
            heard = True
