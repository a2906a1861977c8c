"""Captions measured: against people's, and beside what one gets by copying from alike pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.captioning import GREEDY, STRATEGIES, CaptionedEmbeds, consensus_captions, nearest_captions
from helpers.data import flatten
from helpers.metrics import bleu, cider_d, originality, paired_bootstrap, recall_at_k

if TYPE_CHECKING:
    from helpers.captioning import Captioner
    from helpers.chinese_clip import ImageTextEncoder


def evaluate_captions(
    captioner: Captioner, train: CaptionedEmbeds, val: CaptionedEmbeds, encoder: ImageTextEncoder | None = None
) -> dict[str, dict[str, float]]:
    """Figures of each way to a caption for the pictures of `val`, by its name.

    "nearest" and "consensus" copy from `train`; "human" is everybody's first caption against their others, one
    reference fewer than the rest have. `encoder`: finds the pictures by their captions. `consensus` bears with it the
    probability, by paired bootstrap, that it is no worse than the captioner.
    """
    written = {
        "nearest": nearest_captions(train, val.image_embeds),
        "consensus": consensus_captions(train, val.image_embeds),
        "greedy": captioner.caption_embeds(val.image_embeds, GREEDY),
        "beam": captioner.caption_embeds(val.image_embeds, STRATEGIES["beam, 5"]),
    }
    known, _ = flatten(train.captions)
    scores = {name: cider_d(texts, val.captions) for name, texts in written.items()}
    report = {name: caption_figures(texts, scores[name], val, known, encoder) for name, texts in written.items()}
    if all(len(group) > 1 for group in val.captions):
        others = CaptionedEmbeds(val.image_embeds, [group[1:] for group in val.captions])
        firsts = [group[0] for group in val.captions]
        report["human"] = caption_figures(firsts, cider_d(firsts, others.captions), others, known, encoder)
    report["consensus"]["no_worse_than_beam"] = paired_bootstrap(scores["beam"], scores["consensus"])
    return report


def caption_figures(
    captions: Sequence[str],
    cider: np.ndarray,
    val: CaptionedEmbeds,
    known: Sequence[str],
    encoder: ImageTextEncoder | None,
) -> dict[str, float]:
    """CIDEr-D (times 100), BLEU-1 and BLEU-4 (per cent), variety, copies, and recall@1 and @10 of the picture."""
    scores = bleu(captions, val.captions)
    found = {
        "CIDEr": 100 * float(cider.mean()),
        "BLEU-4": 100 * scores[3],
        "BLEU-1": 100 * scores[0],
        **originality(captions, known),
    }
    if encoder:
        recall = recall_at_k(val.image_embeds, encoder.encode_texts(captions), np.arange(len(captions)))
        found |= {f"R@{k}": recall["text_to_image"][k] for k in (1, 10)}
    return found
