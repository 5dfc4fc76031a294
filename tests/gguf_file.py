"""Writes a tiny random Llama as a GGUF file, as llama.cpp's converter would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("i", "n")]
TOKENS = [*SPECIAL, *bytes_to_unicode().values(), *(a + b for a, b in MERGES)]
# Names in a GGUF file by the names of transformers.
NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def make_model() -> LlamaForCausalLM:
    """Return a random Llama with the vocabulary of the files."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True,
        initializer_range=0.2, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def write_gguf(
    model: LlamaForCausalLM, path: Path, *, architecture: str = "llama", kind: str = "F32"
) -> Path:
    """Write a model to a GGUF file.

    Args:
        model: From :func:`make_model`.
        path: The file.
        architecture: What the file says it is.
        kind: How its matrices are held: ``F32`` or a quantised type such as ``Q8_0``.
    """
    import gguf

    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer)
    for name, tensor in _tensors(model):
        held = getattr(gguf.GGMLQuantizationType, kind if tensor.ndim > 1 else "F32")
        writer.add_tensor(name, gguf.quants.quantize(tensor, held), raw_dtype=held)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges([f"{a} {b}" for a, b in MERGES])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _tensors(model: LlamaForCausalLM) -> list[tuple[str, np.ndarray]]:
    weights = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    found = [
        ("token_embd.weight", weights["model.embed_tokens.weight"]),
        ("output_norm.weight", weights["model.norm.weight"]),
    ]
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    for layer in range(model.config.num_hidden_layers):
        for name, there in NAMES.items():
            tensor = weights[f"model.layers.{layer}.{name}.weight"]
            if there in heads:  # llama.cpp pairs neighbouring rows for its rotation, transformers halves
                rows, columns = tensor.shape
                halves = tensor.reshape(heads[there], 2, rows // heads[there] // 2, columns)
                tensor = halves.swapaxes(1, 2).reshape(rows, columns)
            found.append((f"blk.{layer}.{there}.weight", np.ascontiguousarray(tensor)))
    return found
