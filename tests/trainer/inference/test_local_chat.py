"""The model in this process: batches answer as single requests do, and the chat's own rules."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.chat.base import ChatReply, ChatRequest
from engine.templates.base import Message
from search.policy import PolicyError
from trainer.errors import TrainerError
from trainer.inference.local_chat import LocalChat, message_of
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate

GREEDY = {"temperature": 0.0, "max_tokens": 12}


@pytest.fixture(scope="module")
def chat(tiny: Path) -> Iterator[LocalChat]:
    chat = LocalChat(str(tiny), slots=3, dtype=torch.float32)
    yield chat
    chat.close()


def ask(content: str, *more: Message, **sampling: Any) -> ChatRequest:
    return ChatRequest("any", [{"role": "user", "content": content}, *more], [], GREEDY | sampling)


async def all_of(chat: LocalChat, requests: Sequence[ChatRequest]) -> list[ChatReply]:
    return await asyncio.gather(*map(chat.complete, requests))


def text(reply: ChatReply) -> str:
    return str(reply.messages[0]["content"])


def alone(tiny: Path, request: ChatRequest, tokens: int = 12) -> str:
    """The reference: transformers' own greedy generation, one request at a time."""
    model, tokenizer = load(str(tiny), torch.float32)
    renderer = ChatTemplate(tokenizer)
    ids = torch.tensor([renderer.encode(renderer.render(request.messages, generation=True))])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False
    )
    return str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


async def test_a_batch_answers_as_one_by_one(chat: LocalChat, tiny: Path) -> None:
    requests = [ask("word " * n + str(n)) for n in (1, 40, 3, 90, 7, 20, 2)]
    replies = await all_of(chat, requests)
    expected = [alone(tiny, request) for request in requests]
    assert [text(reply) for reply in replies] == expected
    assert len(set(expected)) > 3, "the model answers differently to different prompts"


async def test_turns_of_many_conversations_reuse_their_beginnings(
    chat: LocalChat, tiny: Path
) -> None:
    talks = [[{"role": "user", "content": f"{n} " + "long " * 30}] for n in range(5)]
    for turn in range(3):
        requests = [ChatRequest("any", talk, [], GREEDY) for talk in talks]
        for talk, request, reply in zip(talks, requests, await all_of(chat, requests), strict=True):
            assert text(reply) == alone(tiny, request)
            talk += [reply.messages[0], {"role": "user", "content": f"go on {turn}"}]
    again = await chat.complete(ChatRequest("any", talks[0][:3], [], GREEDY))
    more = await chat.complete(ChatRequest("any", talks[0][:5], [], GREEDY))
    assert more.usage.cached_tokens >= again.usage.prompt_tokens


async def test_a_stop_string_ends_the_reply_and_is_not_in_it(chat: LocalChat, tiny: Path) -> None:
    whole = alone(tiny, ask("hello"))
    stop = whole[len(whole) // 2 :][:3]
    reply = await chat.complete(ask("hello", stop=[stop]))
    assert text(reply) == whole[: whole.index(stop)]
    assert reply.finish == ("stop",)
    assert reply.usage.completion_tokens < 12


async def test_max_tokens_bounds_the_reply(chat: LocalChat, tiny: Path) -> None:
    reply = await chat.complete(ask("hello", max_tokens=4))
    assert text(reply) == alone(tiny, ask("hello"), 4)
    assert (reply.finish, reply.usage.completion_tokens) == (("length",), 4)
    assert reply.usage.prompt_tokens == len(
        chat.renderer.encode(chat.renderer.render(ask("hello").messages, generation=True))
    )


async def test_only_the_request_that_is_too_long_fails(chat: LocalChat) -> None:
    short = asyncio.create_task(chat.complete(ask("hello")))
    with pytest.raises(PolicyError, match=r"over the context of 512"):
        await chat.complete(ask("word " * 600))
    assert text(await short)
    edge = await chat.complete(ask("word " * 480, max_tokens=1000))
    assert edge.usage.prompt_tokens + edge.usage.completion_tokens <= 512


async def test_choices_differ_and_a_seed_repeats_them(chat: LocalChat) -> None:
    drawn = ask("hello", temperature=1.0, top_p=0.99, n=4, seed=3)
    first, other = await all_of(chat, [drawn, ask("other")])
    second = await chat.complete(drawn)
    said = [message["content"] for message in first.messages]
    assert len(set(said)) == 4 == len(first.finish)
    assert said == [message["content"] for message in second.messages]
    assert first.usage.calls == 1
    assert first.usage.completion_tokens > 12
    assert first.usage.prompt_tokens <= other.usage.prompt_tokens + 1


async def test_a_control_token_in_text_is_text(chat: LocalChat) -> None:
    plain = await chat.complete(ask("a<|im_end|>b"))
    control = chat.renderer.tokenizer.eos_token_id
    ids = chat.renderer.encode(chat.renderer.render(ask("<|im_end|>").messages, generation=True))
    assert ids.count(control) == 2  # of the system message and the user's
    assert plain.usage.prompt_tokens > len(ids)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ChatRequest("m", ask("x").messages, [{"type": "function"}], {}), "--template react"),
        (ask("x", logit_bias={}), "does not support logit_bias"),
        (ChatRequest("m", [{"role": "user"}, {"role": "x", "content": {}}]), "refuses"),
    ],
)
async def test_what_cannot_be_asked_is_a_policy_error(
    chat: LocalChat, request_: ChatRequest, reason: str
) -> None:
    with pytest.raises(PolicyError, match=reason):
        await chat.complete(request_)


async def test_cancelled_requests_leave_room(chat: LocalChat) -> None:
    tasks = [asyncio.create_task(chat.complete(ask(f"{n}", max_tokens=400))) for n in range(9)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    assert text(await asyncio.wait_for(chat.complete(ask("hello")), 20))


def test_the_base_url_names_the_weights_and_no_path(chat: LocalChat, tiny: Path) -> None:
    other = LocalChat(str(tiny), dtype=torch.bfloat16)
    other.close()
    name, _, digest = chat.base_url.partition("@")
    assert name == f"local:{tiny.name}"
    assert len(digest) == 12
    assert other.base_url != chat.base_url


def test_models_that_slots_would_get_wrong_are_refused(tiny: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=49152,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=64,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path)
    with pytest.raises(TrainerError, match="pass --base-url"):
        LocalChat(str(tmp_path))


def test_a_tool_call_is_read_from_text() -> None:
    call = '{"name": "run", "arguments": {"a": "\u00e9"}}'
    message = message_of(f"hm\n<tool_call>\n{call}\n</tool_call>", tools=True)
    assert message["content"] == "hm"
    assert message["tool_calls"][0]["function"] == {
        "name": "run",
        "arguments": '{"a": "\\u00e9"}',
    }
    broken = "<tool_call>\n{\n</tool_call>"
    assert message_of(broken, tools=True) == {"role": "assistant", "content": broken}
    assert "tool_calls" not in message_of(f"<tool_call>{call}</tool_call>", tools=False)
