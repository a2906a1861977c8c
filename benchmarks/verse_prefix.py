"""A picture in front of the poem model, with no word between: poems for labelled photographs, and who finds these.

    python -m benchmarks.verse_prefix --photos data/photos --poems runs/poems --prefixes runs/verse_alone

Each prefix (of recipes.captioner.train_verse_prefix) writes by itself, and together with the keywords. Opponents: the
keyword way, and couplets and quatrains of the training poems that are taken over whole, the nearest to the picture. The
judge is the one of `evaluate pipeline`, which had no part. One JSON object a row on stdout.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from helpers.captioning import VersePrefix
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import load_config
from helpers.evaluate import Judge, read_labelled_photos
from helpers.keywords import standard_scores
from helpers.metrics import distinct_n, verse_rates
from helpers.options import PoemOptions
from helpers.pipeline import ImageToPoem, shipped_plan
from helpers.poems import read_split
from helpers.storage import load_pretrained

Poems = Sequence[Sequence[str]]


def retrieved(pipeline: ImageToPoem, image_embeds: np.ndarray, texts: Poems) -> Poems:
    """The one of `texts` that fits each picture (N, D) best."""
    embeds = pipeline.encoder.encode_texts(["，".join(lines) for lines in texts], cache=True)
    return [texts[i] for i in standard_scores(image_embeds, embeds, pipeline.reference_embeds).argmax(1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--poems", type=Path, required=True, help="of recipes.poem_t5.prepare_poems")
    parser.add_argument("--prefixes", type=Path, nargs="+", default=[])
    parser.add_argument("--sample", type=int, default=15_000, help="quatrains that retrieval chooses from")
    parser.add_argument("--n", type=int, default=8, help="candidates")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()

    pipeline = ImageToPoem(load_config("mini"))
    photos = read_labelled_photos(args.photos)
    image_embeds = pipeline.encoder.encode_images(photos.images)  # (N, D)
    judge = Judge(ImageTextEncoder.from_pretrained(pipeline.config.judge), photos)
    corpus = [poem.lines for poem in read_split(args.poems, "train")]
    known = {line for lines in corpus for line in lines}
    owners = np.arange(len(photos.images))

    def show(name: str, poems: Poems, **more: object) -> None:
        lines = [line for poem in poems for line in poem]
        found = judge.recall(poems, np.resize(owners, len(poems)))
        copied = float(np.mean([line in known for line in lines]))
        form = verse_rates(poems) if len(poems[0]) == 4 else {}
        row = {"recall": found, "copied lines": copied, "distinct_2": distinct_n(poems), "verse": form, **more}
        print(json.dumps({"way": name, **row, "poems": ["，".join(poem) for poem in poems[:8]]}, ensure_ascii=False))

    sample = random.Random(0).sample(corpus, min(args.sample, len(corpus)))
    show("nearest quatrain", retrieved(pipeline, image_embeds, sample))
    couplets = [lines[i : i + 2] for lines in sample for i in (0, 2)]
    show("nearest couplet", retrieved(pipeline, image_embeds, couplets))

    plans = [
        shipped_plan().order([scored.word for scored in row])
        for row in pipeline.keywords(image_embeds, pipeline.config.keywords)
    ]
    vectors = {"keywords": None}
    for folder in args.prefixes:
        with torch.inference_mode():
            vectors[folder.name] = load_pretrained(VersePrefix, folder).eval()(torch.from_numpy(image_embeds))
    for name, prefixes in vectors.items():
        for words in (plans, None):
            if prefixes is None and words is None:
                continue
            chosen, everything = [], []
            for seed in range(args.seeds):
                options = PoemOptions(n=args.n, seed=seed, keyword_per_line=words is not None)
                candidates = pipeline.writer.write_batch(words or [()] * len(owners), options, prefixes=prefixes)
                chosen += [row[0].lines for row in pipeline.choice.best_first(image_embeds, candidates, options)]
                everything.append([poem.lines for row in candidates for poem in row])
            anyone = [poem for run in everything for poem in run]
            mean = judge.recall(anyone, np.tile(np.repeat(owners, args.n), args.seeds))
            show(f"{name}{' and keywords' if words and prefixes is not None else ''}", chosen, any=mean)


if __name__ == "__main__":
    main()
