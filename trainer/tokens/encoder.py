"""From rendered text to token ids, piece by piece, with text kept apart from control tokens.

Text is not control. A chat template writes messages and control tokens into one string, so a
`<|im_end|>` that a user or an observation holds would become the real token. Here every control
token inside a message is replaced by a mark before rendering and put back after the string has
been cut at the real ones; it is then encoded as plain text.

A tokenizer cuts at control tokens before it does anything else, so what stands between two of them
has the same ids wherever it stands: each such piece is encoded once and remembered. Where that
does not hold (a tokenizer that strips or adds blanks around control tokens) nothing is cut, and
text that holds control tokens is refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from trainer.errors import RowError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARK = "\ufdd0"
"""A Unicode noncharacter: no text that is interchanged holds it; if one does, it is marked too."""

_UNCOMMON = re.compile(r"[^\t\n\r -~]")

_SAMPLES = ("one two\n3", " x  y\n", "\n\n\u00e9\u6f22 ", "assistant\nThought: a. ", "\ttab\r\n")


class Encoder:
    """A tokenizer, and the control tokens that it knows.

    control: matches any one of them.   control_ids: their ids.
    remembered: characters of pieces whose ids are kept; when they are more, all are forgotten.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", remembered: int = 1 << 24) -> None:
        self.tokenizer = tokenizer
        self._remembered = remembered
        added = [token for token in tokenizer.added_tokens_decoder.items() if token[1].special]
        self.control_ids = {token.content: id for id, token in added}
        # A flag that makes a control token swallow its neighbours' blanks.
        self._greedy = any(t.lstrip or t.rstrip or t.single_word for _, t in added)
        # The longest first, so that no token hides another that begins with it.
        special = sorted(self.control_ids, key=len, reverse=True)
        self._marked = [_MARK, *special]
        self._text = re.compile("|".join(map(re.escape, self._marked)))
        self.control = re.compile("|".join(map(re.escape, special)) or r"(?!)")
        self._cut = re.compile(f"({self.control.pattern})")
        self._forget()

    def protect(self, value: Any) -> Any:
        """`value`, a JSON value, with the control tokens in its texts marked."""
        if isinstance(value, str):
            return self._text.sub(self._mark, value)
        if isinstance(value, dict):
            return {self.protect(key): self.protect(item) for key, item in value.items()}
        return [self.protect(item) for item in value] if isinstance(value, list) else value

    def plain(self, rendered: str) -> str:
        """`rendered` with the marked control tokens put back, for people and comparisons."""
        if _MARK not in rendered:
            return rendered
        return re.sub(
            f"{_MARK}([0-9]+){_MARK}", lambda found: self._marked[int(found[1])], rendered
        )

    def encode(self, rendered: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; marked control tokens become plain text. Fastest where a text
        begins as the one before it does.

        Raises:
            RowError: it is not Unicode text; or it holds marks and this tokenizer cannot be cut
                at control tokens.
        """
        if not self.cuts_cleanly:
            return [self._encode_whole(text) for text in rendered]
        cuts, shared, head = [], [], ""
        for text in rendered:
            goes_on = bool(head) and text.startswith(head)
            pieces = self._cut.split(text[len(head) :] if goes_on else text)
            # Up to its last control token a text's ids do not depend on what follows.
            head = text[: len(text) - len(pieces[-1])]
            cuts.append(pieces)
            shared.append(goes_on)
        self._learn(piece for pieces in cuts for piece in pieces)
        return list(self._join(cuts, shared))

    def encode_after(
        self, contexts: Sequence[str], completions: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Token ids of each context, and of what follows it, as a model would emit it.

        Raises:
            RowError: as `encode`; or the tokenizer joins both in one token.
        """
        befores = self.encode(contexts)
        if self._appends:
            return list(zip(befores, self.encode(completions), strict=True))
        wholes = self.encode([a + b for a, b in zip(contexts, completions, strict=True)])
        if any(whole[: len(b)] != b for whole, b in zip(wholes, befores, strict=True)):
            raise RowError("the tokenizer joins the end of a context with what the agent wrote")
        return [(b, whole[len(b) :]) for whole, b in zip(wholes, befores, strict=True)]

    def check_writable(self, ids: list[int], rendered: str) -> None:
        """Some vocabularies lack bytes and drop them without a word (SmolLM2: that of U+40000 and
        its neighbours): the student cannot write such text. Normalised Unicode is no loss.

        Raises:
            RowError: `ids` do not say what `rendered` says.
        """
        if self._writes_common and not _UNCOMMON.search(rendered):
            return
        given, read = self.plain(rendered), str(self.tokenizer.decode(ids))
        if given != read and squeeze(normalize("NFKC", given)) != squeeze(normalize("NFKC", read)):
            raise RowError("the tokenizer cannot write what the agent wrote")

    @cached_property
    def cuts_cleanly(self) -> bool:
        """Whether encoding piece by piece equals encoding at once."""
        if self._greedy:
            return False
        tokens = self.control_ids
        text = "".join(f"{token}{_SAMPLES[n % 5]}" for n, token in enumerate(tokens))
        for probe in (text, _SAMPLES[0] + text):
            pieces = self._cut.split(probe)
            self._learn(pieces)
            if [*self._join([pieces], [False])] != [self._encode_whole(probe)]:
                return False
        return True

    @cached_property
    def _appends(self) -> bool:
        """Whether a text encoded alone is encoded as after another (some put a blank first)."""
        ids = chain.from_iterable(self._encode_whole(text) for text in ("one\n", "two"))
        return self.cuts_cleanly and self.tokenizer.decode(list(ids)) == "one\ntwo"

    @cached_property
    def _writes_common(self) -> bool:
        """Whether any text of ASCII's printable characters, tabs and line breaks comes back."""
        text = "".join(map(chr, range(32, 127))) + "  \n\n\r\n a . b ' t\t\t"
        return self.tokenizer.decode(self._encode_whole(self.protect(text))) == text

    def _mark(self, found: re.Match[str]) -> str:
        return f"{_MARK}{self._marked.index(found[0])}{_MARK}"

    def _encode_whole(self, text: str) -> list[int]:
        if _MARK in text:
            raise RowError("the text holds control tokens, which this tokenizer cannot keep apart")
        return list(self.tokenizer(_unicode(text), add_special_tokens=False)["input_ids"])

    def _learn(self, pieces: Iterable[str]) -> None:
        new = [piece for piece in dict.fromkeys(pieces) if piece not in self._known]
        if not new:
            return
        self._characters += sum(map(len, new))
        ids = self.tokenizer(
            [_unicode(self.plain(piece)) for piece in new],
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
        )["input_ids"]
        self._known.update(zip(new, ids, strict=True))

    def _join(self, cuts: list[list[str]], shared: list[bool]) -> Iterator[list[int]]:
        """The ids of each text. shared: whether it goes on from the last control token of the one
        before."""
        known, ids = self._known, list[int]()
        last = 0  # ids after the last control token of `ids`
        for pieces, goes_on in zip(cuts, shared, strict=True):
            kept = ids[: len(ids) - last] if goes_on else []
            ids = kept + [id for piece in pieces for id in known[piece]]
            last = len(known[pieces[-1]])
            yield ids
        if self._characters > self._remembered:
            self._forget()

    def _forget(self) -> None:
        self._known: dict[str, list[int]] = {"": []}
        self._known |= {token: [id] for token, id in self.control_ids.items()}
        self._characters = 0


def squeeze(text: str) -> str:
    """`text` without blanks, for comparisons that do not care."""
    return "".join(text.split())


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can write one; no tokenizer takes it
        raise RowError("the text holds half of a surrogate pair") from error
    return text
