"""Chat templates of many models, each to be worn by the embedded student's tokenizer.

Those that TRL ships are read where it is installed; the others are files in golden/chat_templates.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.tokens.chat_template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_GOLDEN = Path(__file__).parents[1] / "golden" / "chat_templates"
_CONTROL = re.compile(
    r"<\|[^|<>\s']+\|>|<\uff5c[^\uff5c\s]+\uff5c>|<\|[a-z_\"]+>|<[a-z_\"]+\|>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|gMASK)\]"
    r"|<(?:start|end)_of_(?:turn|utterance)>|<sop>"
)

_ENDS = {
    "cohere": ("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
    "deepseek": (
        "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    ),
    "gemma": ("<bos>", "<eos>"),
    "glm": ("<|startoftext|>", "<|endoftext|>"),
    "gptoss": ("<|startoftext|>", "<|return|>"),
    "lfm2": ("<|startoftext|>", "<|im_end|>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "mistral": ("<s>", "</s>"),
    "alpaca": ("<s>", "</s>"),
    "phi3": ("<s>", "<|endoftext|>"),
}
"""Tokens that begin and end a text, by how a template's name begins."""


@dataclass(frozen=True, slots=True)
class TemplateCase:
    """bos, eos: the tokenizer's tokens of these names."""

    name: str
    text: str
    bos: str
    eos: str

    def renderer(self) -> ChatTemplate:
        """The shared tokenizer in this template; one template at a time."""
        return ChatTemplate(self.tokenizer())

    def tokenizer(self) -> "PreTrainedTokenizerBase":
        tokenizer = _shared()
        tokenizer.chat_template = self.text
        tokenizer.bos_token, tokenizer.eos_token = self.bos, self.eos
        return tokenizer


@cache
def templates() -> dict[str, TemplateCase]:
    """By name: TRL's as `trl/NAME`."""
    return {one.name: one for one in (*_shipped(), *map(_read, sorted(_GOLDEN.glob("*.jinja"))))}


def _shipped() -> list[TemplateCase]:
    import trl

    folder = Path(trl.__file__).parent / "chat_templates"
    return [_read(file, "trl/") for file in sorted(folder.glob("*.jinja"))]


def _read(file: Path, prefix: str = "") -> TemplateCase:
    ends = next((e for start, e in _ENDS.items() if file.stem.startswith(start)), None)
    bos, eos = ends or ("<|startoftext|>", "<|im_end|>")
    return TemplateCase(prefix + file.stem, file.read_text("utf-8"), bos, eos)


@cache
def _shared() -> "PreTrainedTokenizerBase":
    """The student's tokenizer with the control tokens of all templates."""
    from transformers import AutoTokenizer

    from trainer.runtime.embedded_model import resolve

    tokenizer = AutoTokenizer.from_pretrained(resolve("smollm2"))
    control = {token for one in templates().values() for token in _CONTROL.findall(one.text)}
    control |= {end for one in templates().values() for end in (one.bos, one.eos)}
    tokenizer.add_special_tokens({"additional_special_tokens": sorted(control)})
    return tokenizer
