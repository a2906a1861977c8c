"""All captioners in one table: copied, ClipCap, CapDec, CoCa, on the 1,000 photos of Flickr8k-CN val.

    python -m benchmarks.captioners --data data --runs runs

RUNS holds what benchmarks.captioning, benchmarks.capdec and benchmarks.coca left there; nothing is trained. Retrieval,
of the photo by its caption and of the caption by its photo, is by the judge of `evaluate pipeline`, which had no part
in any of them. A person's caption is measured against the other four. One JSON object a row on stdout.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.captioning import SECONDS, load_sets, show
from helpers.captioning import (
    BEAM,
    CaptionedEmbeds,
    Captioner,
    consensus_captions,
    embed_captioned,
    move_to_pictures,
    nearest_captions,
)
from helpers.chinese_clip import ImageTextEncoder
from helpers.coca import load_captioner
from helpers.config import ASSETS, load_config
from helpers.data import flatten, load_captions
from helpers.metrics import bleu, cider_d, originality, recall_at_k
from helpers.pipeline import reference_pictures

Captions = Sequence[Sequence[str]]
ROWS = {
    "ClipCap, MLP": "captioning/clip_vitb16_mlp_tuned_5_0",
    "ClipCap, Transformer": "captioning/clip_vitb16_transformer_tuned_5_0",
    "CoCa, both losses": "coca/clip_vitb16_1.0_5_0.0_0",
    "CoCa, caption loss": "coca/clip_vitb16_0.0_5_0.0_0",
}
SENTENCES = {"CapDec, noise 0.016": "capdec/0.016_3_0", "CapDec, noise 0.004, moved": "capdec/0.004_3_0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    args = parser.parse_args()

    sets = load_sets(args.data, "clip_vitb16")
    known, _ = flatten(sets.train.captions)
    judge = ImageTextEncoder.from_pretrained(load_config("mini").judge)
    seen = embed_captioned(judge, load_captions(args.data / "flickr8k", "val")).image_embeds  # (N, D)

    def row(name: str, captions: list[str], references: Captions = sets.val.captions, **more: object) -> None:
        recall = recall_at_k(seen, judge.encode_texts(captions), np.arange(len(captions)), ks=(1, 10))
        cider, bleu_4 = cider_d(captions, references).mean(), bleu(captions, references)[3]
        figures = {"CIDEr": 100 * float(cider), "BLEU-4": 100 * bleu_4, **originality(captions, known)}
        show(captions_by=name, **figures, **recall, **more)

    def write(name: str, captioner: Captioner, data: CaptionedEmbeds, folder: Path | None) -> None:
        seconds = json.loads((folder / SECONDS).read_text()) if folder else None
        size = {"minutes": seconds and seconds / 60, "parameters": captioner.model.num_parameters()}
        row(name, captioner.caption_embeds(data.image_embeds, BEAM), **size)

    row("a person", [group[0] for group in sets.val.captions], [group[1:] for group in sets.val.captions])
    row("nearest", nearest_captions(sets.train, sets.val.image_embeds))
    row("consensus", consensus_captions(sets.train, sets.val.image_embeds))
    for name, path in ROWS.items():
        write(name, load_captioner(str(args.runs / path)), sets.val, args.runs / path)
    for name, path in SENTENCES.items():
        captioner = Captioner.from_pretrained(args.runs / path)
        if "moved" in name:
            move_to_pictures(captioner.model.centred, reference_pictures(sets.encoder, ASSETS / "image_text"))
        write(name, captioner, sets.seen, args.runs / path)
    write("shipped", Captioner.from_pretrained(ASSETS / "captioner"), sets.seen, None)


if __name__ == "__main__":
    main()
