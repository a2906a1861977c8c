"""Poems for a folder of labelled photographs, measured by a judge that had no part in choosing them.

Image relevance is retrieval turned round: the judge, a model that had no part in the choice, gets each poem and all
photographs and must find the one that the poem was written for (recall@k; chance is k in N). What is judged in one go:
the keywords alone, which bound what a poem can say; for each way to write, the candidate that was chosen, the one that
the poem model alone finds likeliest, and what picking one blindly would give, which is the mean over all candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from helpers.evaluate.labelled_photos import LABELS, LabelledPhotos, named_labels
from helpers.metrics import distinct_n, keyword_recall, recall_of_scores, verse_rates, word_ranking
from helpers.options import punctuated
from helpers.plots import show_gallery, use_chinese_fonts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from helpers.chinese_clip import ImageTextEncoder
    from helpers.keywords import ScoredWord
    from helpers.options import PoemOptions
    from helpers.pipeline import ImageToPoem, PicturePoem

KS = (1, 5)
Texts = Sequence[Sequence[str]]  # lines of poems


class Judge:
    """Finds pictures by poems, with a model that had no part in choosing them."""

    def __init__(self, encoder: ImageTextEncoder, photos: LabelledPhotos) -> None:
        self.encoder = encoder
        self.image_embeds = encoder.encode_images(photos.images)  # (N, D)

    def scores(self, poems: Texts) -> np.ndarray:
        """The cosine of each of P texts with each picture: (P, N)."""
        return self.encoder.encode_texts(["，".join(lines) for lines in poems]) @ self.image_embeds.T

    def recall(self, poems: Texts, owners: np.ndarray) -> dict[int, float]:
        """The share of poems, in per cent, whose own picture, `owners` (P,), is among the k nearest of all."""
        return recall_of_scores(self.scores(poems), owners[:, None] == np.arange(len(self.image_embeds)), KS)

    def ranks(self, poems: Texts) -> np.ndarray:
        """For N poems, one a picture, how many other pictures are nearer than its own: (N,)."""
        scores = self.scores(poems)  # (N, N)
        return (scores > scores.diagonal()[:, None]).sum(1)


def evaluate_pipeline(
    pipeline: ImageToPoem,
    judge: ImageTextEncoder,
    photos: LabelledPhotos,
    options: Sequence[PoemOptions],
    seeds: int = 3,
) -> dict[str, object]:
    """All figures, for each of `options` over `seeds` seeds, as one JSON object.

    Raises ValueError if the judge is the model that chooses, or there are fewer than two seeds to compare.
    """
    if judge.fingerprint == pipeline.encoder.fingerprint:
        raise ValueError("the model that chooses the poems cannot judge them: name another --judge")
    if seeds < 2:
        raise ValueError("diversity needs at least two seeds")
    image_embeds = pipeline.encoder.encode_images(photos.images)  # (N, D)
    keywords = pipeline.keywords(image_embeds, pipeline.config.keywords)
    words = {wishes.way: keywords for wishes in options}
    for way in {"caption", "interrogate"} & words.keys():  # before all poems: there may be no captioner
        words[way], _ = pipeline.words_of(image_embeds, way)
    relevance = Judge(judge, photos)
    figures: dict[str, object] = {
        "photos": len(keywords),
        "seeds": seeds,
        "chance": {k: min(100.0, 100 * k / len(keywords)) for k in KS},
        "words": label_ranking(pipeline, image_embeds, photos),
        "keywords": keyword_figures(relevance, keywords, photos),
        "ways": {},
    }
    with tqdm(total=len(options) * seeds, desc="poems", unit="run") as bar:
        for wishes in options:
            runs = []
            for seed in range(seeds):
                runs.append(pipeline.poems(image_embeds, words[wishes.way], replace(wishes, seed=seed)))
                bar.update()
            figures["ways"][wishes.way] = way_figures(relevance, photos, runs)
    return figures


def way_figures(judge: Judge, photos: LabelledPhotos, runs: Sequence[Sequence[PicturePoem]]) -> dict[str, object]:
    """The figures of one way, as means over its runs, one a seed, of N pictures each."""
    names, words = photos.names, [result.keywords for result in runs[0]]
    plans = [result.plan for result in runs[0]]  # the same in all runs
    chosen = [[result.poem.lines for result in run] for run in runs]  # seeds times N
    likeliest = [[max(r.candidates, key=lambda poem: poem.log_likelihood).lines for r in run] for run in runs]
    everything = [poem.lines for run in runs for result in run for poem in result.candidates]
    owners, n = np.arange(len(names)), len(runs[0][0].candidates)
    ranks = np.array([judge.ranks(poems) for poems in chosen])  # (seeds, N)
    return {
        "keywords": keyword_figures(judge, words, photos),
        "recall": {
            "chosen": shares(ranks),
            "likeliest": shares(np.array([judge.ranks(poems) for poems in likeliest])),
            "any": judge.recall(everything, np.tile(np.repeat(owners, n), len(runs))),
        },
        "standard_error": {k: float(100 * (ranks < k).mean(0).std() / len(names) ** 0.5) for k in KS},
        "verse": verse_rates([poem for poems in chosen for poem in poems]),
        "keyword_recall": keyword_recall([poem for poems in chosen for poem in poems], [*plans] * len(runs)),
        "diversity": diversity(chosen),
        "poems": [
            {"image": name, "keywords": list(words), "poem": list(lines), "rank": int(rank) + 1}
            for name, words, lines, rank in zip(names, plans, chosen[0], ranks[0], strict=True)
        ],
    }


def shares(ranks: np.ndarray) -> dict[int, float]:
    """The share of the ranks, of any shape, that are below k, in per cent."""
    return {k: float(100 * (ranks < k).mean()) for k in KS}


def label_ranking(pipeline: ImageToPoem, image_embeds: np.ndarray, photos: LabelledPhotos) -> dict[str, float]:
    """Mean average precision and top-1 of the label words themselves, as the pipeline scores words."""
    ranker = pipeline.ranker_of(LABELS)
    return word_ranking(ranker.calibration.total_scores(ranker.scores(image_embeds), ranker.log_prior), photos.truth)


def keyword_figures(judge: Judge, words: Sequence[Sequence[ScoredWord]], photos: LabelledPhotos) -> dict[str, object]:
    """How many of the words claimed to be seen are true, and how well the judge finds the pictures by all of them."""
    seen = [[scored.word for scored in row if scored.seen] for row in words]  # nothing else is claimed
    texts = [[scored.word for scored in row] for row in words]
    return keyword_precision(seen, photos.truth) | {"recall": judge.recall(texts, np.arange(len(texts)))}


def keyword_precision(keywords: Texts, truth: np.ndarray) -> dict[str, float]:
    """Of the labels that the keywords name, how many are true of their picture; and how many words name any.

    By the letter: a word names a label if it holds one of the label's words (`labelled_photos.NAMES`).
    """
    named = [[sorted(named_labels(word)) for word in row] for row in keywords]
    hits = [
        own[LABELS.index(label)] for row, own in zip(named, truth, strict=True) for labels in row for label in labels
    ]
    return {
        "precision": float(np.mean(hits)) if hits else 0.0,
        "labels_named": len(hits),
        "words_that_name_one": float(np.mean([bool(labels) for row in named for labels in row] or [0])),
    }


def diversity(poems: Sequence[Texts]) -> dict[str, float]:
    """Variety of poems, over several runs of the same N pictures, one a seed.

    distinct_2: different pairs of characters over all pairs, within a run. shared_between_seeds: of the pairs of
    characters in two poems for one picture, the share that both have (Jaccard). different: poems that no other seed
    gave the same picture.
    """
    pairs = [[bigrams(lines) for lines in row] for row in poems]  # seeds times N
    jaccard = [
        len(a & b) / max(len(a | b), 1) for one, two in combinations(pairs, 2) for a, b in zip(one, two, strict=True)
    ]
    by_picture = list(zip(*(map(tuple, row) for row in poems), strict=True))
    alone = [row.count(lines) == 1 for row in by_picture for lines in row]
    return {
        "distinct_2": float(np.mean([distinct_n(row) for row in poems])),
        "shared_between_seeds": float(np.mean(jaccard)),
        "different": float(np.mean(alone)),
    }


def bigrams(lines: Sequence[str]) -> set[str]:
    """The pairs of neighbouring characters of a poem, within its lines."""
    return {line[i : i + 2] for line in lines for i in range(len(line) - 1)}


SHOWN = 8  # of the best, and of the worst


def best_and_worst(photos: LabelledPhotos, poems: Sequence[dict]) -> Figure:
    """The poems whose pictures the judge found first, above those that it found last; of `evaluate_pipeline`."""
    use_chinese_fonts()
    order = sorted(range(len(poems)), key=lambda i: poems[i]["rank"])
    half = min(SHOWN, -(-len(order) // 2))
    shown = dict.fromkeys([*order[:half], *order[len(order) - half :]])
    images, titles = [photos.images[i] for i in shown], [poem_title(poems[i]) for i in shown]
    return show_gallery(images, titles, inches=4, font_size=11)


def poem_title(found: dict) -> str:
    return f"{' '.join(found['keywords'])} · rank {found['rank']}\n{punctuated(found['poem'])}"
