"""Worlds with and without an answer tool, for the tests of all templates."""

from engine.templates.base import World
from environments import GIVE_UP, SAY, Tool
from environments.api.finish import FINISH
from environments.mcp_servers.env import FINISH as OPTIONAL
from environments.python.env import ANSWER as CODE_OR_VALUE
from environments.sql.env import ANSWER as QUERY
from environments.sql.writable import SUBMIT

LOOK = Tool("look", "Look at it.", {"type": "object", "properties": {"at": {"type": "string"}}})
ANSWERS = {
    "none": (),
    "text": (QUERY,),
    "code or value": (CODE_OR_VALUE,),
    "optional": (OPTIONAL,),
    "nothing": (SUBMIT,),
    "ToolBench": (FINISH,),
    "two": (QUERY, SUBMIT),
    "say": (QUERY, SAY),
}
"""By what the answer tool takes."""
WORLDS = {kind: World("Be brief.", (LOOK, *given, GIVE_UP)) for kind, given in ANSWERS.items()}
