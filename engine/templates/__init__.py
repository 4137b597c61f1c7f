"""Templates: from a task and a path to messages, and from a reply to an action."""

from engine.templates.base import Message, Template, TemplateError
from engine.templates.registry import NAMES, get, source_of

__all__ = ["NAMES", "Message", "Template", "TemplateError", "get", "source_of"]
