"""Forms in which results are kept: values to bytes and back."""

from typing import TYPE_CHECKING

from penstock.hooks import lookup
from penstock.serializers.base import Serializer
from penstock.serializers.standard import JSONSerializer, PickleSerializer

if TYPE_CHECKING:
    from penstock_formats import *  # noqa: F403 - all of its names
else:
    __getattr__, __dir__ = lookup.attach(__name__, "serializer")

__all__ = ["JSONSerializer", "PickleSerializer", "Serializer"]
