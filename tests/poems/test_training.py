"""poems.training, recipes.poem_t5.train_base: what a few steps do; a kill -9 changes nothing in the end."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer

from helpers.options import PoemOptions, PoemTrainingConfig
from helpers.poems import (
    IGNORED,
    PoemWriter,
    Quatrain,
    character_tokenizer,
    count_words,
    encode,
    fine_tune_t5,
    is_whole,
    last_checkpoint,
    line_pairs,
    mean_over_tokens,
    training_arguments,
    words_of,
)
from recipes.poem_t5.train_base import build_optimizer, completions, new_model, prepare_to_copy
from tests.samples import CHARACTERS, TRAIN, VALID, VERSE, contents, tiny_t5

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]
CONFIG = PoemTrainingConfig(steps=30, batch_size=5, lr=1e-2, evaluate_every=10, patience=9, seed=3)


# Its loss soon rises, within the first epoch.
EARLY = replace(CONFIG, steps=400, batch_size=2, lr=3.0, patience=2, evaluate_every=2)


def begin(folder: Path, config: PoemTrainingConfig = CONFIG, resume: bool = False, train=TRAIN):
    """A new tiny T5, trained: (model, log)."""
    tokenizer = character_tokenizer(CHARACTERS)
    model = tiny_t5(len(tokenizer), dropout_rate=0.1)
    return model, fine_tune_t5(model, tokenizer, train, VALID, config, folder, resume, device="cpu", progress=False)


def figures(log: list[dict], name: str) -> dict[int, float]:
    """Step -> one of the log's figures."""
    return {entry["step"]: entry[name] for entry in log if name in entry}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def logits(model) -> torch.Tensor:
    """(4, 6, V) by the model's own forward, for the lines of a poem as source and target."""
    source, target = (torch.tensor(encode(character_tokenizer(CHARACTERS), lines)) for lines in (TRAIN[5].lines,) * 2)
    with torch.inference_mode():
        return model(source, labels=target, use_cache=False).logits


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("checkpoint-*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of thirty steps that nothing interrupted: (folder, log)."""
    before, folder = torch.get_num_threads(), tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    _, log = begin(folder)
    torch.set_num_threads(before)
    return folder, log


# --- a run ---


def test_the_loss_falls(tmp_path) -> None:
    model, log = begin(tmp_path, replace(CONFIG, steps=60, evaluate_every=20, lr=3e-2))
    held_out, learnt = figures(log, "eval_loss"), figures(log, "loss")
    assert list(held_out) == [20, 40, 60] and list(learnt) == [10, 20, 30, 40, 50, 60]
    assert learnt[60] < learnt[10] - 0.5 and held_out[60] < held_out[20]
    rates = figures(log, "learning_rate")
    assert max(rates.values()) > 0.9 * 3e-2 and rates[60] < 1e-3 and not model.training


def test_what_is_left_in_the_folder(whole) -> None:
    folder, log = whole
    assert list(figures(log, "eval_loss")) == [10, 20, 30]
    assert checkpoints(folder) == ["checkpoint-20", "checkpoint-30"]
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (settings["steps"], settings["lr"], settings["poems"]) == (30, 1e-2, 12) and settings["weights"] > 1000
    writer = PoemWriter.from_pretrained(folder)
    assert same(weights(folder), weights(folder / "checkpoint-30"))  # the loss fell until the end
    assert len(writer.write(["明月"], PoemOptions("5x4", n=2))) == 2
    fresh = tiny_t5(len(writer.tokenizer)).state_dict()
    assert not any(torch.equal(weight, fresh[name]) for name, weight in weights(folder).items())


def test_the_best_state_is_kept_and_it_stops_early(tmp_path) -> None:
    """With steps far too large the loss soon rises: two evaluations without a better one are the end."""
    _, log = begin(tmp_path, EARLY)
    losses = figures(log, "eval_loss")
    best = min(losses, key=losses.get)
    assert max(losses) == best + 2 * 2 < 400
    assert same(weights(tmp_path), weights(tmp_path / f"checkpoint-{best}"))
    assert not same(weights(tmp_path), weights(tmp_path / f"checkpoint-{max(losses)}"))


def test_batches_that_are_accumulated_make_one_step(tmp_path) -> None:
    """Batches of three, four a step: in an epoch of 48 pairs there are four steps."""
    _, log = begin(tmp_path, replace(CONFIG, steps=4, batch_size=3, accumulate=4))
    assert [entry["epoch"] for entry in log if "eval_loss" in entry] == [1.0]


def test_accumulation_changes_nothing(tmp_path) -> None:
    """All pairs in one step, whose lines of five and of seven characters meet in batches of different sizes.

    Nothing is learnt, so that each of the ten steps between two entries of the log is like the first.
    """
    poems = [Quatrain(tuple(VERSE[n].replace(".", ",").split(",")[:4]), keywords=("明月",)) for n in (0, 2, 3, 4)]
    tokenizer, logs = character_tokenizer(CHARACTERS), {}
    for size, accumulate in ((16, 1), (8, 2), (4, 4)):
        model = tiny_t5(len(tokenizer), dropout_rate=0.0)
        config = replace(CONFIG, steps=10, lr=0.0, batch_size=size, accumulate=accumulate)
        folder = tmp_path / str(size)
        logs[size] = fine_tune_t5(model, tokenizer, poems, VALID, config, folder, device="cpu", progress=False)
    for name in ("loss", "grad_norm"):
        assert list(figures(logs[16], name)) == [10]
        for size in (8, 4):
            assert figures(logs[size], name) == pytest.approx(figures(logs[16], name), rel=0.02), (name, size)
    with torch.no_grad():
        assert figures(logs[16], "loss")[10] == pytest.approx(first_loss(tokenizer, poems), rel=1e-3)


def first_loss(tokenizer, poems: list[Quatrain]) -> float:
    """Cross-entropy over all targets' tokens, one pair after the other."""
    model, total, count = tiny_t5(len(tokenizer), dropout_rate=0.0), 0.0, 0
    for source, target in line_pairs(poems, Counter()):
        ids, labels = (torch.tensor(encode(tokenizer, [text])) for text in (source, target))
        total += model(ids, labels=labels, use_cache=False).loss.item() * labels.numel()
        count += labels.numel()
    return total / count


def test_mean_over_tokens() -> None:
    """Probabilities 1/2 and 1/4 for two targets; a third place is padding."""
    p = torch.tensor([[[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.01, 0.01, 0.98]]])
    outputs, labels = {"logits": p.log() + 3}, torch.tensor([[0, 2, IGNORED]])
    total = math.log(2) + math.log(4)
    assert mean_over_tokens(outputs, labels).item() == pytest.approx(total / 2)
    for count in (2, 7, torch.tensor(7)):
        assert mean_over_tokens(outputs, labels, count).item() == pytest.approx(total / int(count))
    parts = [mean_over_tokens({"logits": outputs["logits"][:, n : n + 1]}, labels[:, n : n + 1], 2) for n in range(3)]
    assert sum(part.item() for part in parts) == pytest.approx(total / 2)
    halves = {"logits": outputs["logits"].bfloat16()}
    assert mean_over_tokens(halves, labels).dtype == torch.float32


@pytest.mark.parametrize("has_bf16", [False, True])
def test_the_model_that_was_trained_is_the_one_that_was_saved(has_bf16: bool, tmp_path, monkeypatch) -> None:
    """In full precision, whatever it was trained in: the Trainer's autocast is gone."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bf16})
    model, _ = begin(tmp_path, replace(CONFIG, steps=4, evaluate_every=2))
    saved = PoemWriter.from_pretrained(tmp_path).model
    found, expected = logits(model), logits(saved)
    assert found.dtype == expected.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-5) and not model.training


def test_options_reach_the_trainer(tmp_path) -> None:
    config = PoemTrainingConfig(70, 6, 3, 2e-4, 0.2, 0.05, 7, 4, 11)
    options = training_arguments(config, tmp_path, "cpu", False)
    assert (options.max_steps, options.per_device_train_batch_size, options.gradient_accumulation_steps) == (70, 6, 3)
    assert (options.learning_rate, options.weight_decay, options.seed) == (2e-4, 0.05, 11)
    assert options.get_warmup_steps(70) == 14 and options.lr_scheduler_type == "cosine"
    assert options.eval_steps == options.save_steps == 7 and options.report_to == [] and options.use_cpu


# --- kill -9 ---

# A process that ends itself where we want it to.
KILLED = """
import os, signal, sys, torch
from pathlib import Path
from transformers import Trainer

from tests.poems.test_training import begin

def dying(function, call):
    calls = iter(range(call))
    def wrapped(*args, **kwargs):
        if next(calls, None) == call - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapped

if sys.argv[1] == "step":  # in the 17th step, before its backward pass
    Trainer.training_step = dying(Trainer.training_step, 17)
else:  # within the second checkpoint, whose weights are written and whose state is not
    Trainer._save_rng_state = dying(Trainer._save_rng_state, 2)
torch.set_num_threads(1)
begin(Path(sys.argv[2]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
@pytest.mark.parametrize(
    ("moment", "left"), [("step", ["checkpoint-10"]), ("save", ["checkpoint-10", "checkpoint-20"])]
)
def test_a_killed_run_ends_the_same(moment: str, left: list[str], whole, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, moment, str(tmp_path)], cwd=ROOT, timeout=120, capture_output=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert checkpoints(tmp_path) == left and not (tmp_path / "model.safetensors").exists()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    _, log = begin(tmp_path, resume=True)
    folder, expected = whole
    assert figures(log, "eval_loss") == figures(expected, "eval_loss")
    assert figures(log, "loss") == figures(expected, "loss") and list(figures(log, "loss")) == [10, 20, 30]
    assert same(weights(tmp_path), weights(folder))


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    """A run that stopped early: (folder, log)."""
    before, folder = torch.get_num_threads(), tmp_path_factory.mktemp("early")
    torch.set_num_threads(1)
    _, log = begin(folder, EARLY)
    torch.set_num_threads(before)
    return folder, log


@pytest.mark.parametrize("left", [1, 2])
def test_early_stopping_goes_on_counting(left: int, early, tmp_path, monkeypatch) -> None:
    """`left`: the evaluations after an interruption; the last two are those without a better loss."""
    folder, expected = early
    done = len(figures(expected, "eval_loss")) - left
    steps, step = iter(range(2 * done)), Trainer.training_step

    def interrupted(*args, **kwargs) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(*args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "training_step", interrupted)
        begin(tmp_path, EARLY)
    assert last_checkpoint(tmp_path) == str(tmp_path / f"checkpoint-{2 * done}") and not is_whole(tmp_path)
    _, log = begin(tmp_path, EARLY, resume=True)
    assert figures(log, "eval_loss") == figures(expected, "eval_loss")
    assert same(weights(tmp_path), weights(folder)) and checkpoints(tmp_path) == checkpoints(folder)


# --- checkpoints and runs that do not fit ---


def test_broken_checkpoints_are_passed_over(tmp_path) -> None:
    contents = {4: '{"global_step": 4}', 12: '{"global_step": 12}', 100: '{"global_', 101: "", 102: "{}", 103: None}
    for step, content in contents.items():
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if content is not None:
            (folder / "trainer_state.json").write_text(content, encoding="utf-8")
    assert [step for step in contents if is_whole(tmp_path / f"checkpoint-{step}")] == [4, 12]
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-12")  # by number: 4 < 12
    assert last_checkpoint(tmp_path / "missing") is None


@pytest.fixture
def copied(whole, tmp_path) -> Path:
    """A copy of the run, to be spoilt."""
    return Path(shutil.copytree(whole[0], tmp_path / "run"))


def test_a_run_goes_on_behind_a_broken_checkpoint(copied, whole) -> None:
    (copied / "checkpoint-30" / "trainer_state.json").write_text('{"glob', encoding="utf-8")
    (copied / "model.safetensors").unlink()
    (copied / "trainer_state.json").unlink()
    _, log = begin(copied, resume=True)
    assert figures(log, "eval_loss") == figures(whole[1], "eval_loss") and same(weights(copied), weights(whole[0]))


@pytest.mark.parametrize(("name", "config"), [("whole", CONFIG), ("early", EARLY)])
def test_a_finished_run_stays_as_it_is(name: str, config, request, tmp_path, monkeypatch) -> None:
    """Neither at its last step nor where it stopped early is it trained on."""
    folder, expected = request.getfixturevalue(name)
    copied = Path(shutil.copytree(folder, tmp_path / "run"))
    before = contents(copied)
    monkeypatch.setattr(Trainer, "train", None)
    model, log = begin(copied, config, resume=True)
    assert contents(copied) == before and log == expected
    saved = PoemWriter.from_pretrained(copied).model
    assert same(model.state_dict(), saved.state_dict()) and not model.training
    assert torch.allclose(logits(model), logits(saved), atol=1e-5)


def test_a_run_killed_before_its_end_was_written(copied, whole) -> None:
    """With the last checkpoint whole, there is no step left to be taken."""
    (copied / "trainer_state.json").unlink()
    (copied / "model.safetensors").write_bytes(b"half")
    _, log = begin(copied, resume=True)
    assert figures(log, "eval_loss") == figures(whole[1], "eval_loss") and same(weights(copied), weights(whole[0]))
    assert checkpoints(copied) == checkpoints(whole[0]) and is_whole(copied)


def test_not_over_another_run(copied) -> None:
    before = weights(copied)
    with pytest.raises(ValueError, match="--resume") as error:
        begin(copied)
    assert "\n" not in str(error.value) and str(copied) in str(error.value)
    assert same(weights(copied), before)


@pytest.mark.parametrize(
    ("changes", "named"), [({"lr": 1e-3}, "lr"), ({"seed": 4, "batch_size": 6}, "batch_size, seed"), ({}, "poems")]
)
def test_other_settings_are_not_resumed(changes: dict, named: str, copied) -> None:
    with pytest.raises(ValueError, match=f"another {named}$"):
        begin(copied, replace(CONFIG, **changes), resume=True, train=TRAIN if changes else TRAIN[:-1])


def test_resume_without_a_checkpoint_begins(tmp_path, whole, capfd) -> None:
    begin(tmp_path / "new", resume=True)
    assert same(weights(tmp_path / "new"), weights(whole[0]))
    assert capfd.readouterr().out == ""  # without progress nothing is printed


# --- the base of the embedded model ---


def test_completions() -> None:
    """Words of the poem, all of them at times, and all the lines that are still to come."""
    poems = TRAIN[:2] * 30
    pairs = list(completions(poems, count_words(poems), seed=0))
    assert len(pairs) == 4 * len(poems)
    told_counts = set()
    for n, (source, target) in enumerate(pairs):
        poem, start = poems[n // 4], (0, 0, 1, 2)[n % 4]
        head, *lines, rest = source.split("</s>")
        assert rest == "" and tuple(lines) == poem.lines[:start]
        assert target == "".join(f"{line}</s>" for line in poem.lines[start:])
        words = head.removeprefix("关键词:").split(" ")
        candidates = {word for line in poem.lines for word in words_of(line)}
        assert all(word in candidates or any(word in other for other in candidates) for word in words)
        told_counts.add(len(words))
    assert told_counts == set(range(1, 9))  # two words in each of four lines
    singles = [len(word) == 1 for source, _ in pairs for word in source.partition("</s>")[0][4:].split(" ")]
    assert 0.08 < sum(singles) / len(singles) < 0.25
    again, other = (list(completions(poems, count_words(poems), seed)) for seed in (0, 1))
    assert again == pairs != other


def copying(model, tokenizer) -> float:
    """How much higher the source's characters stand than others in the first logits, in standard deviations."""
    sources = ["".join(CHARACTERS[n : n + 4]) for n in range(0, 80, 4)]
    ids = torch.tensor(encode(tokenizer, sources))  # (20, 4)
    with torch.inference_mode():
        logits = model.eval()(ids, decoder_input_ids=torch.zeros(20, 1, dtype=torch.long)).logits[:, 0]  # (20, V)
    there = torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, True)
    return ((logits[there].mean() - logits[~there].mean()) / logits.std()).item()


def test_prepare_to_copy() -> None:
    tokenizer = character_tokenizer(CHARACTERS)
    model = tiny_t5(len(tokenizer), d_model=64, d_kv=16, num_heads=4, d_ff=128, num_layers=2, num_decoder_layers=4)
    before = copying(model, tokenizer)
    prepare_to_copy(model)
    assert abs(before) < 0.5 and copying(model, tokenizer) > before + 1
    weights = [block.layer[1].EncDecAttention.o.weight for block in model.decoder.block]
    assert [weight[0, 0].item() for weight in weights] == pytest.approx([0.6, 0.6, 2.0, 2.0])


def test_a_new_base_model(tmp_path) -> None:
    tokenizer = character_tokenizer(CHARACTERS)
    torch.manual_seed(0)
    model = new_model(tokenizer, None)
    assert model.shared.weight.shape == (len(tokenizer), 288) and copying(model, tokenizer) > 1
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(1)
    later = new_model(tokenizer, tmp_path)
    assert torch.equal(later.shared.weight, model.shared.weight)
    own, other = model.decoder.block[0].layer, later.decoder.block[0].layer
    assert torch.equal(own[0].SelfAttention.q.weight, other[0].SelfAttention.q.weight)
    assert not torch.equal(own[1].EncDecAttention.q.weight, other[1].EncDecAttention.q.weight)
    encoders = (each.encoder.block[0].layer[0].SelfAttention.q.weight for each in (model, later))
    assert not torch.equal(*encoders)


def test_the_embedding_takes_larger_steps() -> None:
    model = tiny_t5(30)
    optimizer = build_optimizer(model, 1e-3)
    first, rest = optimizer.param_groups
    assert first["params"][0] is model.shared.weight and len(first["params"]) == 1
    assert (first["lr"], rest["lr"]) == (7e-3, 1e-3)
    assert len(rest["params"]) + 1 == len(list(model.parameters()))
