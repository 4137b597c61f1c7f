"""Whether two tokenizers are one, so that two models can be compared token by token."""

from transformers import PreTrainedTokenizerBase


def difference(
    one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase, *, special: bool = True
) -> str:
    """Return how the tokens of two tokenizers differ, in words; "" if they do not.

    Args:
        one: A tokenizer.
        other: Another one.
        special: Whether the same tokens must be special in both.
    """
    ours, theirs = one.get_vocab(), other.get_vocab()
    both = ours.keys() & theirs.keys()
    found = {
        "tokens only in the first:": ours.keys() - both,
        "tokens only in the second:": theirs.keys() - both,
        "tokens with another id:": {token for token in both if ours[token] != theirs[token]},
        "tokens special in only one:": (_special(one) ^ _special(other)) & both
        if special
        else set(),
    }
    return "; ".join(
        f"{what} {len(tokens)} (such as {min(tokens)!r})"
        for what, tokens in found.items()
        if tokens
    )


def _special(tokenizer: PreTrainedTokenizerBase) -> set[str]:
    added = tokenizer.added_tokens_decoder.values()
    return {token.content for token in added if token.special}
