"""What the tutorial promises."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/tutorial/own-storage.md"


def test_a_storage_of_ones_own_takes_at_most_thirty_lines() -> None:
    blocks = dict(re.findall(r":caption: acme/(\S+)\n\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    written = [line for name in ("storage", "plugin") for line in blocks[f"acme_penstock/{name}.py"].splitlines()]
    assert 0 < len(written) <= 30
