"""ClipCap on Flickr8k-CN: both mappings, the decoder tuned and frozen, on stored features; beside copied captions.

    python -m benchmarks.captioning --data data --runs runs/captioning --features clip_vitb16 --seeds 2

DATA holds flickr8k/{train,val}.parquet with five Chinese captions a picture, and
features/NAME_flickr8k_{train,val}.npy.
All rows have the same epochs. A frozen decoder has first read the captions behind prefixes of noise, for `--read`
epochs, whose minutes are not counted in its row. Retrieval is by the shipped encoder, which trained no captioner here.
One JSON object a row on stdout, as soon as it is known; rows whose run lies in RUNS are not trained again, and one that
was killed goes on (its minutes are then those since).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing import timed
from helpers.captioning import (
    BEAM,
    GREEDY,
    CaptionedEmbeds,
    Captioner,
    consensus_captions,
    embed_captioned,
    nearest_captions,
    new_captioner,
    train_captioner,
)
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, seed_everything
from helpers.data import flatten, load_captions
from helpers.evaluate import caption_figures
from helpers.keywords import unit
from helpers.metrics import cider_d, paired_bootstrap
from helpers.options import CaptionTrainingConfig

SECONDS = "seconds.json"  # beside a trained model


@dataclass(frozen=True)
class Sets:
    """What a captioner learns from and is measured on, and how the shipped encoder sees the latter."""

    train: CaptionedEmbeds
    val: CaptionedEmbeds
    seen: CaptionedEmbeds
    encoder: ImageTextEncoder

    def measure(self, captions: list[str]) -> tuple[dict[str, float], np.ndarray]:
        """Figures of a caption for each picture of val, and CIDEr-D picture by picture."""
        known, _ = flatten(self.train.captions)
        scores = cider_d(captions, self.val.captions)
        return caption_figures(captions, scores, self.seen, known, self.encoder), scores


def load_sets(data: Path, features: str) -> Sets:
    encoder = ImageTextEncoder.from_pretrained(ASSETS / "image_text")
    sets = {split: load_captions(data / "flickr8k", split) for split in ("train", "val")}
    embeds = {s: unit(np.load(data / f"features/{features}_flickr8k_{s}.npy").astype(np.float32)) for s in sets}
    train, val = (CaptionedEmbeds(embeds[split], sets[split].in_language("zh")) for split in sets)
    return Sets(train, val, embed_captioned(encoder, sets["val"]), encoder)


def noise_for(train: CaptionedEmbeds, seed: int) -> CaptionedEmbeds:
    """The captions, and instead of each picture nothing: a decoder that reads them learns the language alone."""
    noise = np.random.default_rng(seed).normal(size=train.image_embeds.shape).astype(np.float32)
    return CaptionedEmbeds(noise, train.captions)


def seconds_of(folder: Path, train: Callable[[], object]) -> float:
    """What the run in `folder` took; it is trained if it is not there."""
    if not (folder / SECONDS).is_file():
        seconds, _ = timed(train)
        (folder / SECONDS).write_text(json.dumps(seconds))
    return json.loads((folder / SECONDS).read_text())


def trained(
    sets: Sets, mapping: str, config: CaptionTrainingConfig, folder: Path, decoder: Captioner | None = None
) -> tuple[Captioner, float]:
    """A captioner and its seconds, from `folder` if it is there; its decoder begins as that of `decoder`."""
    seed_everything(config.seed)
    captioner = Captioner(*new_captioner(sets.train, mapping=mapping))
    if decoder:
        captioner.model.decoder.load_state_dict(decoder.model.decoder.state_dict())
    seconds = seconds_of(folder, lambda: train_captioner(captioner, sets.train, sets.val, config, folder, resume=True))
    return Captioner.from_pretrained(folder), seconds


def row(captioner: Captioner, seconds: float, sets: Sets, consensus: np.ndarray) -> dict[str, object]:
    found: dict[str, object] = {"minutes": seconds / 60, "parameters": captioner.model.num_parameters()}
    for name, decoding in (("greedy", GREEDY), ("beam", BEAM)):
        found[name], scores = sets.measure(captioner.caption_embeds(sets.val.image_embeds, decoding))
    return found | {"no_better_than_consensus": paired_bootstrap(scores, consensus)}


def show(**found: object) -> None:
    print(json.dumps(found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="trained captioners stay here")
    parser.add_argument("--features", default="clip_vitb16", help="clip_vitb16 or resnet34 (default: %(default)s)")
    parser.add_argument("--mappings", nargs="+", default=["mlp", "transformer"])
    parser.add_argument("--decoders", nargs="+", choices=("tuned", "frozen"), default=["tuned", "frozen"])
    parser.add_argument("--epochs", type=int, default=CaptionTrainingConfig.epochs)
    parser.add_argument("--read", type=int, default=2, help="epochs in which a decoder reads before it is frozen")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()

    sets = load_sets(args.data, args.features)
    nearest, _ = sets.measure(nearest_captions(sets.train, sets.val.image_embeds))
    copied, consensus = sets.measure(consensus_captions(sets.train, sets.val.image_embeds))
    show(features=args.features, nearest=nearest, consensus=copied)
    for seed in range(args.seeds):
        for decoder in args.decoders:
            config = CaptionTrainingConfig(epochs=args.epochs, seed=seed, freeze_decoder=decoder == "frozen")
            reader = None
            if config.freeze_decoder:
                blind = Sets(noise_for(sets.train, seed), sets.val, sets.seen, sets.encoder)
                reading = CaptionTrainingConfig(epochs=args.read, seed=seed)
                reader, seconds = trained(
                    blind, "mlp", reading, args.runs / f"{args.features}_reader_{args.read}_{seed}"
                )
                print(f"the decoder has read for {seconds / 60:.1f} minutes", file=sys.stderr)
            for mapping in args.mappings:
                read = f"_{args.read}" if reader else ""
                folder = args.runs / f"{args.features}_{mapping}_{decoder}{read}_{args.epochs}_{seed}"
                model = trained(sets, mapping, config, folder, reader)
                show(mapping=mapping, decoder=decoder, seed=seed, **row(*model, sets, consensus))


if __name__ == "__main__":
    main()
