"""What is to be served and where: told before a model is loaded."""

from pathlib import Path

import pytest

from trainer.errors import TrainerError
from trainer.inference.kv_cache import ATTENTION
from trainer.serving.options import Plan


def test_an_address_that_is_taken_is_said_before_a_model_is_loaded() -> None:
    with Plan("tiny", port=0).bind() as bound:
        bound.listen()
        port = bound.getsockname()[1]
        with pytest.raises(TrainerError, match=rf"cannot serve on 127\.0\.0\.1:{port} .*--port"):
            Plan("tiny", port=port).bind()


def test_a_plan_says_what_is_wrong_with_it() -> None:
    with pytest.raises(TrainerError, match="--backend is 'x'; use one of auto, vllm"):
        Plan("m", "x")  # type: ignore[arg-type]
    with pytest.raises(TrainerError, match="the key holds characters"):
        Plan("m", key="a\nb")
    assert Plan("m", host="0.0.0.0").base_url(5) == "http://127.0.0.1:5/v1"
    assert Plan("m", host="::").base_url(5) == "http://[::1]:5/v1"


def test_models_that_only_others_can_serve_are_told_apart(tiny: Path, tmp_path: Path) -> None:
    from transformers import MistralConfig

    from trainer.serving.builtin import unable

    MistralConfig(sliding_window=64).save_pretrained(tmp_path)
    assert "only full attention" in unable(Plan(str(tmp_path)))
    assert unable(Plan(str(tiny))) == ""
    assert ATTENTION not in unable(Plan(str(tmp_path)))
