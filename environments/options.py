"""The options of an environment: what its `__init__` takes besides data, split and sandbox."""

import inspect
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser

from environments.base import ToolEnv
from environments.errors import UnknownEnvironment

COMMON = frozenset({"data", "split", "sandbox"})
"""Parameters that every environment takes; commands have flags of their own for them."""


@dataclass(frozen=True, slots=True)
class EnvOption:
    """One keyword argument of an environment's `__init__`.

    Attributes:
        type: the annotation in words, such as "int" or "tools | prompt".
        help: the parameter's text in the docstring's `Args:` section, on one line; "" if missing.
        annotation: what `convert` converts text to.
    """

    name: str
    type: str
    default: Any
    help: str
    annotation: Any = field(repr=False, compare=False)

    def convert(self, text: str) -> Any:
        """Return the value that `text` stands for; raise `ValueError` if it stands for none."""
        return _convert(self.annotation, text)


def class_options(env: type[ToolEnv]) -> Sequence[EnvOption]:
    """Return the options of an environment class, its own before those of its bases.

    A class whose `__init__` passes `**keywords` on has those of the next class, too.
    """
    found: dict[str, EnvOption] = {}
    for init, help_texts in _inits(env):
        annotations = _type_hints(init)
        for name, parameter in _keywords(init):
            annotation = annotations.get(name, str)
            option = EnvOption(
                name,
                _type_text(annotation),
                parameter.default,
                help_texts.get(name, ""),
                annotation,
            )
            if name not in COMMON:
                found.setdefault(name, option)
    return list(found.values())


def parse(name: str, options: Sequence[EnvOption], given: Sequence[str]) -> dict[str, Any]:
    """Convert each "key=value" of `given`; see `environments.registry.parse_options`."""
    known = {option.name: option for option in options}
    parsed = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UnknownEnvironment(f"--env-arg {pair}: write it as key=value")
        if key in COMMON:
            raise UnknownEnvironment(f"--env-arg {pair}: use the flag --{key}")
        if key not in known:
            has = "its options: " + ", ".join(known) if known else "it has no options"
            raise UnknownEnvironment(f"--env-arg {pair}: {name} has no option {key!r}; {has}")
        try:
            parsed[key] = known[key].convert(text)
        except ValueError:
            wanted = known[key].type
            raise UnknownEnvironment(f"--env-arg {pair}: {key} must be {wanted}") from None
    return parsed


def _inits(env: type[ToolEnv]) -> Iterator[tuple[Any, dict[str, str]]]:
    """Yield each `__init__` along the MRO that takes part, with its parameters' help texts."""
    for cls in env.__mro__:
        init = vars(cls).get("__init__")
        if init is None:
            continue
        yield init, _help_texts(cls.__doc__) | _help_texts(init.__doc__)
        parameters = inspect.signature(init).parameters.values()
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            return


def _keywords(init: Any) -> Iterator[tuple[str, inspect.Parameter]]:
    _, *parameters = inspect.signature(init).parameters.items()  # the first is self
    for name, parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            yield name, parameter


def _type_hints(init: Any) -> dict[str, Any]:
    """Return the types of parameters; none if a name in them is known to type checkers only."""
    try:
        return get_type_hints(init, include_extras=False)
    except (NameError, AttributeError, TypeError):
        return {}


def _help_texts(docstring: str | None) -> dict[str, str]:
    parsed = docstring_parser.parse(docstring or "", docstring_parser.DocstringStyle.GOOGLE)
    return {each.arg_name: " ".join((each.description or "").split()) for each in parsed.params}


def _type_text(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(str(value) for value in get_args(annotation))
    if _is_union(annotation):
        return " | ".join(_type_text(each) for each in get_args(annotation))
    if annotation is type(None):
        return "none"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _convert(annotation: Any, text: str) -> Any:
    if get_origin(annotation) is Literal:
        values = {str(value): value for value in get_args(annotation)}
        if text not in values:
            raise ValueError(text)
        return values[text]
    if _is_union(annotation):
        return _convert_to_any(get_args(annotation), text)
    if annotation is type(None):
        if text.lower() != "none":
            raise ValueError(text)
        return None
    from pydantic import TypeAdapter

    return TypeAdapter(annotation).validate_strings(text)  # its ValidationError is a ValueError


def _convert_to_any(annotations: Sequence[Any], text: str) -> Any:
    """Convert to the first type that accepts `text`; None before all others, as str takes all."""
    for annotation in sorted(annotations, key=lambda each: each is not type(None)):
        try:
            return _convert(annotation, text)
        except ValueError:
            continue
    raise ValueError(text)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)
