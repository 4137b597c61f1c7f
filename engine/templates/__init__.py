"""How a task and a path become messages, and how a reply becomes an action."""

from engine.templates.base import Message, Template, TemplateError
from engine.templates.registry import NAMES, get, source_of

__all__ = ["NAMES", "Message", "Template", "TemplateError", "get", "source_of"]
