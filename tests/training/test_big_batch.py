"""training.big_batch: a batch in chunks, and a batch on two processes, have the gradient of the batch in one piece.

Started by torchrun, this file is one of the two processes: see `main`.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import DistilBertConfig

from helpers.clip import CustomCLIP, CustomCLIPConfig, TorchvisionConfig, contrastive_loss
from helpers.training import InChunks, gather_embeds

ROOT = Path(__file__).parents[2]
TINY = {"vocab_size": 60, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 16}
B = 8  # pairs


def make_model(dropout: float = 0.0) -> CustomCLIP:
    """With one convolution for a ResNet."""
    torch.manual_seed(0)
    text = DistilBertConfig(**TINY, dropout=dropout, attention_dropout=dropout)
    model = CustomCLIP(CustomCLIPConfig(TorchvisionConfig(), text, dim=8, dropout=dropout))
    model.image.backbone = nn.Sequential(
        nn.Conv2d(3, 512, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    return model.train()


def make_batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([6, 3, 5, 2, 6, 4, 1, 3])
    return {
        "pixel_values": torch.randn(B, 3, 32, 32, generator=generator),
        "input_ids": torch.randint(1, 60, (B, 6), generator=generator),
        "attention_mask": (torch.arange(6) < lengths[:, None]).long(),
    }


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    """By the names of the bare model, whatever it is wrapped in."""
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {name.removeprefix("module.").removeprefix("model."): grad for name, grad in grads.items()}


def distance(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The largest difference, against the scale of the gradient it is in."""
    assert found.keys() == expected.keys()
    off = {name: (found[name] - grad).abs().max() / grad.abs().max().clamp(min=1e-3) for name, grad in expected.items()}
    return max(off.values()).item()


def learn(model: CustomCLIP, chunk_size: int | None) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    encode = InChunks(model, chunk_size) if chunk_size else model
    image_embeds, text_embeds = encode(**make_batch())
    contrastive_loss(image_embeds, text_embeds, model.logit_scale).backward()
    return image_embeds.detach(), text_embeds.detach(), gradients(model)


# --- in chunks ---


@pytest.mark.parametrize("chunk_size", [1, 3, B, 99])
def test_chunks_equal_the_whole_batch(chunk_size: int) -> None:
    model = make_model()
    *embeds, whole = learn(model, None)
    *chunked, parts = learn(model, chunk_size)
    assert len(whole) == len(list(model.parameters())) and {"logit_scale", "image.backbone.0.weight"} < whole.keys()
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(chunked, embeds, strict=True))
    assert distance(parts, whole) <= 1e-5


def test_a_loss_by_chunk_would_be_something_else() -> None:
    """What gradient accumulation does: the test above can tell the difference."""
    model = make_model()
    *_, whole = learn(model, None)
    model.zero_grad()
    for part in zip(*(tensor.split(4) for tensor in make_batch().values()), strict=True):
        (contrastive_loss(*model(*part), model.logit_scale) / 2).backward()
    assert distance(gradients(model), whole) > 0.01


def test_the_second_pass_repeats_the_dropout_of_the_first() -> None:
    model, batch = make_model(dropout=0.5), make_batch()
    torch.manual_seed(7)
    parts = [model(*part) for part in zip(*(tensor.split(3) for tensor in batch.values()), strict=True)]
    images, texts = map(torch.cat, zip(*parts, strict=True))  # the same chunks, with all their activations
    contrastive_loss(images, texts, model.logit_scale).backward()
    expected = gradients(model)
    torch.manual_seed(7)
    *embeds, found = learn(model, 3)
    assert torch.allclose(embeds[0], images, atol=1e-6) and torch.allclose(embeds[1], texts, atol=1e-6)
    assert distance(found, expected) <= 1e-5
    torch.manual_seed(8)
    assert distance(learn(model, 3)[-1], expected) > 0.01  # dropout is on


def test_chunks_keep_few_activations() -> None:
    def kept(chunk_size: int | None) -> int:
        """Bytes that the forward pass leaves behind for the backward pass."""
        sizes = []

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        model = make_model()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            (InChunks(model, chunk_size) if chunk_size else model)(**make_batch())
        return sum(sizes)

    assert kept(2) < kept(None) / 20


def test_one_process_gathers_nothing() -> None:
    embeds = torch.randn(2, 3)
    assert gather_embeds(embeds) is embeds


# --- on two processes ---


def plainly_gathered(embeds: torch.Tensor) -> torch.Tensor:
    """The slip: the other process's embeddings arrive without their gradient."""
    parts = [torch.empty_like(embeds) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, embeds.detach())
    parts[torch.distributed.get_rank()] = embeds
    return torch.cat(parts)


def main(folder: Path) -> None:
    """Each process takes its half of the batch and writes its gradients, learnt in three ways."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 2
    batch = {name: tensor[accelerator.process_index :: 2] for name, tensor in make_batch().items()}
    for way, gather, chunk_size in (
        ("gathered", gather_embeds, None),
        ("plain", plainly_gathered, None),
        ("in chunks", gather_embeds, 3),
    ):
        bare = make_model()
        model = accelerator.prepare(InChunks(bare, chunk_size) if chunk_size else bare)
        for _ in range(2):  # what a step leaves behind must not show in the next
            model.zero_grad()
            image_embeds, text_embeds = model(**batch)
            accelerator.backward(contrastive_loss(gather(image_embeds), gather(text_embeds), bare.logit_scale))
        save_file(gradients(model), folder / f"{way}_{accelerator.process_index}.safetensors")
    accelerator.wait_for_everyone()
    accelerator.end_training()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory) -> Path:
    """The folder with what both have learnt."""
    folder = tmp_path_factory.mktemp("gradients")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master-port={port}"]
    done = subprocess.run(
        [*torchrun, __file__, folder], cwd=ROOT, timeout=120, capture_output=True, encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    (folder / "log.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return folder


@pytest.mark.parametrize("way", ["gathered", "in chunks"])
def test_two_processes_have_the_gradient_of_one(way: str, two_processes) -> None:
    *_, whole = learn(make_model(), None)
    for rank in range(2):
        path = two_processes / f"{way}_{rank}.safetensors"
        assert path.exists(), (two_processes / "log.txt").read_text(encoding="utf-8")[-3000:]
        assert distance(load_file(path), whole) <= 1e-5


def test_a_plain_gather_would_have_another(two_processes) -> None:
    *_, whole = learn(make_model(), None)
    assert distance(load_file(two_processes / "plain_0.safetensors"), whole) > 0.1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
