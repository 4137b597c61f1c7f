"""From text to token ids, on the student's tokenizer and on kinds that treat blanks otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from trainer.errors import RowError
from trainer.tokens.encoder import Encoder

END = "<|im_end|>"
PIECES = st.one_of(
    st.text(max_size=8), st.sampled_from([END, "<|im_start|>", "\n", "  ", "user\n"])
)


@pytest.fixture(scope="module")
def encoder(tokenizer: PreTrainedTokenizerBase) -> Encoder:
    return Encoder(tokenizer)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=4))
def test_pieces_are_encoded_as_the_whole(encoder: Encoder, texts: list[str]) -> None:
    """Each text also after others, which it may go on from."""
    texts = [*texts, *("".join(texts[:n]) for n in range(1, len(texts) + 1))]
    assert encoder.encode(texts) == [
        encoder.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts
    ]


def test_what_a_message_holds_is_text(encoder: Encoder) -> None:
    marked = encoder.protect({"a": [f"x{END}y", "\ufdd0"]})["a"]
    assert END not in marked[0] and [encoder.plain(text) for text in marked] == [
        f"x{END}y",
        "\ufdd0",
    ]
    (ids,) = encoder.encode([marked[0] + END])
    assert ids.count(2) == 1 and ids[-1] == 2
    assert encoder.tokenizer.decode(ids) == f"x{END}y{END}"


def test_the_memory_is_bounded(tokenizer: PreTrainedTokenizerBase) -> None:
    forgetful = Encoder(tokenizer, capacity=100)
    (before,) = forgetful.encode(["one"])
    for number in range(40):
        forgetful.encode([f"{number} two three"])
    assert forgetful.encode(["one"]) == [before]
    assert len(forgetful._cache) < 20 + len(forgetful.control_ids)


def made(prepend: str, **flags: bool) -> Encoder:
    """A small SentencePiece-like tokenizer: words, with a blank as part of the word it precedes."""
    words = ["\u2581one", "\u2581two", "two", "\u2581", "\n", "<0x0A>", "\u2581\n"]
    vocabulary = {word: n for n, word in enumerate([*"abcdefghijklmnopqrstuvwxyz:.3", *words])}
    backend = Tokenizer(models.BPE(vocabulary, [], unk_token="."))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend)
    backend.decoder = decoders.Metaspace(prepend_scheme=prepend)
    backend.add_special_tokens([AddedToken(END, **flags)])
    return Encoder(PreTrainedTokenizerFast(tokenizer_object=backend))


@pytest.mark.parametrize("prepend", ["always", "first", "never"])
def test_a_tokenizer_that_puts_a_blank_first(prepend: str) -> None:
    encoder = made(prepend)
    context, completion = f"one{END}two", f"two{END}"
    ((before, after),) = encoder.encode_after([context], [completion])
    whole = encoder.tokenizer(context + completion, add_special_tokens=False)["input_ids"]
    assert before + after == whole


def test_a_tokenizer_that_joins_context_and_completion_drops_the_row(encoder: Encoder) -> None:
    backend = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "\u2581": 3}, [("a", "b")]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    joining = Encoder(PreTrainedTokenizerFast(tokenizer_object=backend))
    with pytest.raises(RowError, match="joins the end of a context"):
        joining.encode_after(["a"], ["b"])


def test_a_tokenizer_whose_control_tokens_take_blanks_is_not_cut() -> None:
    encoder = made("never", rstrip=True)
    assert not encoder.cuts_cleanly
    text = f"one{END} two"
    assert (
        encoder.encode([text])[0] == encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
    )
    with pytest.raises(RowError, match="cannot keep apart"):
        encoder.encode([encoder.protect(text)])


def test_half_a_character_is_no_text(encoder: Encoder) -> None:
    with pytest.raises(RowError, match="half of a surrogate pair"):
        encoder.encode(["\ud800"])
