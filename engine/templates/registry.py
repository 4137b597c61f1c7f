"""Find a template by its name on the command line: a built-in one, or a user's file."""

from dataclasses import replace
from pathlib import Path

from engine.templates import autogpt, hermes, modelscope, react, toolllama
from engine.templates.base import Template, TemplateError
from engine.templates.dialects import dialect as get_dialect
from engine.templates.native import Native
from engine.templates.text import Text

_TEXTS: dict[str, Text] = {
    module.TEMPLATE.name: module.TEMPLATE
    for module in (react, toolllama, autogpt, modelscope, hermes)
}
NAMES = (Native.name, *_TEXTS)


def get(name: str, dialect: str = "", source: str = "") -> Template:
    """Return the template called `name`, or the one in the file `name`, which ends in .toml.

    `dialect` replaces the template's own; `source` is the file's text, if a run kept it.

    Raises:
        TemplateError: the template or dialect is unknown, or the file is not valid.
    """
    if name == Native.name:
        if dialect:
            raise TemplateError(
                "native takes no dialect: its tools are in the request, not in a message"
            )
        return Native()
    template = _TEXTS[name] if name in _TEXTS else _custom(name, source or source_of(name))
    return replace(template, dialect=get_dialect(dialect)) if dialect else template


def is_builtin(template: Text) -> bool:
    """Return whether `template` reads calls as the built-in one of its name does."""
    return template.name in _TEXTS and _TEXTS[template.name].read == template.read


def source_of(name: str) -> str:
    """Return the text of a user's file; "" for a built-in template.

    Raises:
        TemplateError: the name is unknown, or the file cannot be read.
    """
    if name in NAMES:
        return ""
    if not name.endswith(".toml"):
        known = ", ".join(NAMES)
        raise TemplateError(f"unknown template {name!r}; use one of {known}, or a file.toml")
    from engine.templates.custom import read_source

    return read_source(Path(name))


def _custom(name: str, source: str) -> Text:
    from engine.templates.custom import make_template

    return make_template(Path(name), source)
