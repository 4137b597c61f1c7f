"""Find a template by its name on the command line: a built-in one, or a user's file.

A name may say how the model remembers: `react:prompt` is `react` with one prompt per call, and
`kwai:chat` is `kwai` as a growing chat.
"""

from dataclasses import replace
from pathlib import Path

from engine.templates import autogpt, editions, hermes, kwai, modelscope, react, toolllama
from engine.templates.base import Template, TemplateError
from engine.templates.dialects import dialect as get_dialect
from engine.templates.native import Native
from engine.templates.parts import MEMORIES
from engine.templates.text import Text

_TODAY: dict[str, Text] = {
    module.TEMPLATE.name: module.TEMPLATE
    for module in (react, toolllama, autogpt, modelscope, hermes, kwai)
}
_TEXTS = _TODAY | editions.TEMPLATES
NAMES = (Native.name, *_TODAY)

EDITION = "0.2"
"""What a run notes in place of a file's text if its built-in template had another text before."""


def get(name: str, dialect: str = "", source: str = "") -> Template:
    """Return the template called `name`, or the one in the file `name`, which ends in .toml.

    `dialect` replaces the template's own; `source` is the file's text, if a run kept it.

    Raises:
        TemplateError: the template or dialect is unknown, or the file is not valid.
    """
    plain, memory = _parted(name)
    if plain == Native.name:
        if dialect or memory:
            what = "dialect: its tools are" if dialect else "memory: its conversation is"
            raise TemplateError(f"native takes no {what} in the request, not in a message")
        return Native()
    template = builtin(plain) or _custom(plain, source or source_of(plain))
    if memory:
        kept = next(each for each in MEMORIES if each == memory)
        template = replace(template, memory=kept, name=f"{template.name}:{memory}")
    return replace(template, dialect=get_dialect(dialect)) if dialect else template


def builtin(name: str) -> Text | None:
    """Return the built-in template of text that is called `name`, of any edition."""
    return _TEXTS.get(name)


def is_builtin(template: Text) -> bool:
    """Return whether `template` reads calls as the built-in one of its name does."""
    found = builtin(_parted(template.name)[0])
    return found is not None and found.read == template.read


def source_of(name: str) -> str:
    """Return the text of a user's file; of a built-in template, its edition if there are several.

    Raises:
        TemplateError: the name is unknown, or the file cannot be read.
    """
    plain, _ = _parted(name)
    if plain == Native.name or plain in _TEXTS:
        return EDITION if _first(plain) else ""
    if not plain.endswith(".toml"):
        known = ", ".join(NAMES)
        raise TemplateError(f"unknown template {name!r}; use one of {known}, or a file.toml")
    from engine.templates.custom import read_source

    return read_source(Path(plain))


def as_explored(name: str, source: str) -> str:
    """Return what the template of a run is called today.

    Args:
        name: as the run's config has it.
        source: what the run noted of it: see `source_of`. Runs of version 0.1 noted no edition.
    """
    plain, _ = _parted(name)
    return _first(plain) if not source and _first(plain) else name


def _first(name: str) -> str:
    """Return the name of the first edition of a template; "" if its text never changed."""
    old = f"{name}-{editions.FIRST}"
    return old if old in editions.TEMPLATES else ""


def _parted(name: str) -> tuple[str, str]:
    """Return the name without the way of remembering, and that way ("" if it says none)."""
    plain, _, memory = name.rpartition(":")
    return (plain, memory) if plain and memory in MEMORIES else (name, "")


def _custom(name: str, source: str) -> Text:
    from engine.templates.custom import make_template

    return make_template(Path(name), source)
