"""`trainer gguf`: transformers reads back the weights, and faults are told in a line."""

from pathlib import Path

import pytest
import torch
from gguf import GGUFReader, GGUFWriter
from transformers import AutoModelForCausalLM, GgufConfig, LlamaConfig, Qwen2Config
from transformers.modeling_utils import PreTrainedModel

from trainer.errors import TrainerError
from trainer.runtime.gguf_file import write_gguf

SHAPE = {
    "vocab_size": 8,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
MATRICES = {
    "token_embd": (8, 32),
    "blk.{}.attn_q": (32, 32),
    "blk.{}.attn_k": (16, 32),
    "blk.{}.attn_v": (16, 32),
    "blk.{}.attn_output": (32, 32),
    "blk.{}.ffn_gate": (64, 32),
    "blk.{}.ffn_up": (64, 32),
    "blk.{}.ffn_down": (32, 64),
    "blk.{}.attn_norm": (32,),
    "blk.{}.ffn_norm": (32,),
    "output_norm": (32,),
}


def base(folder: Path, architecture: str) -> Path:
    """Write the GGUF file of an untrained model: zeros, and a tokenizer of eight tokens."""
    file = folder / "base.gguf"
    writer = GGUFWriter(file, architecture)
    writer.add_block_count(2)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_context_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_token_list([f"t{n}" for n in range(8)])
    writer.add_chat_template("the base's template")
    for name, shape in MATRICES.items():
        for block in range(2) if "{}" in name else [0]:
            writer.add_tensor(f"{name.format(block)}.weight", torch.zeros(shape).numpy())
    if architecture == "qwen2":
        for block in range(2):
            for name, size in (("q", 32), ("k", 16), ("v", 16)):
                zeros = torch.zeros(size).numpy()
                writer.add_tensor(f"blk.{block}.attn_{name}.bias", zeros)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file):
        write()
    writer.write_tensors_to_file()
    writer.close()
    return file


def student(folder: Path, architecture: str, tied: bool = True) -> PreTrainedModel:
    config = {"llama": LlamaConfig, "qwen2": Qwen2Config}[architecture]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config(**SHAPE, tie_word_embeddings=tied))
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight)
    model.save_pretrained(folder / "student")
    return model


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_transformers_reads_the_same_model(architecture: str, tied: bool, tmp_path: Path) -> None:
    like = base(tmp_path, architecture)
    model = student(tmp_path, architecture, tied).eval()
    (tmp_path / "student" / "chat_template.jinja").write_text("the student's template")
    out = tmp_path / "out.gguf"
    write_gguf(tmp_path / "student", like, out, "f32")
    again = AutoModelForCausalLM.from_pretrained(
        tmp_path,
        gguf_file="out.gguf",
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    ).eval()
    tokens = torch.arange(8)[None]
    assert torch.equal(model(tokens).logits, again(tokens).logits)
    fields = GGUFReader(out).fields
    assert fields["tokenizer.chat_template"].contents() == "the student's template"
    assert fields["tokenizer.ggml.tokens"].contents() == [f"t{n}" for n in range(8)]


def test_eight_bits_are_near(tmp_path: Path) -> None:
    like = base(tmp_path, "llama")
    model = student(tmp_path, "llama")
    write_gguf(tmp_path / "student", like, tmp_path / "out.gguf")
    again = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file="out.gguf", quantization_config=GgufConfig(dequantize=True)
    )
    for name, weight in model.state_dict().items():
        largest = weight.abs().max()
        assert (again.state_dict()[name] - weight).abs().max() <= largest / 127


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: (d / "base.gguf").write_bytes(b"GGUF\x03"), "is not a complete GGUF file"),
        (lambda d: (d / "base.gguf").unlink(), "cannot read"),
        (lambda d: base(d, "gpt2"), "its architecture is gpt2"),
        (lambda d: base(d, "qwen2"), "lacks blk.0.attn_k.bias"),
        (lambda d: (d / "student/model.safetensors").write_bytes(b"{}"), "not a complete file of"),
        (lambda d: (d / "student/model.safetensors").unlink(), "no model here"),
    ],
)
def test_faults(spoil: object, words: str, tmp_path: Path) -> None:
    base(tmp_path, "llama")
    student(tmp_path, "llama")
    assert callable(spoil)
    spoil(tmp_path)
    (tmp_path / "out.gguf").write_text("of before")
    with pytest.raises(TrainerError, match=words):
        write_gguf(tmp_path / "student", tmp_path / "base.gguf", tmp_path / "out.gguf")
    assert (tmp_path / "out.gguf").read_text() == "of before"


def test_another_size_is_told(tmp_path: Path) -> None:
    like = base(tmp_path, "llama")
    config = LlamaConfig(**SHAPE | {"vocab_size": 9}, tie_word_embeddings=True)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "student")
    with pytest.raises(TrainerError, match=r"token_embd.weight is \(9, 32\), and \(8, 32\) in"):
        write_gguf(tmp_path / "student", like, tmp_path / "out.gguf")
