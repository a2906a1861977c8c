"""Weights in eight bits: what keeps the embedded models small enough to ship in a repository.

A matrix is stored as int8 with one scale an output row (symmetric, w ~ q * scale), everything else as float16;
loading gives float32 back. The models run in full precision: only the file is small.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

INT8_WEIGHTS = "model.int8.safetensors"
SCALE = ".int8_scale"
Model = TypeVar("Model", bound=torch.nn.Module)


def quantize(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Float tensors with two or more dimensions -> int8 and a scale a row; the rest -> float16."""
    small = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            small[name] = tensor.contiguous()
        elif tensor.ndim < 2:
            small[name] = tensor.half().contiguous()
        else:
            rows = tensor.float().flatten(1)  # (out, everything else)
            scale = rows.abs().amax(1).clamp(min=1e-8) / 127  # (out,)
            small[name] = (rows / scale[:, None]).round().to(torch.int8).view(tensor.shape).contiguous()
            small[name + SCALE] = scale
    return small


def dequantize(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inverse of `quantize`, in float32; a state that was never quantized passes through unchanged."""
    full = {}
    for name, tensor in state.items():
        if name.endswith(SCALE):
            continue
        scale = state.get(name + SCALE)
        if scale is not None:
            tensor = tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
        full[name] = tensor.float() if tensor.is_floating_point() else tensor
    return full


def save_quantized(state: dict[str, torch.Tensor], path: str | Path) -> None:
    """Write a state dict as an int8 safetensors file."""
    save_file(quantize(state), path, metadata={"format": "pt"})


def load_quantized(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file, quantized or not, as float32."""
    return dequantize(load_file(path))


def load_weights(model: torch.nn.Module, path: str | Path) -> None:
    """Give `model` the weights of such a file, or of one that was never quantized; ValueError if they are others."""
    try:
        model.load_state_dict(load_quantized(path))
    except (SafetensorError, RuntimeError) as error:  # the latter in hundreds of lines, one a weight
        raise ValueError(f"{path}: damaged, or not the weights that the configuration beside it describes") from error


def load_pretrained(model_class: type[Model], name: str | Path) -> Model:
    """`model_class.from_pretrained(name)`, where `name` may also be a folder with our int8 weights."""
    if not (Path(name) / INT8_WEIGHTS).is_file():
        return model_class.from_pretrained(name)
    config = model_class.config_class.from_pretrained(name)
    state = load_quantized(Path(name) / INT8_WEIGHTS)
    model = model_class.from_pretrained(None, config=config, state_dict=state)
    model.name_or_path = str(name)
    return model


def weights_digest(module: torch.nn.Module) -> str:
    """A key that changes when a weight or a buffer of the module does."""
    weights = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        weights.update(f"{name} {tuple(tensor.shape)}".encode())
        weights.update(tensor.detach().cpu().contiguous().numpy())
    return weights.hexdigest()


def network_of(model: PreTrainedModel) -> str:
    """What of a model's configuration shapes the network, as text: weights alone do not tell heads or activations."""
    elsewhere = {"_name_or_path", "transformers_version", "architectures", "dtype"}
    config = {key: value for key, value in model.config.to_diff_dict().items() if key not in elsewhere}
    return json.dumps(config, sort_keys=True, default=str)
