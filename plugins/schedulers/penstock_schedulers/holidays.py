"""Days on which people of a place do not work, as the library `holidays` knows them."""

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from penstock import errors

if TYPE_CHECKING:
    import holidays

_SATURDAY: Final = 5


def _known(place: str) -> str:
    """Return *place*; raises PluginMissingError without the library, PydanticCustomError for no place it knows."""
    calendar(place)
    return place


Place = Annotated[str, AfterValidator(_known)]
"""A country, a part of it, or a market: `DE`, `DE-BY`, `US-CA`, `NYSE`, `ECB` (ISO 3166, ISO 10383)."""


@cache
def calendar(place: str) -> "holidays.HolidayBase":
    """Return the holidays of *place*."""
    try:
        import holidays
    except ImportError as error:
        message = f"Holidays need the library holidays, which cannot be imported: {error}"
        raise errors.PluginMissingError(f'{message}\nTry: pip install "penstock-schedulers[holidays]"') from error
    countries, markets = holidays.list_supported_countries(), holidays.list_supported_financial()
    country, _, part = place.partition("-")
    if country in countries and (not part or part in countries[country]):
        return holidays.country_holidays(country, subdiv=part or None)
    if place in markets:
        return holidays.financial_holidays(place)
    known = [f"{country}-{one}" for one in countries[country]] if country in countries else {*countries, *markets}
    expected = errors.did_you_mean(place, known) or " Expected a country as DE, a part as DE-BY, or a market as NYSE."
    message = f"the library holidays knows no such place.{expected}"
    raise PydanticCustomError("place", "{message}", {"message": message})


def works(day: date, place: str) -> bool:
    """Return whether *day* is neither of a weekend nor a holiday."""
    return day.weekday() < _SATURDAY and day not in calendar(place)
