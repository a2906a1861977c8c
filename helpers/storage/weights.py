"""Weights in eight bits: what keeps the embedded models small enough to ship in a repository.

A matrix is stored as int8 with one scale an output row (symmetric, w ~ q * scale), everything else as float16;
loading gives float32 back. The models run in full precision: only the file is small.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from huggingface_hub import split_torch_state_dict_into_shards  # the hub's own cut of weights into several files
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import cached_file, logging
from transformers.utils.hub import get_checkpoint_shard_files

from helpers.storage.atomic import whole_file

INT8_WEIGHTS = "model.int8.safetensors"
INT8_INDEX = "model.int8.safetensors.index.json"  # of weights that are in several files
LARGEST_FILE = "90MB"  # hosts of repositories take none over 100
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


def save_quantized(state: dict[str, torch.Tensor], path: str | Path, **facts: str) -> None:
    """Write a state dict as an int8 safetensors file, and further `facts` into its header."""
    save_file(quantize(state), path, metadata={"format": "pt", **facts})


def load_quantized(*paths: str | Path) -> dict[str, torch.Tensor]:
    """Read the safetensors files of a state dict, quantized or not, as float32."""
    return dequantize({name: tensor for path in paths for name, tensor in load_file(path).items()})


def load_pretrained(model_class: type[Model], name: str | Path, **options: object) -> Model:
    """`model_class.from_pretrained(name)`, where `name` may also hold our int8 weights; `options` are of the former."""
    paths = int8_files(name, options)
    if not paths:
        return model_class.from_pretrained(name, **options)
    config = options.pop("config", None) or model_class.config_class.from_pretrained(name, **options)
    model = model_class.from_pretrained(None, config=config, state_dict=load_quantized(*paths), **options)
    model.name_or_path = str(name)
    return model


def load_strictly(
    load: Callable[..., tuple[Model, dict]],
    config_class: type[PreTrainedConfig],
    name: str | Path,
    *args: object,
    **options: object,
) -> Model:
    """A model's `from_pretrained`, `load`, that also reads int8 weights and bears no missing or foreign weights.

    Raises ValueError for such, and for damaged files: transformers would draw what is missing at random.
    """
    try:
        paths = int8_files(name, options)
        if paths:
            options["config"] = options.get("config") or config_class.from_pretrained(name, **hub_options(options))
            options["state_dict"] = load_quantized(*paths)
        source = None if paths else name
        with no_progress_bar():
            model, report = load(source, *args, output_loading_info=True, **options)
    except (SafetensorError, RuntimeError, TypeError, KeyError) as error:  # some of them in hundreds of lines
        raise ValueError(f"{name}: damaged, or not the weights that its configuration describes") from error
    if wrong := sorted({*report["missing_keys"], *report["unexpected_keys"], *map(str, report["mismatched_keys"])}):
        raise ValueError(f"{name}: not the weights that its configuration describes ({wrong[0]}, for one)")
    model.name_or_path = str(name)
    return model


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Loading takes a blink, and in a notebook its bar would be stored as an output."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def save_quantized_pretrained(model: PreTrainedModel, folder: str | Path) -> None:
    """`save_pretrained` in eight bits: config.json and `INT8_WEIGHTS`, or several such files and their index.

    Of weights that are tied one is stored.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tied = model.all_tied_weights_keys  # of this very model: a configuration may untie them
    state = quantize({name: tensor for name, tensor in model.state_dict().items() if name not in tied})
    pattern = INT8_WEIGHTS.replace(".safetensors", "{suffix}.safetensors")
    plan = split_torch_state_dict_into_shards(state, filename_pattern=pattern, max_shard_size=LARGEST_FILE)
    for file, names in plan.filename_to_tensors.items():
        with whole_file(folder / file) as unfinished:
            save_file({name: state[name] for name in names}, unfinished, metadata={"format": "pt"})
    written = list(plan.filename_to_tensors)
    if plan.is_sharded:
        written.append(INT8_INDEX)
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        with whole_file(folder / INT8_INDEX) as unfinished:
            unfinished.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    remove_weights(folder, "model*.safetensors*", keep=written)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)


def remove_weights(folder: Path, pattern: str, keep: Iterable[str] = ()) -> None:
    """Away with other weights and their indexes, once the new ones are there: a folder holds one model."""
    for old in folder.glob(pattern):
        if old.name not in keep:
            old.unlink(missing_ok=True)


def int8_files(name: str | Path, options: dict[str, object]) -> list[str]:
    """The int8 weights in a folder or on the hub: one file, several that an index names, or none."""
    where = hub_options(options)
    for file in (INT8_WEIGHTS, INT8_INDEX):
        try:
            path = cached_file(str(name), file, **where)
        except OSError:  # none there, or no such place, which whoever loads next says better
            continue
        return [path] if file == INT8_WEIGHTS else get_checkpoint_shard_files(str(name), path, **where)[0]
    return []


def hub_options(options: dict[str, object]) -> dict[str, object]:
    """Those of a `from_pretrained`'s options that say where on the hub to look."""
    names = ("cache_dir", "force_download", "local_files_only", "revision", "subfolder", "token")
    return {name: options[name] for name in names if name in options}


def weights_digest(module: torch.nn.Module) -> str:
    """A key that changes when a weight or a buffer of the module does."""
    weights = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        weights.update(f"{name} {tuple(tensor.shape)}".encode())
        numbers = tensor.detach().cpu().contiguous().reshape(-1)
        weights.update(numbers.view(torch.uint8).numpy())  # as bytes: numpy has no bfloat16
    return weights.hexdigest()


def network_of(model: PreTrainedModel) -> str:
    """The part of a configuration that shapes the network, as text: weights do not tell heads or activations."""
    elsewhere = {"_name_or_path", "transformers_version", "architectures", "dtype"}
    config = {key: value for key, value in model.config.to_diff_dict().items() if key not in elsewhere}
    return json.dumps(config, sort_keys=True, default=str)
