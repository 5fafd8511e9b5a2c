"""Where penstock ends a flow otherwise than Prefect 1.4.1 does, and why: the whole list.

By scenario, then by the place in its outcome, whatever lies below that place included. `test_classic.py` fails
for a difference that is not listed, and for one that is listed and no longer there.
"""

from typing import Final

DIFFERENCES: Final[dict[str, dict[str, str]]] = {}
