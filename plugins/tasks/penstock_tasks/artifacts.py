"""What a flow makes for people to look at: links, texts, tables, images and progress, kept beside its run.

Call these functions in tasks. An artifact has a key; what is made again under it takes the place of what was there.
Without a key it is named after the task, so that a task that is tried again replaces what it made before. The values of
secrets are hidden in it. In a run of which no backend knows, artifacts are only logged.
"""

import itertools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from penstock import errors, get_backend, settings
from penstock.backends.models import Document
from penstock.context import context
from penstock.redaction import hidden


def create_link_artifact(link: str, *, key: str | None = None, title: str = "") -> str:
    """Keep a link to somewhere else, and return the artifact's key; raises DocumentError for what is no address."""
    return _put({"type": "link", "link": link}, key, title)


def create_markdown_artifact(markdown: str, *, key: str | None = None, title: str = "") -> str:
    """Keep a text in Markdown, and return the artifact's key."""
    return _put({"type": "markdown", "markdown": markdown}, key, title)


def create_table_artifact(
    rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]],
    columns: Sequence[str] | None = None,
    *,
    key: str | None = None,
    title: str = "",
) -> str:
    """Keep a table, and return the artifact's key.

    *rows* are mappings from column to value, of which *columns* gives the order, or sequences in the order of the
    *columns*. Values that JSON does not know are kept as text.
    """
    named = [row for row in rows if isinstance(row, Mapping)]
    names = list(columns or dict.fromkeys(name for row in named for name in row))
    ordered = [[row.get(name) for name in names] if isinstance(row, Mapping) else list(row) for row in rows]
    plain = [[_plain(value) for value in row] for row in ordered]
    return _put({"type": "table", "columns": [str(name) for name in names], "rows": plain}, key, title)


def create_image_artifact(image: str, *, key: str | None = None, title: str = "") -> str:
    """Keep the address of an image, and return the artifact's key; raises DocumentError for what is no address."""
    return _put({"type": "image", "image": image}, key, title)


def create_progress_artifact(progress: float, *, key: str | None = None, title: str = "") -> str:
    """Keep how far something has come, in percent, and return the key with which `update_progress_artifact` goes on."""
    return _put({"type": "progress", "progress": progress}, key, title)


def update_link_artifact(key: str, link: str) -> None:
    """Put another link in the place of the one that was kept under *key*."""
    create_link_artifact(link, key=key)


def update_markdown_artifact(key: str, markdown: str) -> None:
    """Put another text in the place of the one that was kept under *key*."""
    create_markdown_artifact(markdown, key=key)


def update_progress_artifact(key: str, progress: float) -> None:
    """Say how far it has come now, in percent."""
    create_progress_artifact(progress, key=key)


def delete_artifact(key: str) -> None:
    """Delete what this run has kept under *key*; no error if that is gone."""
    if settings.get().backend:
        get_backend().delete_document("artifact", key, _run())


def _put(data: dict[str, Any], key: str | None, title: str) -> str:
    slug, index = context.get("task_slug"), context.get("map_index")
    chosen = key if key is not None else _key(str(data["type"]), slug, index)
    data = {**data, "title": title, "task": slug, "map_index": index}
    kept = hidden({name: value for name, value in data.items() if value not in (None, "")})
    logger = context.get("logger") or logging.getLogger("penstock.flow")
    if not settings.get().backend:
        logger.info("Artifact %s is not kept, as no backend is set up: %s", chosen, kept)
        return chosen
    try:
        get_backend().put_document(Document(kind="artifact", scope=_run(), name=chosen, data=kept))
    except errors.UnknownRunError:
        logger.info("Artifact %s is not kept, as the backend does not know this run", chosen)
    return chosen


def _run() -> str:
    run = context.get("flow_run_id")
    if run is None:
        raise errors.FlowError("An artifact belongs to a run; call this in a task")
    return str(run)


def _key(kind: str, slug: str | None, index: int | None) -> str:
    place = f"{slug or 'flow'}[{index}]" if index is not None else slug or "flow"
    number = next(_numbers(_run(), place, kind, context.get("task_run_count", 1)))
    return f"{place}-{kind}-{number}"


@lru_cache(maxsize=4096)
def _numbers(_run: str, _place: str, _kind: str, _attempt: int) -> Iterator[int]:
    """Return the numbers of what one attempt of a task makes of a kind."""
    return itertools.count(1)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
