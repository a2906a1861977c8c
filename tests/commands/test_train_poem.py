"""python -m helpers train poem: what is trained, what is printed, and the exit status."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from helpers.__main__ import main
from helpers.config import ASSETS
from helpers.options import PoemOptions, PoemTrainingConfig
from helpers.poems import PoemWriter, Quatrain, character_tokenizer, read_split, write_ccpc
from tests.samples import CHARACTERS, TRAIN, VALID, contents, tiny_t5

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = character_tokenizer(CHARACTERS)
    tokenizer.save_pretrained(folder)
    tiny_t5(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split, poems in {"train": TRAIN, "valid": VALID, "test": VALID[:1]}.items():
        write_ccpc(poems, folder / f"ccpc_{split}_v1.0.json")
    return folder


@pytest.fixture
def run(model_folder, data_folder, tmp_path, capsys):
    """`main` in this process with a tiny model and tiny data; returns the exit status, stdout and stderr."""

    def call(*changes: object) -> tuple[int, str, str]:
        command = ["train", "poem", "--model", model_folder, "--data", data_folder, "--out", tmp_path / "out"]
        try:
            status = main([*map(str, [*command, "--steps", 2, "--batch-size", 4, *changes])])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


def complaint(result: tuple[int, str, str], *mentions: object) -> bool:
    status, out, err = result
    lines = [line for line in err.splitlines() if "error: " in line]
    return status == 2 and out == "" and len(lines) == 1 and all(str(mention) in lines[0] for mention in mentions)


@pytest.fixture
def trained(monkeypatch) -> list[tuple]:
    """What `fine_tune` would be called with."""
    calls = []
    monkeypatch.setattr("helpers.poems.fine_tune_t5", lambda *args: calls.append(args) or [])
    return calls


def test_two_steps(run, tmp_path) -> None:
    status, _, err = run("--evaluate-every", 1)
    state = json.loads((tmp_path / "out" / "checkpoint-2" / "trainer_state.json").read_text(encoding="utf-8"))
    losses = [entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry]
    said = [line for line in err.splitlines() if str(tmp_path) in line]
    assert status == 0 and said == [f"{tmp_path / 'out'}: loss {min(losses):.3f} on 4 other poems"]
    assert len(losses) == 2 and "error" not in err
    (poem,) = PoemWriter.from_pretrained(tmp_path / "out").write(["明月"], PoemOptions("5x4", n=1))
    assert len(poem.lines) == 4


def test_a_run_is_resumed_only_if_asked(run, tmp_path) -> None:
    status, _, said = run("--evaluate-every", 1)
    before = contents(tmp_path / "out")
    assert status == 0 and complaint(run("--evaluate-every", 1), tmp_path / "out", "--resume")
    assert complaint(run("--evaluate-every", 1, "--resume", "--lr", 0.5), "another lr")
    status, _, again = run("--evaluate-every", 1, "--resume")
    assert status == 0 and again.splitlines()[-1] == said.splitlines()[-1]
    assert contents(tmp_path / "out") == before  # it was over


def test_options_reach_the_run(run, trained, model_folder, tmp_path) -> None:
    options = {"steps": 7, "batch-size": 5, "accumulate": 3, "lr": 0.02, "evaluate-every": 6, "patience": 2, "seed": 9}
    assert run(*(part for name, value in options.items() for part in (f"--{name}", value)), "--resume")[0] == 0
    model, tokenizer, train, valid, config, out, resume = trained[0]
    changed = {name.replace("-", "_"): value for name, value in options.items()}
    assert config == PoemTrainingConfig(**changed) and set(changed) < {field.name for field in fields(config)}
    assert (train, valid, out, resume) == (TRAIN, VALID, tmp_path / "out", True)
    assert model.config.d_model == 16 and len(tokenizer) == model.config.vocab_size


def test_defaults(trained, tmp_path) -> None:
    """Our own base model and the sample of poems."""
    assert main(["train", "poem", "--out", str(tmp_path)]) == 0
    model, _, train, valid, config, out, resume = trained[0]
    assert config == PoemTrainingConfig() and (out, resume) == (tmp_path, False)
    assert (train, valid) == tuple(read_split(ASSETS / "poems", split) for split in ("train", "valid"))
    assert model.config.d_model == 288


def test_data_that_is_not_there(run, tmp_path) -> None:
    assert complaint(run("--data", tmp_path / "nothing"), tmp_path / "nothing", "_train")
    assert not (tmp_path / "out").exists()
    write_ccpc([Quatrain(("白日依山尽",) * 4)], tmp_path / "ccpc_train_v1.0.json")
    assert complaint(run("--data", tmp_path), "_valid")


@pytest.mark.parametrize(
    ("changes", "mention"),
    [
        (["--model", "./missing_model"], "missing_model"),
        (["--steps", "0"], "--steps"),
        (["--batch-size", "0"], "--batch-size"),
        (["--accumulate", "-1"], "--accumulate"),
        (["--evaluate-every", "0"], "--evaluate-every"),
        (["--patience", "none"], "--patience"),
        (["--profile", "huge"], "--profile"),
        (["--frozen"], "unrecognized arguments: --frozen"),
    ],
)
def test_what_cannot_be_trained(changes: list[str], mention: str, run, tmp_path) -> None:
    assert complaint(run(*changes), mention)
    assert not (tmp_path / "out").exists()


def test_out_is_needed(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "poem"])
    assert stop.value.code == 2 and "--out" in capsys.readouterr().err
