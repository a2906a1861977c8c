"""python -m helpers interrogate: text and JSON, a picture that is none, other models by name."""

import json

import numpy as np
import pytest

from helpers.__main__ import main
from helpers.captioning import Interrogation, ScoredPhrase
from helpers.config import ASSETS, load_config

LOTUS, LAKE = (str(ASSETS / "photos" / f"{name}.jpg") for name in ("lotus", "snow_lake"))
ANSWER = {"place": [ScoredPhrase("荷塘", 3.14159)], "verse": [ScoredPhrase("红蕖", 2.0), ScoredPhrase("新荷", 1.5)]}


class Asked:
    """Answers the same to all, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked, self.encoder = [], self
        self.config = load_config("mini")
        self.captioner = self.interrogator = self

    def encode_images(self, images) -> np.ndarray:
        return np.ones((len(images), 2))

    def caption(self, images) -> list[str]:
        return ["一朵荷花"] * len(images)

    def __call__(self, image_embeds, captions, mode, k) -> list[Interrogation]:
        self.asked.append((mode, k))
        chain = [ScoredPhrase("一朵荷花", 1.0), ScoredPhrase("红蕖", 2.5)] if mode == "best" else []
        return [Interrogation(caption, ANSWER, f"{caption}，红蕖", chain) for caption in captions]


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_one_object_a_line(asked, tmp_path, capsys) -> None:
    (tmp_path / "no.jpg").write_text("no picture")
    command = ["interrogate", LOTUS, str(tmp_path / "no.jpg"), LAKE, "--json", "--mode", "fast", "--k", "2"]
    assert main(command, load=lambda profile: asked) == 2
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert records[0] == {
        "image": LOTUS,
        "caption": "一朵荷花",
        "tables": {
            "place": [{"phrase": "荷塘", "score": 3.1416}],
            "verse": [{"phrase": "红蕖", "score": 2.0}, {"phrase": "新荷", "score": 1.5}],
        },
        "prompt": "一朵荷花，红蕖",
    }
    assert [record["image"] for record in records] == [LOTUS, LAKE] and asked.asked == [("fast", 2)]
    assert err.startswith("error: ") and "no.jpg" in err


def test_the_chain_is_printed_step_by_step(asked, capsys) -> None:
    assert main(["interrogate", LOTUS], load=lambda profile: asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        LOTUS, "  一朵荷花", "  place    荷塘 3.1", "  verse    红蕖 2.0  新荷 1.5",
        "  +1.00    一朵荷花", "  +2.50  + 红蕖", "  = 一朵荷花，红蕖",
    ]  # fmt: skip
    assert main(["interrogate", LOTUS, "--json"], load=lambda profile: asked) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["chain"] == [{"phrase": "一朵荷花", "score": 1.0}, {"phrase": "红蕖", "score": 2.5}]


def test_other_models_by_name(asked, monkeypatch, capsys) -> None:
    """A captioner and an encoder of the reader's, and glosses for one that knows no Chinese."""
    other, made = Asked(), []
    monkeypatch.setattr("helpers.coca.load_captioner", lambda *given: made.append(given) or other, raising=False)
    monkeypatch.setattr("helpers.coca.load_encoder", lambda *given: made.append(given) or other, raising=False)
    monkeypatch.setattr("helpers.pipeline.interrogator_of", lambda *given: made.append(given) or other, raising=False)
    names = ["--captioner", "Salesforce/blip", "--encoder", "ViT-B-32/openai", "--language", "en"]
    assert main(["interrogate", LOTUS, *names], load=lambda profile: asked) == 0
    assert made == [
        ("Salesforce/blip", asked, True), ("ViT-B-32/openai", True), (other, "ViT-B-32/openai", "en"),
    ]  # fmt: skip
    assert other.asked and not asked.asked


def test_offline_nothing_is_asked_of_the_hub(asked, capsys) -> None:
    assert main(["interrogate", LOTUS, "--encoder", "ViT-B-32/openai"], load=lambda profile: asked) == 2
    assert "take --profile full" in capsys.readouterr().err
