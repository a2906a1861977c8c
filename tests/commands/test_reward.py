"""python -m helpers train reward: a captioner and a verse prefix, a kill in the middle, names that there are not."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from helpers.__main__ import main
from helpers.config import load_config
from tests.samples import killed_and_resumed

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def arguments(squares_folder, clip_folder, tmp_path_factory) -> list[str]:
    """All but --out, with a captioner to begin with."""
    data = ["--data", squares_folder, "--split-list", squares_folder / "splits.csv", "--language", "en"]
    data = [str(each) for each in [*data, "--encoder", clip_folder]]
    folder = str(tmp_path_factory.mktemp("captioner"))
    assert main(["train", "clipcap", *data, "--epochs", "1", "--batch-size", "4", "--out", folder]) == 0
    settings = ["--epochs", "2", "--batch-size", "4", "--captions-per-image", "2", "--save-every", "3"]
    return ["train", "reward", *data, *settings, "--model", folder, "--draws", "2"]


def test_a_killed_run_ends_with_the_same_weights(arguments, tmp_path) -> None:
    killed_and_resumed([*arguments, "--reward", "clip+lm"], tmp_path)


@pytest.mark.parametrize(
    "more",
    [["--baseline", "greedy", "--draws", "1"], ["--reward", "cider+plain"], ["--draw-by", "beam", "--draws", "3"]],
)
def test_other_rewards_and_baselines(arguments, more, tmp_path, capsys) -> None:
    assert main([*arguments, *more, "--out", str(tmp_path / "run")]) == 0
    assert "reward " in capsys.readouterr().err
    settings = json.loads((tmp_path / "run" / "run.json").read_text())
    assert settings["reward"] == (more[1] if more[0] == "--reward" else "clip") and settings["ce_weight"] == 1.0


def test_wishes_that_cannot_be_met(arguments, tmp_path, capsys) -> None:
    for more, complaint in (
        (["--reward", "beauty"], "no reward beauty: choose of clip, cider, lm, plain"),
        (["--draws", "1"], "at least two draws"),
    ):
        assert main([*arguments, *more, "--out", str(tmp_path / more[1])]) == 2
        assert complaint in capsys.readouterr().err


def test_a_verse_prefix_is_rewarded(tmp_path, capsys) -> None:
    """On reference pictures, of which some are held back; the poem model stays as it is."""
    from helpers.captioning import VersePrefix, VersePrefixConfig
    from helpers.keywords import ScoredWord
    from helpers.poems import PoemWriter, character_tokenizer
    from tests.samples import CHARACTERS, tiny_t5

    tokenizer = character_tokenizer(sorted({*CHARACTERS, *"春雨"}))
    torch.manual_seed(0)
    writer = PoemWriter(tiny_t5(len(tokenizer)), tokenizer)
    VersePrefix(VersePrefixConfig(8, writer.model.config.d_model, 2)).save_pretrained(tmp_path / "prefix")
    before = {name: tensor.clone() for name, tensor in writer.model.state_dict().items()}

    class Stub:
        """Eight pictures, and models that are small."""

        def __init__(self) -> None:
            self.config, self.writer, self.encoder, self.reader = load_config("mini"), writer, self, self
            self.reference_embeds = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
            self.fingerprint = "stub"

        def keywords(self, pictures, k) -> list[list[ScoredWord]]:
            return [[ScoredWord("春", 1.0), ScoredWord("雨", 1.0)] for _ in pictures]

        def encode_texts(self, texts) -> np.ndarray:
            return np.array([[text.count("春") + i * 0.01 for i in range(8)] for text in texts], dtype=np.float32)

        def coherence(self, poems) -> np.ndarray:
            return np.array([float(len(set("".join(lines)))) for lines in poems])

    stub = Stub()
    command = ["train", "reward", "--model", str(tmp_path / "prefix"), "--batch-size", "2", "--draws", "2"]
    command += ["--epochs", "1", "--captions-per-image", "1", "--out", str(tmp_path / "run")]
    assert main(command, load=lambda profile: stub) == 0
    assert "clip" in capsys.readouterr().err
    changed, given = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "prefix"))
    assert any(not torch.equal(changed[name], given[name]) for name in given)
    assert all(torch.equal(tensor, before[name]) for name, tensor in writer.model.state_dict().items())
    assert main([*command, "--data", "drawn"], load=lambda profile: stub) == 2
    assert "leave out --data" in capsys.readouterr().err
    assert main([*command, "--reward", "cider", "--resume"], load=lambda profile: stub) == 2
    assert "no reward cider of verse" in capsys.readouterr().err
