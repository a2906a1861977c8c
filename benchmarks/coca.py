"""A small CoCa on stored features of Flickr8k-CN: with both losses, and without the contrastive one.

    python -m benchmarks.coca --data data --runs runs/coca --weights 1 0

DATA as for benchmarks.captioning. Retrieval is the CoCa's own: of pictures by captions and of captions by pictures, all
five of each picture, and one of each. One JSON object a row on stdout, as soon as it is known; rows whose run lies in
RUNS are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.captioning import Sets, load_sets, seconds_of, show
from helpers.captioning import BEAM, GREEDY, CaptionedEmbeds, Captioner, consensus_captions
from helpers.coca import FeatureCoCa, new_coca, retrieval, train_coca
from helpers.config import seed_everything
from helpers.metrics import paired_bootstrap
from helpers.options import CoCaTrainingConfig

CONTEXT = 26  # tokens: of the captions 999 in 1,000 have no more than 22


def trained(sets: Sets, config: CoCaTrainingConfig, folder: Path) -> tuple[Captioner, float]:
    """A CoCa and its seconds, from `folder` if it is there."""
    seed_everything(config.seed)
    captioner = Captioner(*new_coca(sets.train, context_length=CONTEXT))
    seconds = seconds_of(folder, lambda: train_coca(captioner, sets.train, sets.val, config, folder, resume=True))
    return Captioner.from_pretrained(folder, model_class=FeatureCoCa), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="trained models stay here")
    parser.add_argument("--features", default="clip_vitb16")
    parser.add_argument("--weights", type=float, nargs="+", default=[1.0, 0.0], help="of the contrastive loss")
    parser.add_argument("--epochs", type=int, default=CoCaTrainingConfig.epochs)
    parser.add_argument("--noise", type=float, default=CoCaTrainingConfig.noise)
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()

    sets = load_sets(args.data, args.features)
    _, consensus = sets.measure(consensus_captions(sets.train, sets.val.image_embeds))
    single = CaptionedEmbeds(sets.val.image_embeds, [group[:1] for group in sets.val.captions])
    for seed in range(args.seeds):
        for weight in args.weights:
            config = CoCaTrainingConfig(args.epochs, contrastive_weight=weight, noise=args.noise, seed=seed)
            folder = args.runs / f"{args.features}_{weight}_{args.epochs}_{args.noise}_{seed}"
            captioner, seconds = trained(sets, config, folder)
            found: dict[str, object] = {"minutes": seconds / 60, "parameters": captioner.model.num_parameters()}
            for name, decoding in (("greedy", GREEDY), ("beam", BEAM)):
                found[name], scores = sets.measure(captioner.caption_embeds(sets.val.image_embeds, decoding))
            show(
                contrastive_weight=weight, seed=seed, **found,
                retrieval=retrieval(captioner, sets.val), one_caption=retrieval(captioner, single),
                no_better_than_consensus=paired_bootstrap(scores, consensus),
            )  # fmt: skip


if __name__ == "__main__":
    main()
