"""training.loop and helpers.clip.training: what the loop really does, and that a kill -9 changes nothing in the end."""

import json
import math
import signal
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from helpers.__main__ import main
from helpers.clip import MAX_LOGIT_SCALE, ProjectionHeads, contrastive_loss, fine_tune, load_clip, train_heads
from helpers.data import Splits, load_captions
from helpers.options import TrainingConfig
from helpers.storage import weights_digest
from helpers.training import checkpoints, parameter_groups
from tests.samples import killed_and_resumed

pytestmark = pytest.mark.usefixtures("one_thread")

RATES = {"head_lr": 3e-3, "image_lr": 2e-4, "text_lr": 1e-4}


@pytest.fixture
def squares(squares_folder):
    """16 pictures to learn, and the same to validate on."""
    train = load_captions(squares_folder, "train", squares_folder / "splits.csv")
    return Splits(train, train)


@pytest.fixture
def steps(monkeypatch) -> list[dict]:
    """What AdamW works with, step by step."""
    seen = []

    class Recording(torch.optim.AdamW):
        def step(self, closure=None):
            scales = [p.item() for group in self.param_groups for p in group["params"] if p.ndim == 0]
            rates = [group["lr"] for group in self.param_groups]
            decays = [group["weight_decay"] for group in self.param_groups]
            seen.append({"rates": rates, "decays": decays, "scale": scales[0]})
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Recording)
    return seen


# --- the parts ---


def test_parameter_groups(clip) -> None:
    heads = ProjectionHeads(clip[0])
    matrices, rest = parameter_groups([(heads.parameters(), 0.5)], weight_decay=0.1)
    assert {p.ndim for p in matrices["params"]} == {2} and len(matrices["params"]) == 4
    assert {p.ndim for p in rest["params"]} == {0, 1} and len(rest["params"]) == 2 * 4 + 1
    assert (matrices["weight_decay"], rest["weight_decay"]) == (0.1, 0.0) and matrices["lr"] == rest["lr"] == 0.5
    assert parameter_groups([([], 0.1)], 0.1) == []


# --- heads alone ---


def test_heads_learn_what_can_be_learnt(clip, squares, steps, tmp_path) -> None:
    before = {name: tensor.clone() for name, tensor in clip[0].state_dict().items()}
    config = TrainingConfig(epochs=30, batch_size=8, head_lr=5e-3)
    progress = train_heads(*clip, squares, config, tmp_path, device="cpu")
    assert progress.step == len(progress.losses) == len(steps) == 120 and len(progress.epochs) == 30
    first, last = progress.epochs[0], progress.epochs[-1]
    assert last["loss"] < first["loss"] / 2
    assert last["t2i R@1"] > 3 * 100 / 16 and last["i2t R@1"] > 3 * 100 / 16  # chance: 6.25 and about 12
    changed = [name for name, tensor in clip[0].state_dict().items() if not torch.equal(tensor, before[name])]
    assert "logit_scale" in changed and all(".head." in name or name == "logit_scale" for name in changed)
    assert json.loads((tmp_path / "history.json").read_text()) == asdict(progress)
    saved, _ = load_clip(tmp_path)
    assert weights_digest(saved) == weights_digest(clip[0])
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_0000120"]


def test_warm_up_and_cosine_are_used(clip, squares, steps, tmp_path) -> None:
    config = TrainingConfig(epochs=5, batch_size=8, head_lr=1.0, warmup=0.25, weight_decay=0.1)
    train_heads(*clip, squares, config, tmp_path, device="cpu")
    rates = [step["rates"][0] for step in steps]  # 20 steps, 5 of them to warm up
    assert rates[:6] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5:] == pytest.approx([(1 + math.cos(math.pi * i / 15)) / 2 for i in range(15)])
    assert rates[-1] < 0.02 and steps[0]["decays"] == [0.1, 0.0]


def test_the_temperature_comes_back_to_its_limit(clip, squares, steps, tmp_path) -> None:
    """The loop clamps it after each step, whatever it was before."""
    with torch.no_grad():
        clip[0].logit_scale.fill_(6.0)
    train_heads(*clip, squares, TrainingConfig(epochs=5, batch_size=8), tmp_path, device="cpu")
    scales = [step["scale"] for step in steps[1:]]
    assert max(scales) <= MAX_LOGIT_SCALE + 1e-6


