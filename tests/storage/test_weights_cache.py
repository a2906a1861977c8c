"""storage.weights: the error is at most half a step. storage.cache: computed once, and never trusted when damaged."""

import os

import numpy as np
import pytest
import torch
from platformdirs import user_cache_dir
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from helpers.storage import (
    INT8_INDEX,
    INT8_WEIGHTS,
    SCALE,
    cache_folder,
    cached,
    dequantize,
    digest,
    load_pretrained,
    load_quantized,
    quantize,
    save_quantized,
    save_quantized_pretrained,
)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "linear.weight": torch.randn(7, 5) * torch.logspace(-4, 3, 7)[:, None],  # rows of very different size
        "conv.weight": torch.randn(4, 3, 2, 2),
        "transposed": torch.randn(6, 4).T,
        "zeros": torch.zeros(3, 3),
        "half": torch.randn(3, 3).half(),
        "bias": torch.randn(7),
        "scale": torch.tensor(2.6593),
        "steps": torch.tensor(3),
        "positions": torch.arange(300)[None],
    }


def test_round_trip_is_off_by_half_a_step_at_most(state) -> None:
    small = quantize(state)
    full = dequantize(small)
    assert set(full) == set(state)
    for name in ("linear.weight", "conv.weight", "transposed", "zeros", "half"):
        assert small[name].dtype == torch.int8 and small[name].shape == state[name].shape
        assert full[name].dtype == torch.float32
        step = state[name].float().flatten(1).abs().amax(1) / 127  # of each row
        error = (full[name] - state[name].float()).flatten(1).abs().amax(1)
        assert (error <= 0.5 * step * (1 + 1e-4) + 1e-12).all(), name
        assert error.sum() > 0 or name == "zeros"


def test_vectors_are_halves_and_integers_stay(state) -> None:
    small = quantize(state)
    full = dequantize(small)
    for name in ("bias", "scale"):
        assert small[name].dtype == torch.float16 and full[name].dtype == torch.float32
        assert torch.equal(full[name], state[name].half().float())
    for name in ("steps", "positions"):
        assert torch.equal(small[name], state[name]) and torch.equal(full[name], state[name])
        assert full[name].dtype == torch.int64
    matrices = {"linear.weight", "conv.weight", "transposed", "zeros", "half"}
    assert set(small) - set(state) == {name + SCALE for name in matrices}


def test_files(state, tmp_path) -> None:
    save_quantized(state, tmp_path / "small.safetensors")
    loaded, expected = load_quantized(tmp_path / "small.safetensors"), dequantize(quantize(state))
    assert set(loaded) == set(expected) and all(torch.equal(loaded[name], expected[name]) for name in loaded)


def test_a_plain_file_passes_through(state, tmp_path) -> None:
    plain = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(plain, tmp_path / "plain.safetensors")
    loaded = load_quantized(tmp_path / "plain.safetensors")
    assert set(loaded) == set(plain) and all(torch.equal(loaded[name], plain[name]) for name in plain)
    assert loaded["half"].dtype == torch.float32 and loaded["steps"].dtype == torch.int64


# --- the cache ---


def forbidden() -> np.ndarray:
    raise AssertionError("computed although it is stored")


def test_computed_once(cache) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T  # not contiguous
    assert np.array_equal(cached("key", lambda: array), array)
    again = cached("key", forbidden)
    assert np.array_equal(again, array) and again.dtype == array.dtype
    assert [path.name for path in cache.iterdir()] == ["key.safetensors"]  # nothing half-written is left
    with pytest.raises(AssertionError):
        cached("other", forbidden)


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "other content", "folder"])
def test_a_damaged_file_is_computed_again(damage: str, cache) -> None:
    array = np.ones((3, 4), dtype=np.float32)
    cached("key", lambda: array)
    path = cache / "key.safetensors"
    whole = path.read_bytes()
    if damage == "other content":
        save_arrays({"something": array}, path)
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "cut": whole[:-5], "garbage": b"\xff" * 200}[damage])
    assert np.array_equal(cached("key", lambda: array * 2), array * 2)
    if damage != "folder":  # which nobody replaces
        assert np.array_equal(cached("key", forbidden), array * 2)


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("IMAGE_TO_POEM_CACHE", str(tmp_path / "file"))
    assert cached("key", lambda: np.zeros(2)).tolist() == [0, 0]


def test_the_folder(monkeypatch, tmp_path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("IMAGE_TO_POEM_CACHE", "")
    assert cache_folder() == type(tmp_path)(user_cache_dir("image-to-poem"))
    assert os.path.isabs(cache_folder())


def test_digest_depends_on_every_part_and_on_where_they_part() -> None:
    keys = [digest(parts) for parts in (["春", "雨"], ["春雨"], ["雨", "春"], ["春"], ["春", "雨", ""], [])]
    assert len(set(keys)) == len(keys) and digest(["春", "雨"]) == keys[0]


def test_weights_too_large_for_one_file_are_in_several(tmp_path, monkeypatch) -> None:
    from transformers import BertConfig, BertModel

    small = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    model = BertModel(small, add_pooling_layer=False).eval()
    save_quantized_pretrained(model, tmp_path / "one")
    monkeypatch.setattr("helpers.storage.weights.LARGEST_FILE", 4000)  # bytes
    save_quantized_pretrained(model, tmp_path / "several")
    files = sorted(path.name for path in (tmp_path / "several").iterdir())
    assert INT8_INDEX in files and len(files) > 3 and INT8_WEIGHTS not in files
    assert all((tmp_path / "several" / name).stat().st_size < 10_000 for name in files if name.endswith(".safetensors"))
    states = [load_quantized(*(tmp_path / name).glob("*.safetensors")) for name in ("one", "several")]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    loaded = load_pretrained(BertModel, tmp_path / "several", add_pooling_layer=False)
    assert torch.equal(loaded.encoder.layer[0].output.dense.weight, states[0]["encoder.layer.0.output.dense.weight"])
    monkeypatch.undo()
    save_quantized_pretrained(model, tmp_path / "several")  # a folder holds one model
    assert not (tmp_path / "several" / INT8_INDEX).exists() and (tmp_path / "several" / INT8_WEIGHTS).exists()
    assert [path.name for path in (tmp_path / "several").glob("*.safetensors")] == [INT8_WEIGHTS]
