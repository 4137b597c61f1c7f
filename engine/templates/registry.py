"""From the name on the command line to a template."""

from engine.templates.base import Template, TemplateError
from engine.templates.native import Native
from engine.templates.react import React

_TEMPLATES: dict[str, type[Template]] = {"native": Native, "react": React}

NAMES = tuple(_TEMPLATES)


def get(name: str) -> Template:
    """The template called `name`.

    Raises:
        TemplateError
    """
    if name not in _TEMPLATES:
        raise TemplateError(f"no template {name!r}; use one of {', '.join(NAMES)}")
    return _TEMPLATES[name]()
