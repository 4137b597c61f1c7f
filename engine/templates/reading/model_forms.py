"""Find calls in the forms that model families are trained on, where a server left them as text.

Known are those of Hermes and Qwen (`<tool_call>`), Qwen3-Coder and Llama (`<function=...>`), Llama
3 (`<|python_tag|>`), Mistral (`[TOOL_CALLS]`), DeepSeek, Kimi, GLM, Command R, Phi (`functools`),
Gemma (`tool_code` and `tool_call` fences), FunctionGemma, ModelScope, and `<invoke name=...>`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.templates.reading.arguments import Unreadable, typed
from engine.templates.reading.json_calls import Call, call_at_start
from engine.templates.reading.names import tool_named
from engine.templates.reading.python_calls import NotACall, first_of_list, read_call
from engine.templates.reading.reasoning import in_quotes
from environments.tools import Tool

_MARK = re.compile(
    r"<(?:tool_call|tool_calls|function_call|function_calls|functioncall|start_function_call)>"
    r"|<\|(?:tool_call|tool_calls|python_tag|python_start|START_ACTION|startofthink|action_start)\|>"
    r"|<[|｜]tool[_▁]calls?[_▁](?:section[_▁])?begin[|｜]>"
    r"|\[TOOL_CALLS\]|\[AVAILABLE_TOOLS_CALL\]|(?<!\w)functools(?=\s*\[)"
    r"|(?=<function=)|(?=<(?:｜DSML｜|antml:)?invoke\s+name=)"
)
_FENCE = re.compile(
    r"```(?P<kind>tool_code|tool_calls?|tool_use|tool|function_call|json|python|xml)[ \t]*\n"
    r"(?P<inside>.*?)(?:\n?```|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_PYTHON_KINDS = ("tool_code", "tool_call", "tool_use", "tool", "python")
_AFTER_MARK = re.compile(
    r"\s*(?:```\w*\s*|<[|｜]?(?:tool_call|plugin)[|｜]?>|<[|｜]tool[_▁]call[_▁]begin[|｜]>|JSON\b)\s*"
)
_NAMED = re.compile(
    r"\s*(?:function\s*<[|｜]tool[_▁]sep[|｜]>)?(?P<name>[\w.:/-]+)\s*"
    r"(?:<[|｜]tool[_▁]sep[|｜]>|<[|｜]tool_call_argument_begin[|｜]>|\[CALL_ID\]\s*[\w-]+\s*|\[ARGS\]|:)*"
    r"\s*(?:```\w*\s*)?(?P<json>\{.*)",
    re.DOTALL,
)
_FUNCTION = re.compile(
    r"\s*<function=\s*[\"']?(?P<name>[^>\"']+?)[\"']?\s*>(?P<inside>.*?)(?:</function>|\Z)",
    re.DOTALL,
)
_INVOKE = re.compile(
    r"\s*<(?P<ns>｜DSML｜|antml:)?invoke\s+name=[\"'](?P<name>[^\"']+)[\"'][^>]*>(?P<inside>.*?)"
    r"(?:</(?P=ns)?invoke>|</invoke>|\Z)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    r"<(?:｜DSML｜|antml:)?parameter(?:=|\s+name=)[\"']?(?P<name>[^>\"']+?)[\"']?(?:\s[^>]*)?>"
    r"(?P<value>.*?)(?:</(?:｜DSML｜|antml:)?parameter>|(?=<parameter=)|(?=</function>))",
    re.DOTALL,
)
_GLM = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?P<inside>(?:<arg_key>.*?</arg_value>\s*)+)", re.DOTALL)
_GLM_PAIR = re.compile(
    r"<arg_key>(?P<name>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>", re.DOTALL
)
_FUNCTION_GEMMA = re.compile(
    r"\s*call:(?P<name>[\w.-]+)\{(?P<inside>.*?)\}\s*(?:<end_function_call>|\Z)", re.DOTALL
)
_FUNCTION_GEMMA_PAIR = re.compile(
    r"(?P<name>\w+):(?:<escape>(?P<text>.*?)<escape>|(?P<value>[^,]*))(?:,|\Z)", re.DOTALL
)
_NO_ARGUMENTS = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?=</|<\||\Z)")
_STOP = re.compile(r"</\w+>|<[|｜]|\n\n|\Z")


def find_marked(text: str, tools: Sequence[Tool]) -> Call | None:
    """Return the first call in `text` that a mark announces; None if there is no mark.

    Raises:
        Unreadable: what follows the mark is no call.
    """
    marks = (found for found in _MARK.finditer(text) if not in_quotes(text, found.start()))
    mark = next(marks, None)
    if mark is None:
        return None
    before, after = text[: mark.start()], text[mark.end() :]
    while skipped := _AFTER_MARK.match(after):
        after = after[skipped.end() :]
    call = _call(after, tools)
    if not call.name.strip():
        raise Unreadable("the call names no tool")
    return replace(call, thought=call.thought or _without_open_fence(before))


def find_fenced(text: str, tools: Sequence[Tool]) -> Call | None:
    """Return the first call in `text` that stands in a code fence; None if there is none."""
    for fence in _FENCE.finditer(text):
        inside, before = fence["inside"], text[: fence.start()].strip()
        call = _fenced(fence["kind"].lower(), inside, tools)
        if call is not None:
            return replace(call, thought=call.thought or before, repaired=(*call.repaired, "fence"))
    return None


def find_python(text: str, tools: Sequence[Tool]) -> Call | None:
    """Return the call that the whole of `text` is, as Llama 4 writes one: `[look(at="x")]`."""
    return _python(first_of_list(text), tools)


def _call(text: str, tools: Sequence[Tool]) -> Call:
    for form in (_of_tags, _of_glm, _of_function_gemma):
        if call := form(text, tools):
            return call
    if text.lstrip().startswith(("{", "[{")):
        call = call_at_start(text)
        if call is None:
            raise Unreadable("the call names no tool; it needs a name")
        return call
    if named := _NAMED.match(text):
        return Call(named["name"], named["json"])
    if call := _python(first_of_list(text[: _end_of_python(text)]), tools, known=False):
        return call
    if (bare := _NO_ARGUMENTS.match(text)) and tool_named(bare["name"], tools):
        return Call(bare["name"], None)
    if "{" in text:
        found = call_at_start(text[text.index("{") :])
        if found is not None:
            return found
    raise Unreadable("the call is not valid JSON (no object was found)")


def _of_tags(text: str, tools: Sequence[Tool]) -> Call | None:
    """Read `<function=name>` and `<invoke name="name">`, with parameters or JSON inside."""
    found = _FUNCTION.match(text) or _INVOKE.match(text)
    if found is None:
        return None
    name, inside = found["name"].strip(), found["inside"]
    pairs = list(_PARAMETER.finditer(inside))
    if not pairs:
        if "<parameter" in inside:
            raise Unreadable("the call stops within a parameter")
        return Call(name, inside)
    tool = tool_named(name, tools)
    rest = _PARAMETER.sub("", inside)
    if "<parameter" in rest:
        raise Unreadable("the call stops within a parameter")
    return Call(name, {one["name"]: _value(one["value"], one["name"], tool) for one in pairs})


def _of_glm(text: str, tools: Sequence[Tool]) -> Call | None:
    found = _GLM.match(text)
    if found is None:
        return None
    tool = tool_named(found["name"], tools)
    pairs = {
        one["name"].strip(): _value(one["value"], one["name"].strip(), tool)
        for one in _GLM_PAIR.finditer(found["inside"])
    }
    return Call(found["name"], pairs)


def _of_function_gemma(text: str, tools: Sequence[Tool]) -> Call | None:
    found = _FUNCTION_GEMMA.match(text)
    if found is None:
        return None
    tool = tool_named(found["name"], tools)
    return Call(
        found["name"],
        {
            one["name"]: one["text"]
            if one["text"] is not None
            else typed(one["value"].strip(), one["name"], tool)
            for one in _FUNCTION_GEMMA_PAIR.finditer(found["inside"])
        },
    )


def _value(text: str, name: str, tool: Tool | None) -> object:
    """Return a parameter's value: a text without the line breaks at its ends, or what is wanted."""
    return typed(text.removeprefix("\n").removesuffix("\n"), name, tool)


def _fenced(kind: str, inside: str, tools: Sequence[Tool]) -> Call | None:
    if kind in _PYTHON_KINDS and (call := _python(inside, tools, known=kind == "python")):
        return call
    if kind in ("python", "json") or not inside.lstrip().startswith(("{", "[")):
        return None  # JSON without a mark is `find_object`'s
    return call_at_start(inside)


def _python(text: str, tools: Sequence[Tool], known: bool = True) -> Call | None:
    """Read `name(...)`; if `known`, only of a tool in `tools`."""
    try:
        name, given = read_call(text)
    except NotACall:
        return None
    name = name.removesuffix(".call")
    if known and tool_named(name, tools) is None:
        return None
    return Call(name, given, repaired=())


def _end_of_python(text: str) -> int:
    stop = _STOP.search(text)
    return stop.start() if stop else len(text)


def _without_open_fence(before: str) -> str:
    """Return the text before a mark, without the opening of a fence around the call."""
    return re.sub(r"\n?```\w*\s*\Z", "", before).strip()
