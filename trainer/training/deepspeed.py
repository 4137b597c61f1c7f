"""DeepSpeed's ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054): --deepspeed, from flag to engine.

zero2   each process keeps its share of gradients and optimizer states
zero3   of the weights too; a layer's are gathered when it is computed
FILE    a configuration of DeepSpeed's own, in JSON; "auto" is filled from the other flags

`accelerate launch` and `torchrun` start processes; without either it is one. Which launcher it was
makes no difference.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainer.errors import TrainerError
from trainer.runtime import hardware

Config = dict[str, Any]

_STAGES = {"zero2": 2, "zero3": 3}
_ELSEWHERE = {"ACCELERATE_USE_DEEPSPEED": "DeepSpeed", "ACCELERATE_USE_FSDP": "FSDP"}
_BATCH = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")


def preset(stage: int) -> Config:
    """ZeRO of a stage, 2 or 3; bfloat16 where the run is, with float32 masters; nothing offloaded.

    "auto" is what transformers fills in: from its arguments, or from the model's width.
    """
    zero: Config = {
        "stage": stage,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if stage == 3:
        zero |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    filled: Config = {name: "auto" for name in (*_BATCH, "gradient_clipping")}
    return {**filled, "bf16": {"enabled": "auto"}, "zero_optimization": zero}


def configuration(wanted: str | None) -> Config | None:
    """What --deepspeed names; None without it.

    Raises:
        TrainerError: there is no such file, or it holds something else.
    """
    if wanted is None:
        return None
    if wanted in _STAGES:
        return preset(_STAGES[wanted])
    where = f"--deepspeed {wanted}"
    try:
        config = json.loads(Path(wanted).read_text("utf-8"))
    except OSError as error:
        raise TrainerError(
            f"{where}: use zero2, zero3 or a JSON file ({error.strerror})"
        ) from error
    except ValueError as error:
        raise TrainerError(f"{where}: is no JSON: {error}") from error
    zero = config.get("zero_optimization") if isinstance(config, dict) else None
    if not isinstance(zero, dict) or zero.get("stage") not in (0, 1, 2, 3):
        raise TrainerError(f'{where}: needs "zero_optimization": {{"stage": 0, 1, 2 or 3}}')
    if zero["stage"] == 3:  # else no whole model could be written in the end
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    # What the file leaves open means what it means without DeepSpeed.
    known = preset(zero["stage"])
    if "fp16" in config:
        del known["bf16"]
    return {**known, **config}


def stage(config: Config | None) -> int:
    """What ZeRO splits: 0 nothing, 1 optimizer states, 2 gradients too, 3 weights too."""
    return int(config["zero_optimization"]["stage"]) if config else 0


def start(wanted: str | None) -> None:
    """Join the group of processes, or make one of this process alone; before a model is loaded.

    Raises:
        TrainerError: DeepSpeed is not installed, does not take the configuration, or another
            configuration stands in accelerate's.
    """
    config = configuration(wanted)
    if config is None:
        _refuse_others()
        return
    if find_spec("deepspeed") is None:
        raise TrainerError("DeepSpeed is not installed: pip install 'treegraft[deepspeed]'")
    if "RANK" not in os.environ:
        _alone()
    # accelerate refuses another configuration beside the one that it was launched with.
    os.environ.pop("ACCELERATE_CONFIG_DS_FIELDS", None)
    import deepspeed  # type: ignore[import-untyped]
    from deepspeed.runtime.config import (  # type: ignore[import-untyped]
        DeepSpeedConfig,
        DeepSpeedConfigError,
    )

    cpu = hardware.device() == "cpu"
    # An operator that DeepSpeed would compile here and now, half a minute of g++: gloo does it.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo" if cpu else None, verbose=False)
    try:
        DeepSpeedConfig(_for_loading(config, bf16=not cpu))
    except (ValueError, TypeError, AssertionError, DeepSpeedConfigError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"--deepspeed {wanted}: DeepSpeed refuses it: {reason}") from error


@contextmanager
def loading(wanted: str | None, bf16: bool) -> Iterator[None]:
    """Around `from_pretrained`: with ZeRO-3, each process loads its share of a model only.

    bf16: whether that is in bfloat16.
    """
    config = configuration(wanted)
    if config is None or stage(config) != 3:
        yield
        return
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    # transformers looks for a living one.
    known = HfDeepSpeedConfig(_for_loading(config, bf16))  # type: ignore[no-untyped-call]
    yield
    del known


def check_flags(arguments: Any) -> None:
    """See that a configuration says nothing else than the flags; before anything is written.

    arguments: transformers'.

    Raises:
        TrainerError: it does, with both values.
    """
    known = getattr(arguments, "hf_deepspeed_config", None)
    if known is not None and known.mismatches:
        told = "; ".join(
            line.removeprefix("- ds ").replace(" vs hf ", ", but the flags say ")
            for line in known.mismatches
        )
        raise TrainerError(f'--deepspeed: {told}: give the flag that value, or the file "auto"')


def is_partitioned(model: Any) -> bool:
    """Whether the weights of `model` lie in pieces on several processes (ZeRO-3)."""
    return any(hasattr(parameter, "ds_id") for parameter in model.parameters())


def gathered(parameters: Any) -> Any:
    """A context in which `parameters` are whole, on every process; each must enter it."""
    split = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    if not split:
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(split)


def forget() -> None:
    """Training is over: what is loaded from now on is loaded whole."""
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]


def _for_loading(config: Config, bf16: bool) -> Config:
    """`config` before batches are known: DeepSpeed leaves out "auto" elsewhere."""
    made = {k: v for k, v in deepcopy(config).items() if k not in _BATCH and v != "auto"}
    if made.get("bf16", {}).get("enabled") == "auto":
        made["bf16"]["enabled"] = bf16
    made.pop("optimizer", None)
    made.pop("scheduler", None)
    return {**made, "train_micro_batch_size_per_gpu": 1}


def _alone() -> None:
    """What a launcher would say of one process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", **address}


def _refuse_others() -> None:
    """Settings of accelerate's that this command would not know of when it loads and saves."""
    for variable, name in _ELSEWHERE.items():
        if os.environ.get(variable, "false").lower() in ("true", "1"):
            raise TrainerError(
                f"accelerate is set to {name}, whose settings are given here by a flag: add "
                "--deepspeed zero2, zero3 or FILE"
            )
