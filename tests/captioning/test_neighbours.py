"""captioning.neighbours: who is nearest, and which caption most agree with."""

import numpy as np

from helpers.captioning import CaptionedEmbeds, consensus_captions, most_central, nearest_captions

TRAIN = CaptionedEmbeds(
    np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.3], [0.0, 5.0]], dtype=np.float32),
    [["湖上的船", "一只小船"], ["湖上有一只小船"], ["一只小船在湖上"], ["雪山"]],
)


def test_nearest() -> None:
    """By cosine: the last one's length is no merit."""
    queries = np.array([[2.0, 0.05], [0.1, 0.2], [3.0, 0.4]], dtype=np.float32)
    assert nearest_captions(TRAIN, queries) == ["湖上的船", "雪山", "湖上有一只小船"]


def test_the_caption_that_most_agree_with() -> None:
    captions = ["雪山", "一只小船", "湖上有一只小船", "小船"]
    assert most_central(captions) == "一只小船"
    assert most_central(["雪山"]) == "雪山"


def test_consensus_looks_at_the_nearest_alone() -> None:
    queries = np.array([[1.0, 0.1], [0.0, 1.0]], dtype=np.float32)
    assert consensus_captions(TRAIN, queries, k=1) == ["湖上有一只小船", "雪山"]
    assert consensus_captions(TRAIN, queries, k=3)[0] in {"湖上有一只小船", "一只小船在湖上", "一只小船"}
    assert len(consensus_captions(TRAIN, queries, k=100)) == 2
