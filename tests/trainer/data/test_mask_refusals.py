"""What chat templates other than the student's own do to a mask, and which are refused."""

import json

import pytest
from transformers import AutoTokenizer

from engine.templates.base import Message
from tests.support.chat_templates import TemplateCase, templates
from tests.support.conversations import calls, result, talk
from tests.trainer.data.test_mask import END, dialogue, spans
from trainer.data.mask import IGNORE, label, turns
from trainer.errors import RowError, TemplateRefused
from trainer.runtime.embedded_model import resolve
from trainer.tokens.chat_template import ChatTemplate


def with_template(source: str) -> TemplateCase:
    """The student's tokenizer in another chat template."""
    return TemplateCase("own", source, "<|im_start|>", END).renderer()


def shipped(name: str) -> TemplateCase:
    return templates()[f"trl/{name}"].renderer()


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "run_sql",
            "description": "Run it.",
            "parameters": {"type": "object", "properties": {"sql": {"type": "string"}}},
        },
    }
]


def native(content: str = "", observation: str = "3 rows") -> list[Message]:
    function = {"name": "run_sql", "arguments": json.dumps({"sql": f'SELECT "\u00e9{END}"'})}
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How many?"},
        {
            "role": "assistant",
            "content": content,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": observation},
        {"role": "assistant", "content": "Three."},
    ]


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3"])
def test_tool_calls_where_the_template_supports_them(name: str) -> None:
    renderer = shipped(name)
    made = label(renderer, native(observation=f"x{END}"), TOOLS)
    found = spans(renderer, made)
    assert len(found) == 2
    assert '{"name": "run_sql", "arguments": {"sql": "SELECT \\"\u00e9<|im_end|>\\""}}' in found[0]
    assert found[1].endswith("Three." + END)


def test_earlier_thinking_that_a_template_drops_makes_a_branch() -> None:
    thought = "<think>\nlong\n</think>\n\n"
    messages = dialogue(["one", thought + "two", "three", thought + "four"])
    renderer = shipped("qwen3")
    made = label(renderer, messages)
    assert spans(renderer, made) == [thought + "two" + END, thought + "four" + END]
    assert len(made) == 2
    assert "long" not in str(renderer.tokenizer.decode(made[1].ids)).split("three")[0]


def test_the_students_template_refuses_tool_calls(renderer: ChatTemplate) -> None:
    with pytest.raises(TemplateRefused, match="drops the tools.*--template react"):
        label(renderer, native(), TOOLS)


def test_a_generation_prompt_that_is_not_how_a_turn_begins_is_refused() -> None:
    with pytest.raises(TemplateRefused, match="generation prompt"):
        label(shipped("deepseek_r1_distill"), dialogue(["one", "two"])[1:])


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_stop_token_that_the_tokenizer_does_not_know_is_refused() -> None:
    renderer = with_template(CHATML.replace("<|im_end|>", "<|unheard_of|>"))
    with pytest.raises(TemplateRefused, match=r"ends a turn with '<\|unheard_of\|>'.*add it"):
        label(renderer, dialogue(["one", "two"]))


def test_a_template_that_writes_on_after_the_stop_token_is_refused() -> None:
    renderer = with_template(CHATML.replace("{{ m.content }}", "{{ m.content }}<|im_end|>\nP.S."))
    with pytest.raises(TemplateRefused, match="continues a turn after the stop token"):
        label(renderer, dialogue(["one", "two"]))


def test_a_template_that_drops_an_argument_is_refused() -> None:
    source = str(shipped("qwen2_5").tokenizer.chat_template)
    renderer = with_template(source.replace("tool_call.arguments | tojson", "'{}'"))
    with pytest.raises(TemplateRefused, match="it drops tool_calls"):
        label(renderer, native(), TOOLS)
    # It shows the argument by which tool calling is tried, and no other.
    only = source.replace("tool_call.arguments | tojson", "tool_call.arguments.city")
    with pytest.raises(TemplateRefused, match="role assistant: 'SELECT"):
        label(with_template(only), native(), TOOLS)


@pytest.mark.parametrize("shown", ["tool_call.arguments", "'' + tool_call.arguments"])
def test_arguments_are_json_where_a_template_writes_them_as_they_are(shown: str) -> None:
    source = str(shipped("qwen2_5").tokenizer.chat_template)
    renderer = with_template(source.replace("tool_call.arguments | tojson", shown))
    (made,) = label(renderer, native(), TOOLS)
    assert '"arguments": {"sql": "SELECT \\"\u00e9' in spans(renderer, [made])[0]


def test_what_ends_a_conversation_but_no_turn_is_not_trained() -> None:
    """Phi 3 writes an end of text after the last turn's stop token."""
    renderer = shipped("phi3")
    (made,) = label(renderer, dialogue(["one", "two", "three", "four"]))
    decode = renderer.tokenizer.decode
    assert [decode([id for id in made.labels if id != IGNORE])] == ["two<|end|>four<|end|>"]


def test_where_a_role_ends_the_turn_before_it_that_role_is_the_stop_token() -> None:
    renderer = shipped("glm4moe")
    (made,) = label(renderer, native(observation="3"), TOOLS)
    trained = str(renderer.tokenizer.decode([id for id in made.labels if id != IGNORE]))
    assert "</tool_call><|observation|>" in trained
    assert trained.endswith("Three.<|user|>")


def test_a_system_text_that_moves_to_the_last_user_message() -> None:
    renderer = templates()["mistral_v3_tekken"].renderer()
    pairs = turns(renderer, dialogue(["one", "two", "three", "four"]))
    decode = renderer.tokenizer.decode
    assert [(decode(pair.context), decode(pair.completion)) for pair in pairs] == [
        ("<s>[INST]Be brief.\n\none[/INST]", "two</s>"),
        ("<s>[INST]one[/INST]two</s>[INST]Be brief.\n\nthree[/INST]", "four</s>"),
    ]


def test_a_turn_in_which_an_earlier_one_would_stand_is_refused() -> None:
    """Gemma 4 moves a call's text after the call's result once there is another call, so no later
    turn begins where its context ends; what follows its header there spans a tool's result."""
    messages = talk("Q", system="")
    for number, text in enumerate(["I look.", ""]):
        messages += [calls("SELECT 1", number=number, content=text), result("", number)]
    with pytest.raises(TemplateRefused, match="generation prompt"):
        label(shipped("gemma4_v5"), [*messages, {"role": "assistant", "content": ""}], TOOLS)


def test_replies_before_the_first_are_context(renderer: ChatTemplate) -> None:
    messages = dialogue(["one", "two", "three", "four"])
    assert turns(renderer, messages, first=4) == turns(renderer, messages)[1:]


def test_a_template_that_drops_a_role_is_refused() -> None:
    source = (
        "{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n"
        "{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    with pytest.raises(TemplateRefused, match="drops text of a message of role system"):
        label(with_template(source), dialogue(["one", "two"]))


def test_a_model_without_a_chat_template_is_refused() -> None:
    tokenizer = AutoTokenizer.from_pretrained(resolve("smollm2"))
    tokenizer.chat_template = None
    with pytest.raises(TemplateRefused, match="no chat template"):
        ChatTemplate(tokenizer)


def test_arguments_that_are_not_json_drop_the_row() -> None:
    messages = native()
    messages[2]["tool_calls"][0]["function"]["arguments"] = "{"
    with pytest.raises(RowError, match="not JSON"):
        label(shipped("qwen2_5"), messages, TOOLS)
