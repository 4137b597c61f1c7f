"""Command-line flags from dataclasses, so that each option is declared once.

A command takes whole dataclasses; each field becomes a flag. Name, type and default come from the
field, the help text from the class's docstring (`Attributes:`, Google style). What else a flag
needs stands in the field's metadata:

    flag: its name, where that is not the field's.
    panel: the group it is listed under in `--help`.
    min, max, above, infinite: bounds of a number, see `treegraft.ranges`.
    default: text shown in place of the default.
    hidden: not a flag at all; the Python API sets it.
    comma: several values in one text, a,b,c.
    old: a flag of an earlier version, accepted but not listed.
    type: its type on the command line, where the field takes more than a flag can say.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass, make_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import docstring_parser
import typer

from engine.errors import UsageError

T = TypeVar("T")


def command(
    function: Callable[..., Any], renamed: Mapping[str, str] | None = None
) -> Callable[..., Any]:
    """Return `function` as typer takes it: the fields of its dataclass parameters are flags.

    Its attribute `context_settings` makes typer accept underscores for hyphens (TRL's spelling) and
    old names of flags, without listing them in `--help`. `renamed` maps old names to new ones, both
    without the leading hyphens.
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if isinstance(hint, type) and is_dataclass(hint):
            groups[parameter.name] = hint
            parameters += parameters_of(hint)
        else:
            parameters.append(
                parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
            )

    def run(**values: Any) -> Any:
        made: dict[str, Any] = {name: build(cls, values) for name, cls in groups.items()}
        return function(**made, **values)

    run.__name__, run.__doc__, run.__module__ = (
        function.__name__,
        function.__doc__,
        function.__module__,
    )
    # typer lists flags in this order; required ones come first.
    parameters.sort(key=lambda parameter: parameter.default is not inspect.Parameter.empty)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.context_settings = {  # type: ignore[attr-defined]
        "token_normalize_func": _spelling(parameters, renamed or {})
    }
    return run


def _spelling(
    parameters: list[inspect.Parameter], renamed: Mapping[str, str]
) -> Callable[[str], str]:
    """Return a function from any accepted spelling of a flag to its name.

    click applies it to the values of choices too, which must stay as they are.
    """
    known = {name.strip("-") for parameter in parameters for name in _spellings(parameter)}
    names = {name.replace("_", "-"): name for name in known} | dict(renamed)
    return lambda token: names.get(token.replace("_", "-"), token)


def _spellings(parameter: inspect.Parameter) -> list[str]:
    declared: list[str] = []
    for extra in getattr(parameter.annotation, "__metadata__", ()):
        # In `Annotated`, typer keeps the first name in the place of the default.
        names = [each for each in (extra.default, *(extra.param_decls or ())) if each]
        declared += [name for each in names if isinstance(each, str) for name in each.split("/")]
    return declared or [parameter.name.replace("_", "-")]


def build(cls: type[T], values: dict[str, Any]) -> T:
    """Make a `cls` of the flags' values, which are taken out of `values`."""
    return cls(
        **{each.name: _value(values.pop(parameter_name(each)), each) for each in flag_fields(cls)}
    )


def parameters_of(cls: type) -> list[inspect.Parameter]:
    """Return one parameter per flag of dataclass `cls`, annotated for typer."""
    hints = get_type_hints(cls)
    texts = help_texts(cls)
    return [
        _parameter(each, _command_line_type(each, hints[each.name]), texts)
        for each in flag_fields(cls)
    ]


def optional(name: str, classes: Sequence[type], panel: str) -> type:
    """Return a dataclass with the fields of all `classes`, None by default.

    For a command that chooses one of the classes by another flag: what is None was not given. A
    field that not every class with a `name` has says in its help text which ones have it.
    """
    declared: dict[str, tuple[str, Any, Any]] = {}
    texts: dict[str, str] = {}
    for cls in classes:
        hints = get_type_hints(cls)
        for each in flag_fields(cls):
            text = help_texts(cls).get(each.name, "")
            default = _default(each)
            metadata = {**each.metadata, "panel": panel, "default": str(default)}
            made = field(default=None, metadata=metadata)
            declared.setdefault(each.name, (each.name, hints[each.name] | None, made))
            texts.setdefault(each.name, text)
    made_class = make_dataclass(name, declared.values(), frozen=True, kw_only=True)
    takers = {
        field_name: [
            cls.name for cls in classes if hasattr(cls, "name") and field_name in _names(cls)
        ]
        for field_name in texts
    }
    named = sum(hasattr(cls, "name") for cls in classes)
    lines = [
        f"    {field_name}: {text}"
        + (f" For {', '.join(takers[field_name])}." if len(takers[field_name]) < named else "")
        for field_name, text in texts.items()
    ]
    made_class.__doc__ = "\n".join([name, "", "Attributes:", *lines])
    return made_class


def _names(cls: type) -> set[str]:
    return {each.name for each in flag_fields(cls)}


def flag_fields(cls: type) -> list[Field[Any]]:
    """Return the fields of dataclass `cls` that are flags."""
    return [each for each in fields(cls) if each.init and not each.metadata.get("hidden")]


@cache
def help_texts(cls: type) -> dict[str, str]:
    """Return each field's text in the `Attributes:` sections of `cls` and its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for text in docstring_parser.parse(
            base.__doc__ or "", docstring_parser.Style.GOOGLE
        ).params:
            found[text.arg_name] = " ".join((text.description or "").split())
    return found


def flag_name(option_field: Field[Any]) -> str:
    """Return the flag of a dataclass option_field, as `--max-length`."""
    return f"--{option_field.metadata.get('flag', option_field.name).replace('_', '-')}"


def parameter_name(option_field: Field[Any]) -> str:
    """Return the name of a field's parameter: its flag's, which is unique within a command."""
    return flag_name(option_field).removeprefix("--").replace("-", "_")


def _command_line_type(option_field: Field[Any], hint: Any) -> Any:
    return str if "comma" in option_field.metadata else option_field.metadata.get("type", hint)


def _parameter(option_field: Field[Any], hint: Any, texts: Mapping[str, str]) -> inspect.Parameter:
    default = _default(option_field)
    declared, extra = _typer_type(hint)
    for name in ("min", "max"):
        if name in option_field.metadata:
            extra[name] = option_field.metadata[name]
    if "above" in option_field.metadata:  # to be listed; `build` refuses the bound itself
        extra["min"] = option_field.metadata["above"]
    switch = flag_name(option_field)
    if _plain(hint) is bool and default is not False:
        switch = f"{switch}/--no-{switch.removeprefix('--')}"
    option = typer.Option(
        switch,
        help=texts.get(option_field.name, ""),
        show_default=option_field.metadata.get("default", default not in (None, "")),
        rich_help_panel=option_field.metadata.get("panel"),
        hidden=bool(option_field.metadata.get("old")),
        **extra,
    )
    return inspect.Parameter(
        parameter_name(option_field),
        inspect.Parameter.KEYWORD_ONLY,
        default=_shown(default, declared),
        annotation=Annotated[declared, option],
    )


def _default(option_field: Field[Any]) -> Any:
    if option_field.default is not MISSING:
        return option_field.default
    if option_field.default_factory is not MISSING:
        return option_field.default_factory()
    return inspect.Parameter.empty


def _shown(default: Any, declared: Any) -> Any:
    """Return a field's default as typer takes it."""
    if declared is str and isinstance(default, tuple):
        return ",".join(default)
    if get_origin(declared) is list and default is not inspect.Parameter.empty:
        return list(default)
    if isinstance(default, Mapping):
        return json.dumps(default)
    return default


def _typer_type(hint: Any) -> tuple[Any, dict[str, Any]]:
    """Return the type that typer is given for a field of type `hint`, and arguments beside it."""
    plain = _plain(hint)
    if get_origin(plain) is tuple:
        return list[get_args(plain)[0]], {}  # type: ignore[misc]
    if get_origin(plain) in (dict, Mapping):
        return str, {"metavar": "JSON"}
    if get_origin(plain) is Literal and any(not isinstance(v, str) for v in get_args(plain)):
        raise TypeError(f"flags take texts only, not {plain}")
    return hint, {}


def _plain(hint: Any) -> Any:
    """Return `hint` without `| None`."""
    if get_origin(hint) in (Union, UnionType):
        inner = [one for one in get_args(hint) if one is not NoneType]
        return inner[0] if len(inner) == 1 else hint
    return hint


def _value(given: Any, option_field: Field[Any]) -> Any:
    """Return a flag's value as the dataclass takes it."""
    default = _default(option_field)
    if "comma" in option_field.metadata:
        return tuple(part.strip() for part in given.split(",") if part.strip())
    if isinstance(default, tuple) and given is not None:
        return tuple(given)
    if isinstance(default, Mapping):
        return json_object(given, flag_name(option_field))
    return given


def json_object(text: str, flag: str) -> dict[str, Any]:
    """Parse the JSON object given to `flag`.

    Raises:
        UsageError: The text is not JSON, not an object, or holds NaN or an infinity.
    """
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False)
    except ValueError as error:
        raise UsageError(f"{flag}: not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f'{flag} must be a JSON object, such as {{"top_p": 0.9}}')
    return found
