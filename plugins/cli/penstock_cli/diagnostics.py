"""What to send along with a question about a flow: versions, and what is set; names and never values."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock import hooks, settings
from penstock.storage.scripts import versions

if TYPE_CHECKING:
    from penstock.flow import Flow

_PARTS: Final = ("schedule", "storage", "executor", "run_config", "result")


def diagnose(flow: "Flow", *, include_secret_names: bool = False) -> str:
    """Return what is known of *flow* and of where it is, as JSON.

    Of settings, variables and the flow's parts it says which are set, and never to what. Names with "secret" in
    them are left out unless they are asked for.
    """

    def shown(names: Iterable[str]) -> list[str]:
        return sorted(name for name in names if include_secret_names or "secret" not in name.lower())

    return json.dumps(
        {
            "config_overrides": dict.fromkeys(shown(settings.loaded().origins), True),
            "env_vars": shown(name for name in os.environ if name.startswith("PENSTOCK_")),
            "flow_information": {
                "type": type(flow).__name__,
                "tasks": len(flow.tasks),
                **{part: _part(getattr(flow, part)) for part in _PARTS},
            },
            "plugins": {one.name: one.version if one.error is None else "broken" for one in hooks.installed()},
            "system_information": {"platform": platform.platform(), **versions()},
        },
        indent=2,
    )


def _part(value: Any) -> dict[str, Any] | bool:
    """Return the type of a part of a flow and the names of the options it was given, or False if it has none."""
    if value is None:
        return False
    if isinstance(value, str):  # a type, or a URL, which may hold a password
        return {"type": value.partition("://")[0]}
    if isinstance(value, Mapping):
        return {**dict.fromkeys(value, True), "type": value.get("type")}
    given = sorted(getattr(value, "model_fields_set", ()))
    return {**dict.fromkeys(given, True), "type": getattr(value, "type", type(value).__name__)}
