"""The command that rewards a writer for what critics like: python -m helpers train reward."""

from __future__ import annotations

import argparse

from helpers.commands.captions import caption_source, embed_sets, not_negative
from helpers.commands.shared import from_options, positive
from helpers.commands.train import add_run_command, load_splits, report
from helpers.options import RewardTrainingConfig

DRAWS = ("sample", "beam")
BASELINES = ("leave-one-out", "greedy")
VERSE_REWARD = "clip+reader+lm"
HELD_OUT = 64  # reference pictures that show how a rewarded poem model does


def add_reward_training(train: argparse._SubParsersAction) -> None:
    """What rewards a model that `train` or the assets have."""
    default = RewardTrainingConfig
    reward = add_run_command(train, "reward", "a writer that is rewarded by critics (notebook 07)", default)
    reward.add_argument(
        "--model", metavar="DIR", help="a captioner of train clipcap or capdec, or a verse_prefix (default: ours)"
    )
    reward.add_argument(
        "--reward", metavar="NAMES", help="of clip, cider, lm, plain or none; of verse clip, reader, lm; joined by +"
    )
    reward.add_argument("--draws", type=positive, default=default.draws, help="captions a picture and step")
    reward.add_argument("--draw-by", choices=DRAWS, default=default.draw_by, help="samples, or the likeliest captions")
    reward.add_argument("--baseline", choices=BASELINES, default=default.baseline, help="what is expected of a draw")
    reward.add_argument(
        "--ce-weight", type=not_negative, default=default.ce_weight, help="of people's captions in the loss"
    )
    reward.add_argument("--encoder", metavar="NAME", help="whose embeddings it reads, and who rewards")
    reward.add_argument("--lr", type=float, default=default.lr)
    reward.add_argument("--warmup", type=float, default=default.warmup, metavar="SHARE", help="of all steps")
    reward.set_defaults(run=run_train_reward, language="zh")


def run_train_reward(args: argparse.Namespace) -> int:
    from helpers.captioning import Captioner
    from helpers.config import load_config, seed_everything
    from helpers.reward import train_reward
    from helpers.storage import model_type

    profile = load_config(args.profile)
    model = args.model or profile.captioner
    if model_type(model) == "verse_prefix":
        return train_rewarded_verse(args, model)
    args.reward = args.reward or RewardTrainingConfig.reward
    config = from_options(RewardTrainingConfig, args)
    splits = load_splits(caption_source(args), args)
    encoder, (train, val) = embed_sets(args, profile, splits.train, splits.val)
    captioner = Captioner.from_pretrained(model, encoder, profile.offline)
    seed_everything(args.seed)  # the draws
    return report(args, train_reward(captioner, encoder, train, val, config, args.out, resume=args.resume))


def train_rewarded_verse(args: argparse.Namespace, model: str) -> int:
    """The mapping that lets the poem model see: on the encoder's reference pictures, and the words of each."""
    from helpers.captioning import VersePrefix
    from helpers.config import seed_everything
    from helpers.pipeline import shipped_plan
    from helpers.reward import PicturesWithWords, VerseCritics, train_verse_reward
    from helpers.storage import load_pretrained

    if args.data or args.encoder:
        raise ValueError(
            "a verse_prefix is rewarded on the profile's reference pictures: leave out --data and --encoder"
        )
    args.reward = args.reward or VERSE_REWARD
    config, pipeline = from_options(RewardTrainingConfig, args), args.load(args.profile)
    pictures = pipeline.reference_embeds
    words = pipeline.keywords(pictures, pipeline.config.keywords)
    plans = [shipped_plan().order([scored.word for scored in row]) for row in words]
    every = max(len(pictures) // HELD_OUT, 2)
    held = [i for i in range(len(pictures)) if i % every == 0]
    rest = [i for i in range(len(pictures)) if i % every]
    train, val = (PicturesWithWords(pictures[rows], [plans[i] for i in rows]) for rows in (rest, held))
    critics = VerseCritics(args.reward, pipeline.encoder, pictures, pipeline.reader, pipeline.writer)
    seed_everything(args.seed)
    prefix = load_pretrained(VersePrefix, model)
    progress = train_verse_reward(prefix, pipeline.writer, critics, train, val, config, args.out, resume=args.resume)
    return report(args, progress)
