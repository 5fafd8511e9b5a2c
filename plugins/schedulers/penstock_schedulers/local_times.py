"""From what a clock on the wall shows to the instants at which it shows it, over the days when clocks are changed."""

from datetime import UTC, datetime, timedelta, tzinfo


def instants(wall: datetime, zone: tzinfo) -> list[datetime]:
    """Return the instants (UTC) at which clocks of *zone* show *wall*: one, two in a fold, none in a gap."""
    both = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(one for one in both if one.astimezone(zone).replace(tzinfo=None) == wall)


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the one instant (UTC) that *wall* stands for: in a fold the first, in a gap the first after it."""
    shown = instants(wall, zone)
    return shown[0] if shown else _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which the clock was put forward over *wall*, to the second."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
