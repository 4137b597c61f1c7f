"""Emulated fine-tuning: three models over slots draw what a naive loop over the three draws."""

from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from engine.chat.base import ChatRequest
from trainer.errors import TrainerError
from trainer.inference.decoding import Decoder, Generated, Sampling, choose
from trainer.inference.eft import Eft, EmulatedTuning, check_tokenizers
from trainer.inference.kv_cache import ATTENTION
from trainer.inference.local_chat import LocalChat
from trainer.inference.next_token import CachedModel, NextToken
from trainer.serving.choose import candidates
from trainer.serving.options import Backend, ServeOptions
from treegraft.errors import UsageError

SLOTS = 3
BETA = 0.7
GREEDY = Sampling(8, logprobs=True)
DRAWN = Sampling(8, 0.9, top_p=0.95, seed=5, logprobs=True)
STOP = 2


def llama(seed: int, width: int, layers: int, vocabulary: int, padding: int) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary + padding,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # padding would often be the likeliest
        model.lm_head.weight[vocabulary:] *= 9
    return model


@pytest.fixture(scope="module")
def trio(tokenizer: PreTrainedTokenizerBase) -> list[PreTrainedModel]:
    """A base, a tuned and an untuned model: other shapes, and heads of three sizes."""
    size = len(tokenizer)
    shapes = [(0, 48, 3, size, 11), (1, 32, 2, size, 5), (2, 32, 2, size, 0)]
    return [llama(*shape) for shape in shapes]


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    """More prompts than slots; some begin as others do."""
    torch.manual_seed(3)
    made = [torch.randint(5, 40_000, (length,)).tolist() for length in (5, 40, 41, 17)]
    return [*made, made[1][:30] + made[0], made[1] + [7, 8, 9]]


