"""From the name on the command line to a template: one of ours, or a user's file."""

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
    """The template called `name`, or in the file `name` (it ends in .toml: `templates.own`).

    dialect: how it describes tools; "" for the template's own way.
    source: the file's text, where it was kept; else the file is read.

    Raises:
        TemplateError
    """
    if name == Native.name:
        if dialect:
            raise TemplateError("native sends its tools beside the messages: it has no dialect")
        return Native()
    template = _TEXTS[name] if name in _TEXTS else _own(name, source or source_of(name))
    return replace(template, dialect=get_dialect(dialect)) if dialect else template


def source_of(name: str) -> str:
    """The text of a user's file; "" for a template of ours.

    Raises:
        TemplateError
    """
    if name in NAMES:
        return ""
    if not name.endswith(".toml"):
        known = ", ".join(NAMES)
        raise TemplateError(f"no template {name!r}; use one of {known}, or a file.toml")
    from engine.templates.custom import read_source

    return read_source(Path(name))


def _own(name: str, source: str) -> Text:
    from engine.templates.custom import make_template

    return make_template(Path(name), source)