def test_the_temperature_still_learns_at_its_limit() -> None:
    """A clamp inside the loss would stop the gradient there for good."""
    scale = torch.tensor(9.0).clamp_(max=MAX_LOGIT_SCALE).requires_grad_()
    contrastive_loss(torch.eye(4), torch.eye(4).roll(1, 0), scale).backward()
    assert scale.grad > 0


# --- everything ---


def test_fine_tuning(clip, squares, steps, tmp_path) -> None:
    before = {name: tensor.clone() for name, tensor in clip[0].state_dict().items()}
    config = TrainingConfig(epochs=2, batch_size=8, save_every=3, chunk_size=5, weight_decay=0.3, **RATES)
    progress = fine_tune(*clip, squares._replace(val=squares.val.first(4)), config, tmp_path, device="cpu")
    assert progress.step == 8 and [len(figures) for figures in progress.epochs] == [7, 7]
    peaks = [max(rates) for rates in zip(*(step["rates"] for step in steps), strict=True)]
    assert peaks == pytest.approx([2e-4, 2e-4, 1e-4, 1e-4, 3e-3, 3e-3])
    assert steps[0]["decays"] == [0.3, 0.0] * 3
    statistics = [name for name in before if "running_" in name or "num_batches" in name]
    after = clip[0].state_dict()
    assert len(statistics) == 3 * 36 and all(torch.equal(after[name], before[name]) for name in statistics)
    weights = [name for name in after if name not in statistics]
    still = [name for name in weights if torch.equal(after[name], before[name])]
    assert not any("bn" in name or "conv" in name or "head" in name for name in still), still
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_0000008"]


# --- kill -9 ---


@pytest.fixture
def arguments(squares_folder, clip_folder) -> list[object]:
    """12 steps in two epochs of 6: 16 pictures, batches of 5, two captions each."""
    data = ["--data", squares_folder, "--split-list", squares_folder / "splits.csv", "--start", clip_folder]
    return ["train", "clip", *data, "--epochs", 2, "--batch-size", 5, "--save-every", 3]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
@pytest.mark.parametrize("kind, moment", [("--frozen", "save"), (None, "step")])
def test_a_killed_run_ends_with_the_same_weights(kind, moment: str, arguments, tmp_path) -> None:
    arguments = [*arguments, *([kind] if kind else [])]
    whole, killed = killed_and_resumed(arguments, tmp_path, moment)  # of an epoch's 6 steps after 3: in its middle
    found = load_file(killed / "model.safetensors")
    histories = [json.loads((folder / "history.json").read_text()) for folder in (whole, killed)]
    assert histories[0] == histories[1] and len(histories[0]["losses"]) == 12
    assert [path.name for path in checkpoints(killed)] == ["step_0000012"]
    started = load_file(Path(arguments[arguments.index("--start") + 1]) / "model.safetensors")
    assert any(not torch.equal(found[name], started[name]) for name in found)


def one_complaint(capsys, *mentions: str) -> bool:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return len(lines) == 1 and all(mention in lines[0] for mention in mentions)


def test_runs_are_not_mixed_up(arguments, tmp_path, capsys) -> None:
    arguments = [*map(str, arguments), "--frozen", "--out", str(tmp_path)]
    assert main(arguments) == 0
    weights = (tmp_path / "model.safetensors").read_bytes()
    capsys.readouterr()
    assert main(arguments) == 2 and one_complaint(capsys, "--resume", str(tmp_path))
    arguments.append("--resume")
    other_batch = [*arguments, "--batch-size", "4"]
    assert main(other_batch) == 2 and one_complaint(capsys, "batch_size")
    assert main([*arguments, "--seed", "3", "--language", "en", "--epochs", "3"]) == 2
    assert one_complaint(capsys, "epochs, seed")
    assert main(arguments) == 0  # nothing left to do
    assert (tmp_path / "model.safetensors").read_bytes() == weights
    assert len(json.loads((tmp_path / "history.json").read_text())["losses"]) == 12


def test_resume_without_a_checkpoint_begins(arguments, tmp_path) -> None:
    assert main([*map(str, arguments), "--frozen", "--out", str(tmp_path), "--resume"]) == 0
    assert (tmp_path / "model.safetensors").exists()