def cached(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> CachedModel:
    own = deepcopy(model)
    own.set_attn_implementation(ATTENTION)
    return CachedModel(own, tokenizer, slots=SLOTS, context=200)


def decoded(model: NextToken, prompts: list[list[int]], how: Sampling) -> list[Generated]:
    """Replies to all prompts at once, after they were asked before: slots hold other prompts."""
    with closing(Decoder(model, {STOP})) as decoder:
        for _ in range(2):
            replies = [decoder.submit(prompt, how) for prompt in prompts]
            found = [reply.result() for reply in replies]
    return found


def naive(
    trio: list[PreTrainedModel], prompt: list[int], how: Sampling, size: int
) -> tuple[list[int], list[float], bool]:
    """One reply without a cache: its tokens, their log-probabilities, and if padding was likely."""
    generator = torch.Generator().manual_seed(how.seed) if how.temperature else None
    ids, scores, padding = list(prompt), list[float](), False
    while len(ids) < len(prompt) + how.max_tokens:
        with torch.inference_mode():
            all_logits = [model(torch.tensor([ids]), logits_to_keep=1).logits for model in trio]
        logs = [logits[0, -1].log_softmax(-1) for logits in all_logits]
        padding |= int(logs[0].argmax()) >= size
        base, tuned, untuned = (each[:size] for each in logs)
        combined = (base + BETA * (tuned - untuned)).log_softmax(-1)
        token = choose(combined, how, generator)
        if token == STOP:
            break
        ids.append(token)
        scores.append(float(combined[token]))
    return ids[len(prompt) :], scores, padding


@pytest.mark.parametrize("how", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_tokens_are_those_of_a_naive_loop(
    trio: list[PreTrainedModel],
    prompts: list[list[int]],
    tokenizer: PreTrainedTokenizerBase,
    how: Sampling,
) -> None:
    base, tuned, untuned = (cached(model, tokenizer) for model in trio)
    joined = EmulatedTuning(base, tuned, untuned, BETA)
    found = decoded(joined, prompts, how)
    expected = [naive(trio, prompt, how, len(tokenizer)) for prompt in prompts]
    assert any(padding for *_, padding in expected), "the base alone would have drawn padding"
    for reply, (ids, scores, _) in zip(found, expected, strict=True):
        assert reply.text == tokenizer.decode(ids, skip_special_tokens=True)
        assert reply.completion == len(ids) + (reply.finish == "stop")
        assert [token.logprob for token in reply.tokens] == pytest.approx(scores, abs=1e-3)
    assert any(reply.cached for reply in found)


@pytest.mark.parametrize(
    ("tuned", "beta", "how"),
    [(1, 0.0, GREEDY), (1, 0.0, DRAWN), (2, 1.0, GREEDY), (2, 1.0, DRAWN)],
    ids=["beta 0", "beta 0, drawn", "no tuning", "no tuning, drawn"],
)
def test_without_a_difference_it_is_the_base(
    trio: list[PreTrainedModel],
    prompts: list[list[int]],
    tokenizer: PreTrainedTokenizerBase,
    tuned: int,
    beta: float,
    how: Sampling,
) -> None:
    base = llama(4, 32, 2, len(tokenizer), 0)
    changed, untuned = (cached(trio[number], tokenizer) for number in (tuned, 2))
    joined = EmulatedTuning(cached(base, tokenizer), changed, untuned, beta)
    alone = decoded(cached(base, tokenizer), prompts[:3], how)
    assert decoded(joined, prompts[:3], how) == alone


async def test_a_chat_asks_models_together(
    tokenizer: PreTrainedTokenizerBase, tiny: Path, tmp_path: Path
) -> None:
    """The untuned model is the base itself: with beta 1 the student alone is left."""
    student = llama(1, 32, 2, len(tokenizer), 64)
    student.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    asked = {"temperature": 0.0, "max_tokens": 8, "logprobs": True}
    request = ChatRequest("m", [{"role": "user", "content": "hello"}], [], asked)
    eft = Eft(str(tmp_path), str(tiny))
    with closing(LocalChat(str(tiny), slots=2, dtype=torch.float32, eft=eft)) as chat:
        (reply,) = await chat.generate(request)
        prompt = chat.renderer.encode(chat.renderer.render(request.messages, generation=True))
    (ids, scores, _) = naive([student] * 3, prompt, GREEDY, len(tokenizer))
    assert reply.text == tokenizer.decode(ids, skip_special_tokens=True)
    assert [token.logprob for token in reply.tokens] == pytest.approx(scores, abs=1e-3)
    assert chat.context == 512, "the least of the models' own"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"add": ["<new>"]}, "tokens only in the second: 1 \\(such as '<new>'\\)"),
        ({"special": ["hello"]}, "tokens special in only one: 1 \\(such as 'hello'\\)"),
    ],
)
def test_other_tokenizers_are_refused(
    tokenizer: PreTrainedTokenizerBase, change: dict[str, Any], words: str
) -> None:
    other = deepcopy(tokenizer)
    other.add_tokens(change.get("add", []))
    other.add_tokens(change.get("special", []), special_tokens=True)
    with pytest.raises(TrainerError, match=f"one tokenizer; of a and c: .*{words}") as caught:
        check_tokenizers({"a": tokenizer, "b": tokenizer, "c": other})
    assert "\n" not in str(caught.value)


def test_tokenizers_are_compared_before_weights_are_loaded(
    tokenizer: PreTrainedTokenizerBase, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    changed = deepcopy(tokenizer)
    changed.add_tokens(["<new>"])
    changed.save_pretrained(tmp_path)
    with pytest.raises(TrainerError, match="one tokenizer"):
        LocalChat(str(tiny), eft=Eft(str(tmp_path), str(tiny)))


@pytest.mark.parametrize("pair", ["a", "a:", ":b", "a:b:c"])
def test_a_pair_is_two_names(pair: str) -> None:
    with pytest.raises(TrainerError, match=f"--eft {pair}: must be TUNED:UNTUNED"):
        Eft.parse(pair, 1.0)


def test_flags_that_cannot_work_are_refused() -> None:
    assert Eft.parse("", 1.0) is None
    assert Eft.parse("x/a:b", 0.5) == Eft("x/a", "b", 0.5)
    with pytest.raises(TrainerError, match="--eft-beta has no effect without --eft"):
        Eft.parse("", 0.5)
    with pytest.raises(UsageError, match="--eft-beta -1"):
        Eft("a", "b", -1)
    backends: list[Backend] = ["vllm", "transformers"]
    for backend in backends:
        with pytest.raises(TrainerError, match=f"--backend {backend} has no --eft; use builtin"):
            ServeOptions("m", backend, eft=Eft("a", "b"))
    assert candidates(ServeOptions("m", eft=Eft("a", "b"))) == ["builtin"]
