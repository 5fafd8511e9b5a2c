"""What every kind has in common: a class whose fields are its configuration, and the spec that travels for it.

A kind is one abstract class, one register hook and one facade module. What is kept in a flow's metadata, a
database or a settings file is never the object but its `KindSpec`, which whoever only stores it need not
understand: the class is looked up by type where the object is needed, and only there.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, Field, PlainSerializer, ValidationError

from penstock import errors, settings
from penstock.hooks import lookup

Labels = Annotated[set[str], PlainSerializer(sorted, return_type=list[str], when_used="json")]
"""Labels, in order wherever they are data: equal objects have equal specs."""


def sorted_labels(labels: Iterable[str]) -> list[str]:
    """Return *labels* in order, each once; raises TypeError for a single text, whose letters they would be."""
    if isinstance(labels, str):
        raise TypeError(f"labels must be a list of texts; found the text {labels!r}. Write labels=[{labels!r}]")
    return sorted(set(labels))


class KindSpec(BaseModel, extra="forbid", frozen=True):
    """A configured object as data: its type name, its options, and the distribution that its class comes from."""

    type: str
    options: dict[str, Any] = Field(default_factory=dict)
    distribution: str | None = None


class Kind(BaseModel, extra="forbid", validate_assignment=True, arbitrary_types_allowed=True):
    """The base of every kind's abstract class; not for plugin authors, who derive from one of those."""

    kind: ClassVar[str]
    """What kind of thing this is: `"storage"`, `"executor"`."""
    type: ClassVar[str]
    """The name users find the class by: `"s3"`."""
    positional: ClassVar[tuple[str, ...]] = ()
    """The fields that may be given without their names, in order."""
    any_url: ClassVar[str | None] = None
    """The type that takes URLs of which no type has the scheme."""
    takes_urls: ClassVar[bool] = True
    """Whether a URL whose scheme is the type name means this class."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Validate the options; raises SettingsError naming the option that does not fit."""
        if len(args) > len(self.positional):
            raise TypeError(f"{type(self).__name__} takes {len(self.positional)} positional options; found {len(args)}")
        options.update(zip(self.positional, args, strict=False))
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise errors.SettingsError(explain(type(self), error)) from error

    def spec(self) -> KindSpec:
        """Return this object as data; fields that hold their default are left out.

        Raises SettingsError if an option holds what cannot be data.
        """
        # pydantic's errors are ValueErrors
        with errors.told_as(errors.SettingsError, f'An option of {self.kind} "{self.type}" cannot be data', ValueError):
            options = self.model_dump(mode="json", exclude_defaults=True)
        return KindSpec(type=self.type, options=options, distribution=lookup.distribution_of(self.kind, self.type))

    @classmethod
    def restore(cls, spec: KindSpec | Mapping[str, Any]) -> Self:
        """Return the object that *spec* was made of.

        Raises PluginMissingError naming the distribution to install if no plugin here offers its type.
        """
        if not isinstance(spec, KindSpec):
            spec = KindSpec.model_validate(spec)
        restored: Self = lookup.find(cls.kind, spec.type, distribution=spec.distribution)(**spec.options)
        return restored

    @classmethod
    def resolve(cls, value: "Self | KindSpec | Mapping[str, Any] | str", /, **options: Any) -> Self:
        """Return an object of this kind for *value*.

        *value* is such an object, its spec, a mapping with a `type` (or a `url`) and options as a settings file
        has it, a type name, or a URL whose scheme is a type name. A name or URL may be followed by layers:
        `"s3://bucket/flows | zstd"`. *options* are added.
        """
        if isinstance(value, cls):
            return value if not options else type(value)(**{**dict(value), **options})
        if isinstance(value, KindSpec):
            return cls.restore(value)
        if isinstance(value, Mapping) and set(value) <= {"type", "options", "distribution"} and "options" in value:
            return cls.restore(value)
        found: Any = settings.kind_options(value)
        if not isinstance(found, Mapping):
            example = f" such as {value.__name__}()" if isinstance(value, type) else ""
            expected = f"expected an object{example}, a type name, a URL or a mapping"
            raise errors.SettingsError(f"{cls.kind} cannot be {value!r}; {expected}")
        given = {**found, **options}
        if given.keys().isdisjoint({"type", "url"}):
            raise errors.SettingsError(f"{cls.kind} needs a type or a url; found {sorted(given) or 'nothing'}")
        make = lookup.find(cls.kind, str(given.pop("type"))) if "type" in given else cls._for_url(given["url"]).from_url
        made: Self = make(**given)
        return made

    @classmethod
    def _for_url(cls, url: str) -> Any:
        scheme = str(url).partition("://")[0].partition("+")[0]
        try:
            found = lookup.find(cls.kind, scheme)
        except errors.UnknownTypeError:
            if cls.any_url is None:
                raise
            return lookup.find(cls.kind, cls.any_url)
        return found if found.takes_urls else lookup.find(cls.kind, cls.any_url or scheme)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return what *url* means; a class without an option `url` takes it apart."""
        return cls(url=url, **options)

    @classmethod
    def configured(cls, default: Mapping[str, Any] | None = None, /, **options: Any) -> Self:
        """Return the object of this kind that the settings name, *default* if they name none; *options* are added.

        Raises SettingsError that says where a wrong option was set.
        """
        try:
            return cls.resolve(getattr(settings.get(), cls.kind) or default or {}, **options)
        except errors.SettingsError as error:
            known = [(*path.split(".", 1), origin) for path, origin in settings.loaded().origins.items() if "." in path]
            origins = {option: origin for kind, option, origin in known if kind == cls.kind}
            named = [origin for option, origin in origins.items() if f'"{option}"' in str(error)]
            source = errors.listing(named or set(origins.values()), nothing="the defaults")
            raise errors.SettingsError(f"{error}   (from {source})") from error


def dump(value: Kind) -> dict[str, Any]:
    """Return a kind's object as JSON values, for a field of another model that holds it."""
    return value.spec().model_dump(mode="json")


def explain(kind: type[Kind], error: ValidationError) -> str:
    """Return what is wrong with the options of *kind*, a line for each, in the words of whoever wrote them."""
    subject = f'{kind.kind} "{kind.type}"' if hasattr(kind, "type") else kind.__name__
    faults = [{**item, "msg": item["msg"].removeprefix("Value error, ")} for item in error.errors()]
    return "\n".join(_explain_one(subject, kind, item) for item in faults)


def _explain_one(subject: str, kind: type[Kind], item: dict[str, Any]) -> str:
    option = ".".join(str(part) for part in item["loc"])
    fields = kind.model_fields
    if item["type"] == "extra_forbidden":
        hint = errors.did_you_mean(option, fields) or f" Its options are {errors.listing(fields)}."
        return f'{subject} has no option "{option}".{hint}'
    if not option:
        return f"{subject}: {item['msg']}"
    if item["type"] == "missing":
        return f'{subject} needs the option "{option}"'
    return f'option "{option}" of {subject}: {item["msg"]}; found {item["input"]!r}'
