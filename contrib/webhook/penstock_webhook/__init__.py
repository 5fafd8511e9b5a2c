"""Flow storage behind HTTP requests of your own.

The class is imported on first use, so that the plugin's hooks load nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock_webhook.storage import Webhook

__all__ = ["Webhook"]


def __getattr__(name: str) -> Any:
    if name != "Webhook":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock_webhook.storage import Webhook

    return Webhook
