"""From rendered text to token ids, piece by piece, with text kept apart from control tokens.

A chat template writes messages and control tokens into one string, so a `<|im_end|>` in the text of
a user or an observation would become the real token. Here every control token inside a message is
replaced by a placeholder before rendering, and put back after the string has been cut at the real
ones; it is then encoded as plain text.

A tokenizer cuts at control tokens before it does anything else, so the text between two of them has
the same ids wherever it stands: each such piece is encoded once and cached. Where that does not
hold (a tokenizer that strips or adds blanks around control tokens) nothing is cut, and text that
holds control tokens is refused.
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
"""A Unicode noncharacter, which texts should not hold; if one does, it is replaced too."""

_UNCOMMON = re.compile(r"[^\t\n\r -~]")

_SAMPLES = ("one two\n3", " x  y\n", "\n\n\u00e9\u6f22 ", "assistant\nThought: a. ", "\ttab\r\n")


class Encoder:
    """A tokenizer and its control tokens.

    Attributes:
        tokenizer: The tokenizer.
        control: Matches any control token.
        control_ids: Their ids.

    Args:
        tokenizer: The tokenizer.
        capacity: Characters of pieces to cache; beyond it, the cache is cleared.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", capacity: int = 1 << 24) -> None:
        self.tokenizer = tokenizer
        self._capacity = capacity
        added = [token for token in tokenizer.added_tokens_decoder.items() if token[1].special]
        self.control_ids = {token.content: id for id, token in added}
        # These flags make a control token swallow the blanks beside it.
        self._greedy = any(t.lstrip or t.rstrip or t.single_word for _, t in added)
        # Longest first, so that no token hides another that begins with it.
        special = sorted(self.control_ids, key=len, reverse=True)
        self._replaced = [_MARK, *special]
        self._text = re.compile("|".join(map(re.escape, self._replaced)))
        self.control = re.compile("|".join(map(re.escape, special)) or r"(?!)")
        self._cut = re.compile(f"({self.control.pattern})")
        self._clear()

    def protect(self, value: Any) -> Any:
        """Return a JSON value with the control tokens in its texts replaced by placeholders."""
        if isinstance(value, str):
            return self._text.sub(self._mark, value)
        if isinstance(value, dict):
            return {self.protect(key): self.protect(item) for key, item in value.items()}
        return [self.protect(item) for item in value] if isinstance(value, list) else value

    def plain(self, rendered: str) -> str:
        """Return `rendered` with the control tokens put back, to show and to compare."""
        if _MARK not in rendered:
            return rendered
        return re.sub(
            f"{_MARK}([0-9]+){_MARK}", lambda found: self._replaced[int(found[1])], rendered
        )

    def encode(self, rendered: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text; placeholders become plain text.

        This is fastest where a text begins as the one before it does.

        Raises:
            RowError: A text is not valid Unicode; or it holds placeholders, and this tokenizer
                cannot be cut at control tokens.
        """
        if not self.cuts_cleanly:
            return [self._encode_whole(text) for text in rendered]
        cuts, shared, head = [], [], ""
        for text in rendered:
            continues = bool(head) and text.startswith(head)
            pieces = self._cut.split(text[len(head) :] if continues else text)
            # Up to its last control token a text's ids do not depend on what follows.
            head = text[: len(text) - len(pieces[-1])]
            cuts.append(pieces)
            shared.append(continues)
        self._fill(piece for pieces in cuts for piece in pieces)
        return list(self._join(cuts, shared))

    def encode_after(
        self, contexts: Sequence[str], completions: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Return the token ids of each context, and of its completion as a model would emit it.

        Raises:
            RowError: As `encode`; or the tokenizer joins both in one token.
        """
        befores = self.encode(contexts)
        if self._appends:
            return list(zip(befores, self.encode(completions), strict=True))
        wholes = self.encode([a + b for a, b in zip(contexts, completions, strict=True)])
        if any(whole[: len(b)] != b for whole, b in zip(wholes, befores, strict=True)):
            raise RowError("the tokenizer joins the end of a context with what the agent wrote")
        return [(b, whole[len(b) :]) for whole, b in zip(wholes, befores, strict=True)]

    def check_writable(self, ids: list[int], rendered: str) -> None:
        """Refuse text that the vocabulary cannot write.

        Some vocabularies lack bytes and drop them silently (SmolLM2: those of U+40000 and its
        neighbours). A difference in Unicode normalisation is accepted.

        Raises:
            RowError: `ids` do not decode to `rendered`.
        """
        if self._writes_common and not _UNCOMMON.search(rendered):
            return
        text, decoded = self.plain(rendered), str(self.tokenizer.decode(ids))
        if text != decoded and loose(text) != loose(decoded):
            raise RowError("the tokenizer cannot write what the agent wrote")

    @cached_property
    def cuts_cleanly(self) -> bool:
        """Whether encoding piece by piece equals encoding the whole text."""
        if self._greedy:
            return False
        tokens = self.control_ids
        text = "".join(f"{token}{_SAMPLES[n % 5]}" for n, token in enumerate(tokens))
        for probe in (text, _SAMPLES[0] + text):
            pieces = self._cut.split(probe)
            self._fill(pieces)
            if [*self._join([pieces], [False])] != [self._encode_whole(probe)]:
                return False
        return True

    @cached_property
    def _appends(self) -> bool:
        """Whether a text has the same ids alone as after another (some tokenizers add a blank)."""
        ids = chain.from_iterable(self._encode_whole(text) for text in ("one\n", "two"))
        return self.cuts_cleanly and self.tokenizer.decode(list(ids)) == "one\ntwo"

    @cached_property
    def _writes_common(self) -> bool:
        """Whether text of printable ASCII, tabs and line breaks decodes to itself."""
        text = "".join(map(chr, range(32, 127))) + "  \n\n\r\n a . b ' t\t\t"
        return self.tokenizer.decode(self._encode_whole(self.protect(text))) == text

    def _mark(self, found: re.Match[str]) -> str:
        return f"{_MARK}{self._replaced.index(found[0])}{_MARK}"

    def _encode_whole(self, text: str) -> list[int]:
        if _MARK in text:
            raise RowError("the text holds control tokens, which this tokenizer cannot keep apart")
        return list(self.tokenizer(_unicode(text), add_special_tokens=False)["input_ids"])

    def _fill(self, pieces: Iterable[str]) -> None:
        new = [piece for piece in dict.fromkeys(pieces) if piece not in self._cache]
        if not new:
            return
        self._characters += sum(map(len, new))
        ids = self.tokenizer(
            [_unicode(self.plain(piece)) for piece in new],
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
        )["input_ids"]
        self._cache.update(zip(new, ids, strict=True))

    def _join(self, cuts: list[list[str]], shared: list[bool]) -> Iterator[list[int]]:
        """Yield the ids of each text.

        Args:
            cuts: The pieces of each text.
            shared: Whether a text continues from the last control token of the one before.
        """
        known, ids = self._cache, list[int]()
        last = 0  # ids after the last control token of `ids`
        for pieces, continues in zip(cuts, shared, strict=True):
            kept = ids[: len(ids) - last] if continues else []
            ids = kept + [id for piece in pieces for id in known[piece]]
            last = len(known[pieces[-1]])
            yield ids
        if self._characters > self._capacity:
            self._clear()

    def _clear(self) -> None:
        self._cache: dict[str, list[int]] = {"": []}
        self._cache |= {token: [id] for token, id in self.control_ids.items()}
        self._characters = 0


def squeeze(text: str) -> str:
    """Return `text` without blanks, for comparisons that ignore them."""
    return "".join(text.split())


def loose(text: str) -> str:
    """Return `text` normalised (NFKC) and without blanks, for comparisons that ignore both."""
    return squeeze(normalize("NFKC", text))


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can hold one; no tokenizer takes it
        raise RowError("the text holds half of a surrogate pair") from error
    return text
