"""A rewarded captioner on Flickr8k-CN val: searched, rewarded alone, rewarded and taught, only taught.

    python -m benchmarks.reward --data data --runs runs/reward --seeds 2

Each run begins with the shipped captioner. `clip` rewards as the default encoder finds picture and caption alike; the
judge of `evaluate pipeline`, which had no part, finds the photo by its caption among 1,000. "search" takes of the five
beams the one that the encoder likes best, and "best of 8" of eight samples: what can be had without any learning. One
JSON object a row on stdout, as soon as it is known; rows whose run lies in RUNS are not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.captioning import seconds_of, show
from helpers.captioning import BEAM, GREEDY, CaptionedEmbeds, Captioner, Decoding, embed_captioned
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import load_config, seed_everything
from helpers.data import load_captions
from helpers.metrics import bleu, cider_d, originality, recall_at_k
from helpers.options import RewardTrainingConfig
from helpers.reward import ClipCritic, beams, stammering, train_reward
from recipes.captioner.train import plain

RUNS = {  # name -> what is other than in `BASE`
    "reward alone": {"reward": "clip", "ce_weight": 0.0, "draw_by": "sample"},
    "teaching alone": {"reward": "none"},
    "clip, taught": {"reward": "clip"},
    "clip+cider, taught": {"reward": "clip+cider"},
    "then clip, taught": {"reward": "clip"},
}
BASE = {"captions_per_image": 5, "draw_by": "beam"}
PHOTOS = {"reward alone": 1600, "then clip, taught": 3000}  # of 6,000: an epoch is shorter
AFTER = {"then clip, taught": "clip+cider, taught"}  # the run that one begins with; others with the shipped captioner


@dataclass(frozen=True)
class Bench:
    """The pictures, and who looks at captions of them."""

    val: CaptionedEmbeds
    seen: np.ndarray  # (N, E) the pictures as the judge sees them
    encoder: ImageTextEncoder
    judge: ImageTextEncoder
    critic: ClipCritic

    def figures(self, captions: Sequence[str], references: Sequence[Sequence[str]] | None = None) -> dict[str, float]:
        references, owners = references or self.val.captions, np.arange(len(captions))
        own = recall_at_k(self.val.image_embeds, self.encoder.encode_texts(captions), owners)["text_to_image"]
        judged = recall_at_k(self.seen, self.judge.encode_texts(captions), owners)["text_to_image"]
        return {
            "CIDEr": 100 * float(cider_d(captions, references).mean()),
            "BLEU-4": 100 * bleu(captions, references)[3],
            "reward": float(self.critic.cosines(self.val.image_embeds, captions).mean()),
            **{name: value for name, value in originality(captions, []).items() if name != "copied"},
            "stammering": stammering(captions),
            **{f"judge R@{k}": value for k, value in judged.items()},
            "own R@1": own[1],
        }

    def written(self, captioner: Captioner) -> dict[str, dict[str, float]]:
        ways = {"greedy": GREEDY, "beam": BEAM}
        return {name: self.figures(captioner.caption_embeds(self.val.image_embeds, way)) for name, way in ways.items()}

    def best_of(self, captioner: Captioner, decoding: Decoding, k: int) -> dict[str, float]:
        """Of k captions a picture the one that the encoder likes best; `decoding` writes all k, or one of k rows."""
        several = "num_return_sequences" in decoding
        many = np.repeat(self.val.image_embeds, k, 0)
        rows = captioner.caption_embeds(self.val.image_embeds if several else many, decoding)
        best = self.critic.cosines(many, rows).reshape(-1, k).argmax(1)
        return self.figures([rows[i * k + j] for i, j in enumerate(best)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="trained models stay here")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=[*RUNS])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-4)
    args = parser.parse_args()

    config = load_config("mini")
    encoder, judge = (ImageTextEncoder.from_pretrained(name) for name in (config.image_text_model, config.judge))
    sets = [load_captions(args.data / "flickr8k", split) for split in ("train", "val")]
    embedded = [embed_captioned(encoder, each) for each in sets]
    train, val = (CaptionedEmbeds(x, [[plain(text) for text in group] for group in y]) for x, y in embedded)
    bench = Bench(val, embed_captioned(judge, sets[1]).image_embeds, encoder, judge, ClipCritic.of(encoder, train))
    start = Captioner.from_pretrained(config.captioner, encoder)
    others = [group[1:] for group in val.captions]
    show(name="a person, four references", **bench.figures([group[0] for group in val.captions], others))
    show(name="start", **bench.written(start))
    show(name="search, 5 beams", **bench.best_of(start, beams(5), 5))
    torch.manual_seed(0)
    show(name="search, 8 samples", **bench.best_of(start, {"do_sample": True, "top_k": 0, "temperature": 0.5}, 8))
    for seed in range(args.seeds):
        for name in args.only:
            settings = RewardTrainingConfig(
                **{**BASE, "batch_size": args.batch_size, "lr": args.lr, "seed": seed, **RUNS[name]}
            )
            begin = args.runs / f"{AFTER[name]}_{seed}" if name in AFTER else config.captioner
            captioner, folder = Captioner.from_pretrained(begin, encoder), args.runs / f"{name}_{seed}"
            part = CaptionedEmbeds(*(each[: PHOTOS.get(name, len(each))] for each in train))
            seed_everything(seed)
            train_run = partial(train_reward, captioner, encoder, part, val, settings, folder, resume=True)
            seconds = seconds_of(folder, train_run)
            show(name=name, seed=seed, minutes=seconds / 60, **bench.written(Captioner.from_pretrained(folder)))


if __name__ == "__main__":
    main()
