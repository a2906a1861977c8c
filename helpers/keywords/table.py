"""The places of keyword.txt's words in the space of the shipped model: what its text tower says, and photographs add.

Photographs that people have labelled say more of a word than any text does: sixteen of egrets tell an egret from a
flamingo, which no sentence encoder can. They can only be had for words of a list, so they stand in a table beside the
tower; any other word, and any line of verse, goes through the tower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from helpers.config import ASSETS
from helpers.keywords.probability import Calibration
from helpers.keywords.ranking import unit
from helpers.storage import load_quantized, save_quantized, whole_file

TABLE = "keywords.safetensors"  # beside the weights of a model that has one


class KeywordTable(NamedTuple):
    """M words with unit vectors (M, D) about `centre` (D,), and how scores of theirs become probabilities.

    `centre` is the mean of the words as the text tower alone has them: without it other texts are comparable.
    """

    words: list[str]
    embeds: np.ndarray
    centre: np.ndarray
    calibration: Calibration

    def save(self, path: str | Path) -> None:
        facts = {name: repr(float(value)) for name, value in self.calibration._asdict().items()}
        facts["words"] = " ".join(self.words)
        arrays = {"embeds": torch.from_numpy(self.embeds), "centre": torch.from_numpy(self.centre)}
        with whole_file(Path(path)) as unfinished:
            save_quantized(arrays, unfinished, **facts)

    @classmethod
    def load(cls, path: str | Path) -> KeywordTable:
        """Raises ValueError for a damaged table."""
        try:
            with safe_open(path, "pt") as file:
                facts = file.metadata()
            arrays = {name: tensor.numpy() for name, tensor in load_quantized(path).items()}
            embeds, centre = arrays["embeds"], arrays["centre"]
            calibration = Calibration(*(float(facts[name]) for name in Calibration._fields))
            words = dict(zip(facts["words"].split(), unit(embeds), strict=True))
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: damaged, or no table of words") from error
        return cls([*words], np.stack([*words.values()]), centre, calibration)

    def lookup(self, words: Sequence[str], encode_texts: Callable[[list[str]], np.ndarray]) -> np.ndarray:
        """The table's vectors for the words that it has, for all others those of the text tower, about `centre`.

        Returns (len(words), D). `encode_texts`: texts -> (N, D).
        """
        known = dict(zip(self.words, self.embeds, strict=True))
        others = [word for word in words if word not in known]
        known |= dict(zip(others, unit(encode_texts(others) - self.centre), strict=True))
        return np.array([known[word] for word in words], dtype=np.float32).reshape(len(words), len(self.centre))


def table_of(model: str | Path) -> KeywordTable | None:
    """The table beside a model's weights, if it has one."""
    path = Path(model) / TABLE
    return KeywordTable.load(path) if path.is_file() else None


def shipped_calibration() -> Calibration:
    """That of the shipped model: standard scores of another are about as telling, which is a guess and all there is."""
    return KeywordTable.load(ASSETS / "image_text" / TABLE).calibration
