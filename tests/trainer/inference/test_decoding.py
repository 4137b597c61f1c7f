"""How a token is drawn."""

import pytest
import torch

from trainer.inference.decoding import Sampling, choose

LOGITS = torch.tensor([1.0, 3.0, float("-inf"), 2.0, 0.0, float("-inf")])


def drawn(sampling: Sampling, number: int = 20_000) -> list[float]:
    """How often each token is."""
    generator = torch.Generator().manual_seed(0)
    found = [choose(LOGITS, sampling, generator) for _ in range(number)]
    return [found.count(token) / number for token in range(len(LOGITS))]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_model_has_it(temperature: float) -> None:
    chances = (LOGITS / temperature).softmax(-1)
    found = drawn(Sampling(1, temperature))
    for share, chance in zip(found, chances.tolist(), strict=True):
        # Four standard errors; a token without a chance is never drawn.
        assert abs(share - chance) <= 4 * (chance * (1 - chance) / 20_000) ** 0.5


def test_the_nucleus_is_as_few_tokens_as_hold_top_p() -> None:
    found = drawn(Sampling(1, 1.0, top_p=0.8), 2_000)
    assert [share > 0 for share in found] == [False, True, False, True, False, False]
    assert found[1] == pytest.approx(torch.tensor([3.0, 2.0]).softmax(-1)[0].item(), abs=0.05)


def test_without_a_generator_the_likeliest_is_taken() -> None:
    assert choose(LOGITS, Sampling(1, 1.0), None) == 1
