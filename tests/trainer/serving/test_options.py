"""Options of `trainer serve`, checked before a model is loaded."""

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.web import HOST, listen
from trainer.errors import TrainerError
from trainer.inference.kv_cache import ATTENTION
from trainer.serving import builtin
from trainer.serving.options import ServeOptions


def test_a_taken_address_is_an_error_before_a_model_is_loaded() -> None:
    with listen(HOST, 0) as listener:
        port = listener.getsockname()[1]
        options = ServeOptions("there is no such model", port=port)
        with pytest.raises(UsageError, match=rf"cannot serve on 127\.0\.0\.1:{port} .*--port"):
            builtin.run(options, lambda server: None)


def test_wrong_options_are_errors() -> None:
    with pytest.raises(TrainerError, match="--backend is 'x'; use one of auto, vllm"):
        ServeOptions("m", "x")  # type: ignore[arg-type]
    with pytest.raises(TrainerError, match="the key must consist"):
        ServeOptions("m", key="a\nb")
    assert ServeOptions("m", host="0.0.0.0").base_url(5) == "http://127.0.0.1:5/v1"
    assert ServeOptions("m", host="::").base_url(5) == "http://[::1]:5/v1"


def test_models_that_only_other_servers_run_are_recognised(tiny: Path, tmp_path: Path) -> None:
    from transformers import MistralConfig

    MistralConfig(sliding_window=64).save_pretrained(tmp_path)
    assert "only full attention" in builtin.why_unusable(ServeOptions(str(tmp_path)))
    assert builtin.why_unusable(ServeOptions(str(tiny))) == ""
    assert ATTENTION not in builtin.why_unusable(ServeOptions(str(tmp_path)))
