"""DeepSpeed's ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054): --deepspeed, from flag to engine.

zero2   each process keeps its share of gradients and optimizer states
zero3   and of the weights; a layer's weights are gathered when it is computed
FILE    a DeepSpeed configuration in JSON; "auto" is filled from the other flags

`accelerate launch` or `torchrun` start the processes, with the same result; without either there is
one. accelerate itself joins DeepSpeed's group neither on a CPU nor in a single process, so `start`
does.
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
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

Config = dict[str, Any]

_STAGES = {"zero2": 2, "zero3": 3}
_ACCELERATE = {"ACCELERATE_USE_DEEPSPEED": "DeepSpeed", "ACCELERATE_USE_FSDP": "FSDP"}
_BATCH = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")


def preset(stage: int) -> Config:
    """Return the configuration of a ZeRO stage, with nothing offloaded.

    transformers fills in each "auto", from its arguments or the model's width. Where the run uses
    bfloat16, the master weights are float32.
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


def configuration(flag: str | None) -> Config | None:
    """Return the configuration that --deepspeed names, or None without the flag.

    Raises:
        TrainerError: There is no such file, or it is not a DeepSpeed configuration.
    """
    if flag is None:
        return None
    if flag in _STAGES:
        return preset(_STAGES[flag])
    where = f"--deepspeed {flag}"
    try:
        config = json.loads(read_text(Path(flag)))
    except FileError as error:
        raise TrainerError(f"{where}: use zero2, zero3 or a JSON file ({error})") from error
    except (ValueError, RecursionError) as error:
        raise TrainerError(f"{where}: is not JSON: {error}") from error
    zero = config.get("zero_optimization") if isinstance(config, dict) else None
    if not isinstance(zero, dict) or zero.get("stage") not in (0, 1, 2, 3):
        raise TrainerError(f'{where}: needs "zero_optimization": {{"stage": 0, 1, 2 or 3}}')
    if zero["stage"] == 3:  # to write the whole model at the end
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    # What the file leaves out has the same value as without DeepSpeed.
    known = preset(zero["stage"])
    if "fp16" in config:
        del known["bf16"]
    return {**known, **config}


def stage(config: Config | None) -> int:
    """Return what ZeRO partitions: 0 nothing, 1 optimizer states, 2 also gradients, 3 weights."""
    return int(config["zero_optimization"]["stage"]) if config else 0


def start(flag: str | None) -> None:
    """Join the group of processes, or make a group of one; call it before a model is loaded.

    Raises:
        TrainerError: DeepSpeed is not installed or refuses the configuration, or accelerate is
            configured for DeepSpeed or FSDP without the flag.
    """
    config = configuration(flag)
    if config is None:
        _refuse_accelerate_settings()
        return
    if find_spec("deepspeed") is None:
        raise TrainerError("DeepSpeed is not installed: pip install 'treegraft[deepspeed]'")
    if "RANK" not in os.environ:
        os.environ |= _single_process()
    # accelerate refuses a second configuration beside the one that it was launched with.
    os.environ.pop("ACCELERATE_CONFIG_DS_FIELDS", None)
    import deepspeed  # type: ignore[import-untyped]
    from deepspeed.runtime.config import (  # type: ignore[import-untyped]
        DeepSpeedConfig,
        DeepSpeedConfigError,
    )

    cpu = hardware.device() == "cpu"
    # DeepSpeed would compile this operator now, for half a minute; gloo does the same.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo" if cpu else None, verbose=False)
    try:
        DeepSpeedConfig(_for_loading(config, bf16=not cpu))
    except (ValueError, TypeError, AssertionError, DeepSpeedConfigError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"--deepspeed {flag}: DeepSpeed refuses it: {reason}") from error


@contextmanager
def loading(flag: str | None, bf16: bool) -> Iterator[None]:
    """Make `from_pretrained` load only this process's share of the weights, with ZeRO-3.

    Args:
        flag: The value of --deepspeed.
        bf16: Whether the weights are bfloat16.
    """
    config = configuration(flag)
    if config is None or stage(config) != 3:
        yield
        return
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    # transformers keeps a weak reference to it.
    alive = HfDeepSpeedConfig(_for_loading(config, bf16))  # type: ignore[no-untyped-call]
    yield
    del alive


def check_flags(arguments: Any) -> None:
    """Require that a configuration agrees with the flags, before anything is written.

    Args:
        arguments: The `TrainingArguments`.

    Raises:
        TrainerError: They differ; names both values.
    """
    known = getattr(arguments, "hf_deepspeed_config", None)
    if known is not None and known.mismatches:
        differences = "; ".join(
            line.removeprefix("- ds ").replace(" vs hf ", ", but the flags say ")
            for line in known.mismatches
        )
        raise TrainerError(
            f'--deepspeed: {differences}: give the flag that value, or the file "auto"'
        )


def is_partitioned(model: Any) -> bool:
    """Return whether the weights of `model` are partitioned over processes (ZeRO-3)."""
    return any(hasattr(parameter, "ds_id") for parameter in model.parameters())


def gathered(parameters: Any) -> Any:
    """Return a context in which `parameters` are whole; every process must enter it."""
    partitioned = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    if not partitioned:
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(partitioned)


def forget() -> None:
    """Make `from_pretrained` load whole models again, after training."""
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]


def _for_loading(config: Config, bf16: bool) -> Config:
    """Return `config` as it can be used before batch sizes are known."""
    known = {k: v for k, v in deepcopy(config).items() if k not in _BATCH and v != "auto"}
    if known.get("bf16", {}).get("enabled") == "auto":
        known["bf16"]["enabled"] = bf16
    known.pop("optimizer", None)
    known.pop("scheduler", None)
    return {**known, "train_micro_batch_size_per_gpu": 1}


def _single_process() -> dict[str, str]:
    """Return the environment that a launcher sets for a single process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", **address}


def _refuse_accelerate_settings() -> None:
    """Refuse settings of accelerate's that loading and saving would have to know of."""
    for variable, name in _ACCELERATE.items():
        if os.environ.get(variable, "false").lower() in ("true", "1"):
            raise TrainerError(
                f"accelerate is configured for {name}: add --deepspeed zero2, zero3 or FILE"
            )
