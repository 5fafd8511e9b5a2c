"""The two markers a plugin author needs: `@hookimpl` on an implementation, `@hookspec` on a new hook."""

from typing import Final

import pluggy

PROJECT: Final = "penstock"
API_VERSION: Final = 1
"""What a plugin module may ask for with `penstock_api = 1`; it grows when a hook loses an argument."""

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)
