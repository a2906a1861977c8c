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
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from transformers import T5Config, Trainer

from helpers.options import PoemOptions, PoemTrainingConfig
from helpers.poems import (
    IGNORED,
    PoemWriter,
    Quatrain,
    character_tokenizer,
    encode,
    fine_tune_t5,
    is_whole,
    last_checkpoint,
    line_pairs,
    mean_over_tokens,
    training_arguments,
    words_of,
    write_ccpc,
)
from recipes.poem_t5 import train_base
from recipes.poem_t5.train_base import Lessons, build_optimizer, grown, new_model, prepare_to_copy
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


KNOWN = list(dict.fromkeys(CHARACTERS))


def distinct(length: int, numbers: range) -> list[Quatrain]:
    """A poem for each of the numbers, of which no two share a line; without keywords."""
    return [Quatrain(tuple(distinct_line(4 * number + i, length) for i in range(4))) for number in numbers]


def distinct_line(number: int, length: int) -> str:
    """Its last two characters are the number's digits."""
    body = [KNOWN[20 + (number + 3 * place) % 50] for place in range(length - 2)]
    return "".join([*body, KNOWN[number // 10], KNOWN[number % 10]])


QUATRAINS = distinct(5, range(12)) + distinct(7, range(12, 18))
FRAGMENTS = distinct(5, range(18, 27)) + distinct(7, range(27, 30))
WHERE = {line: (poem, i) for poem in QUATRAINS + FRAGMENTS for i, line in enumerate(poem.lines)}


class Lesson(NamedTuple):
    """A pair of texts, read as a person would."""

    length: int
    kind: str
    numbers: str
    words: list[str]
    lines: list[str]
    target: list[str]


def read(pair: tuple[str, str]) -> Lesson:
    source, target = (text.removesuffix("</s>").split("</s>") for text in pair)
    head, words = source[0].split(":")
    return Lesson({"五": 5, "七": 7}[head[0]], head[1], head[2:], words.split(), source[1:], target)


def lessons_of(steps: range, size: int = 3, seed: int = 0) -> list[list[Lesson]]:
    lessons = Lessons(QUATRAINS, FRAGMENTS, size, seed)
    return [[read(pair) for pair in lessons.pairs(step)] for step in steps]


def test_lessons_are_the_same_whenever_they_are_asked_for() -> None:
    """Of any step, in any order, over the end of a pass; a run that goes on learns what it would have learnt."""
    one, again, other = (Lessons(QUATRAINS, FRAGMENTS, 3, seed) for seed in (1, 1, 2))
    expected = {step: one.pairs(step) for step in range(50)}
    for step in (0, 40, 3, 15, 16, 17, 3, 49):
        assert again.pairs(step) == expected[step]
    assert len({tuple(pairs) for pairs in expected.values()}) == 50
    assert [other.pairs(step) for step in range(50)] != list(expected.values())


def test_a_batch_is_of_one_kind_and_length() -> None:
    """And asks for the same lines of all its poems, so that no target is padded."""
    heads = set()
    for batch in lessons_of(range(120)):
        assert len(batch) == 3
        ((length, kind, numbers),) = {(lesson.length, lesson.kind, lesson.numbers) for lesson in batch}
        heads.add((length, kind))
        assert all(len(lesson.target) == len(numbers) for lesson in batch)
        assert {len(line) for lesson in batch for line in lesson.target} == {length}
    assert heads == {(5, "绝"), (7, "绝"), (5, "律"), (7, "律")}


def test_targets_are_the_lines_that_are_asked_for() -> None:
    """The next line or all that remain, as often; behind the lines before them, or none."""
    asked = Counter()
    for batch in lessons_of(range(1000)):
        asked[batch[0].numbers] += 1
        for lesson in batch:
            poem, start = WHERE[lesson.target[0]]
            numbers = "".join(str(n + 1) for n in range(start, start + len(lesson.target)))
            assert lesson.numbers == numbers and tuple(lesson.target) == poem.lines[start:][: len(numbers)]
            assert tuple(lesson.lines) in (poem.lines[:start], ())
            assert (lesson.kind == "绝") is (poem in QUATRAINS)
    shares = {numbers: count / 1000 for numbers, count in asked.items()}
    eighths = dict.fromkeys(["1", "1234", "2", "234", "3", "34"], 1 / 8)
    assert shares == pytest.approx(eighths | {"4": 1 / 4}, abs=0.03)


def test_a_pass_has_quatrains_twice_and_fragments_once() -> None:
    """Each pass in an order of its own."""
    assert len(Lessons(QUATRAINS, FRAGMENTS, 3, 0)) == 2 * (4 + 2) + 3 + 1
    orders = []
    for number in range(3):
        batches = lessons_of(range(16 * number, 16 * (number + 1)))
        orders.append([WHERE[lesson.target[0]][0] for batch in batches for lesson in batch])
        assert Counter(orders[-1]) == dict.fromkeys(QUATRAINS, 2) | dict.fromkeys(FRAGMENTS, 1)
    assert len({tuple(order) for order in orders}) == 3


def test_poems_that_fill_no_batch_wait_for_another_pass() -> None:
    """Batches are full; who is left out changes."""
    lessons = Lessons(QUATRAINS, FRAGMENTS, 5, 0)
    assert len(lessons) == 2 * (2 + 1) + 1  # of the twelve, the six and the nine; three are too few
    seen = set()
    for number in range(8):
        batches = lessons_of(range(7 * number, 7 * (number + 1)), size=5)
        assert all(len(batch) == 5 for batch in batches)
        seen |= {WHERE[lesson.target[0]][0] for batch in batches for lesson in batch}
    assert seen == {*QUATRAINS, *FRAGMENTS[:9]}


def test_some_sources_leave_out_the_lines() -> None:
    """One in sixteen of those behind which lines stand, poem by poem; its number says which line is asked for."""
    behind = [lesson for batch in lessons_of(range(1200)) for lesson in batch if lesson.numbers[0] != "1"]
    unread = [lesson for lesson in behind if not lesson.lines]
    assert len(unread) / len(behind) == pytest.approx(train_base.UNREAD, abs=0.015)
    assert {lesson.numbers[0] for lesson in unread} == {"2", "3", "4"}
    assert train_base.without_lines("五绝3:明月</s>白日依山尽</s>黄河入海流</s>") == "五绝3:明月</s>"


def test_words_of_lessons() -> None:
    """Parts of the poem, all of them at times, none at others; a word is cut now and then."""
    poems = [replace(poem, keywords=()) for poem in TRAIN[:2] * 30]
    lessons, told_counts, words = Lessons(poems, [], 6, 0), set(), []
    for step in range(100):
        for lesson in map(read, lessons.pairs(step)):
            lines = next(poem.lines for poem in poems if lesson.target[0] in poem.lines)
            candidates = {word for line in lines for word in words_of(line)}
            assert all(word in candidates or any(word in other for other in candidates) for word in lesson.words)
            told_counts.add(len(lesson.words))
            words += lesson.words
    assert told_counts == set(range(9))  # two words in each of four lines
    assert 0.08 < sum(len(word) == 1 for word in words) / len(words) < 0.25


def test_lessons_tell_own_keywords() -> None:
    """Where a poem has them; three times in ten any words."""
    own = [set(TRAIN[n].keywords) for n in range(2)]
    lessons = Lessons(TRAIN[:2] * 30, [], 6, 0)
    told = [lesson.words for step in range(300) for lesson in map(read, lessons.pairs(step))]
    assert 0.6 < sum(any(set(words) <= each for each in own) for words in told) / len(told) < 0.8


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


NARROW = T5Config(d_model=64, d_kv=16, num_heads=4, d_ff=128)


def test_a_new_base_model() -> None:
    tokenizer = character_tokenizer(CHARACTERS)
    torch.manual_seed(0)
    model = new_model(tokenizer, NARROW, (2, 3))
    assert model.shared.weight.shape == (len(tokenizer), 64) and copying(model, tokenizer) > 1
    assert (len(model.encoder.block), len(model.decoder.block)) == (2, 3)
    assert model.encoder.block[0].layer[1].DenseReluDense.wi.weight.shape == (128, 64)
    specials = model.config.decoder_start_token_id, model.config.pad_token_id, model.config.eos_token_id
    assert specials == (0, 0, 1) and model.config.dropout_rate == 0


def scores_of(model, tokenizer, characters: str) -> torch.Tensor:
    """(4, 6, C) the scores of some characters, for the lines of a poem as source and target."""
    ids = torch.tensor(encode(tokenizer, [f"{line}</s>" for line in TRAIN[5].lines]))
    columns = tokenizer.convert_tokens_to_ids(list(characters))
    with torch.inference_mode():
        return model.eval()(ids, labels=ids, use_cache=False).logits[..., columns]


@pytest.mark.parametrize("layers", [(2, 3), (3, 3), (2, 5), (4, 6)])
def test_a_base_that_has_grown_says_what_it_said_before(layers: tuple[int, int]) -> None:
    """With other characters, in another order, and with layers that add nothing yet."""
    before, after = character_tokenizer(CHARACTERS), character_tokenizer([*"春鳜", *CHARACTERS[::-1], *"櫂鹳"])
    torch.manual_seed(0)
    earlier = PoemWriter(new_model(before, NARROW, (2, 3)), before)
    torch.manual_seed(1)
    model = grown(earlier, after, layers)
    known = "".join(dict.fromkeys(CHARACTERS))
    old, new = scores_of(earlier.model, before, known), scores_of(model, after, known)
    assert torch.allclose(old, new, atol=1e-4) and model.shared.weight.shape == (len(after), 64)
    assert (len(model.encoder.block), len(model.decoder.block)) == layers
    assert model.lm_head.weight is model.shared.weight and model.encoder.embed_tokens.weight is model.shared.weight
    assert not torch.equal(model.shared.weight[after.convert_tokens_to_ids("鳜")], torch.zeros(64))


def test_new_layers_learn() -> None:
    """What begins at zero does not stay there."""
    tokenizer = character_tokenizer(CHARACTERS)
    torch.manual_seed(0)
    model = grown(PoemWriter(new_model(tokenizer, NARROW, (1, 1)), tokenizer), tokenizer, (2, 2))
    ids = torch.tensor(encode(tokenizer, [f"{line}</s>" for line in TRAIN[5].lines]))
    model(ids, labels=ids, use_cache=False).loss.backward()
    for block in (model.encoder.block[1], model.decoder.block[1]):
        *attentions, feed_forward = block.layer
        outputs = [(layer.SelfAttention if i == 0 else layer.EncDecAttention).o for i, layer in enumerate(attentions)]
        for matrix in (*outputs, feed_forward.DenseReluDense.wo):
            assert not matrix.weight.any() and matrix.weight.grad.any()


def test_the_recipe_leaves_a_poem_model(tmp_path, monkeypatch, capsys) -> None:
    """Two steps; two more from there, with a layer more; and a finished run is not begun again."""
    (tmp_path / "poems").mkdir()
    write_ccpc(TRAIN, tmp_path / "poems" / "poems_train.json")
    write_ccpc(VALID, tmp_path / "poems" / "fragments.json")
    common = ["train_base", "--poems", str(tmp_path / "poems"), "--steps", "2", "--batch-size", "2", "--rivals", "0"]
    runs = {"first": ["--layers", "1", "1"], "second": ["--layers", "1", "2", "--start", str(tmp_path / "first")]}
    for name, options in runs.items():
        monkeypatch.setattr(sys, "argv", [*common, *options, "--out", str(tmp_path / name)])
        train_base.main()
        writer = PoemWriter.from_pretrained(tmp_path / name)
        assert len(writer.write(["明月"], PoemOptions("5x4", n=2))) == 2
        log = json.loads((tmp_path / name / train_base.LOG).read_text())
        assert (log["steps"], log["batch_size"], log["passes"]) == (2, 2, 2 / (2 * 6 + 2))
    assert len(writer.model.decoder.block) == 2 and writer.unknown_characters("雪梅绝律") == set()
    assert "12 quatrains, 4 fragments, 14 batches a pass" in capsys.readouterr().out
    before = contents(tmp_path / "second")
    train_base.main()
    assert contents(tmp_path / "second") == before and capsys.readouterr().out == ""


def test_the_embedding_takes_larger_steps() -> None:
    model = tiny_t5(30)
    optimizer = build_optimizer(model, 1e-3)
    first, rest = optimizer.param_groups
    assert first["params"][0] is model.shared.weight and len(first["params"]) == 1
    assert (first["lr"], rest["lr"]) == (7e-3, 1e-3)
    assert len(rest["params"]) + 1 == len(list(model.parameters()))
