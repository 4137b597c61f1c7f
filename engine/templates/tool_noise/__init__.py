"""Tool noise: the same tools, shown to the agent under other names, in other orders and words.

noise.py         the kinds of noise, as text on the command line
noisy.py         a template for a task whose tools, calls and observations are changed
view.py          the tools as they are shown, and the way between true and shown calls
schemas.py       names of arguments in JSON Schemas
new_names.py     other names for tools and arguments
mentions.py      names of tools in instructions, thoughts and errors
wording.py       other words for descriptions
distractors.py   tools of other worlds
observations.py  other formats of observations
"""

from engine.templates.tool_noise.noise import ToolNoise
from engine.templates.tool_noise.noisy import seen_step, under_noise, unwrapped

__all__ = ["ToolNoise", "seen_step", "under_noise", "unwrapped"]
