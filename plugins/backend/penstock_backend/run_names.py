"""Names that a person can say, for runs: `brisk-otter`."""

import random
from typing import Final

_ADJECTIVES: Final = (
    "amber", "ample", "azure", "bold", "brave", "bright", "brisk", "broad", "calm", "candid", "clear", "clever",
    "cosy", "crisp", "curious", "daring", "deep", "eager", "early", "fair", "fast", "fine", "firm", "fleet", "fond",
    "free", "fresh", "gentle", "glad", "golden", "grand", "green", "happy", "hardy", "honest", "humble", "jolly",
    "keen", "kind", "large", "light", "lively", "loyal", "lucid", "lucky", "mellow", "merry", "mild", "neat",
    "nimble", "noble", "patient", "placid", "plain", "polite", "proud", "quick", "quiet", "rapid", "ready", "rosy",
    "silent", "silver", "simple", "sleek", "smooth", "snug", "sober", "solid", "spry", "steady", "still", "stout",
    "subtle", "sunny", "sure", "swift", "tidy", "true", "vivid", "warm", "wise", "witty",
)  # fmt: skip
_NOUNS: Final = (
    "alder", "aspen", "badger", "beaver", "birch", "bison", "brook", "cedar", "comet", "condor", "coral", "crane",
    "creek", "delta", "dolphin", "dune", "eagle", "egret", "ember", "falcon", "fern", "finch", "fjord", "fox",
    "gannet", "geyser", "glacier", "grove", "gull", "harbor", "hare", "hawk", "hazel", "heron", "ibex", "island",
    "jay", "kestrel", "lagoon", "lark", "lemur", "lichen", "linnet", "lynx", "maple", "marten", "meadow", "mesa",
    "moose", "moss", "newt", "oak", "ocelot", "orca", "osprey", "otter", "owl", "panda", "pebble", "pine", "plover",
    "puffin", "quail", "raven", "reef", "ridge", "river", "robin", "salmon", "seal", "shore", "sparrow", "spruce",
    "stoat", "stork", "swan", "tern", "thrush", "tiger", "trout", "tundra", "valley", "walrus", "weir", "willow",
    "wren", "yew", "zebra",
)  # fmt: skip


def run_name() -> str:
    """Return a new name; names may repeat, ids do not."""
    return f"{random.choice(_ADJECTIVES)}-{random.choice(_NOUNS)}"  # noqa: S311 - a name, not a secret
