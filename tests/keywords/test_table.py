"""keywords.table: what is written comes back, and other models go without."""

import numpy as np
import pytest

from helpers.config import ASSETS, load_config
from helpers.keywords import TABLE, Calibration, KeywordTable, load_vocabulary, shipped_calibration, table_of


def test_round_trip(tmp_path) -> None:
    rng = np.random.default_rng(0)
    embeds = rng.standard_normal((3, 8))
    embeds = (embeds / np.linalg.norm(embeds, axis=1, keepdims=True)).astype(np.float32)
    centre = rng.standard_normal(8).astype(np.float32)
    KeywordTable(["山", "孤舟", "水"], embeds, centre, Calibration(0.5, 1.75, -2.0)).save(tmp_path / TABLE)
    words, found, middle, calibration = table_of(tmp_path)
    assert np.allclose(middle, centre, atol=1e-3) and words == ["山", "孤舟", "水"]
    assert calibration == Calibration(0.5, 1.75, -2.0)
    assert np.abs(found - embeds).max() < 4e-3 and np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_a_model_without_a_table(tmp_path) -> None:
    assert table_of(tmp_path) is None
    assert table_of("OFA-Sys/chinese-clip-vit-base-patch16") is None
    assert shipped_calibration().slope > 0


def test_the_shipped_table_has_the_vocabulary() -> None:
    table = table_of(load_config("mini").image_text_model)
    assert table.words == [keyword.word for keyword in load_vocabulary()]
    assert table.embeds.shape == (len(table.words), 512) and (ASSETS / "image_text" / TABLE).stat().st_size < 2e6


def test_other_words_come_from_the_text_tower_about_the_same_centre() -> None:
    table = KeywordTable(["山"], np.eye(3, dtype=np.float32)[:1], np.array([0, 0, 1], np.float32), Calibration(0, 1, 0))
    asked = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.append(texts)
        return np.array([[0, 2, 1]] * len(texts), dtype=np.float32).reshape(len(texts), 3)

    assert table.lookup(["鲸", "山"], encode).tolist() == [[0, 1, 0], [1, 0, 0]] and asked == [["鲸"]]
    assert table.lookup([], encode).shape == (0, 3)


def test_a_damaged_table_is_one_line(tmp_path) -> None:
    shipped = (ASSETS / "image_text" / TABLE).read_bytes()
    for content in (b"", shipped[:5000], b"x" * 100):
        (tmp_path / TABLE).write_bytes(content)
        with pytest.raises(ValueError, match="damaged, or no table"):
            table_of(tmp_path)
