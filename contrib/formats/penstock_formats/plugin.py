"""What this plugin offers: serializers."""

from collections.abc import Mapping

from penstock import hookimpl


@hookimpl
def penstock_register_serializer() -> Mapping[str, str]:
    """Offer the forms that other libraries read and write, and those that need none."""
    return {
        "arrow": "penstock_formats.tables:ArrowSerializer",
        "compressed": "penstock_formats.standard:CompressedSerializer",
        "datetime": "penstock_formats.standard:DateTimeSerializer",
        "msgspec": "penstock_formats.messages:MsgspecSerializer",
        "pandas": "penstock_formats.frames:PandasSerializer",
    }
