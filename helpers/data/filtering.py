"""Image-text pairs from the web, filtered: of what a scraper brings in, a good part is no caption or no picture.

Rules come first; then, if asked for, the share of the pairs whose picture and text are farthest apart under a model
(the cosine, as in Schuhmann et al. 2021, LAION-400M, arXiv:2111.02114). The model that filters must not be the one
that is evaluated afterwards, nor have been trained on the evaluation's pictures: the set would be cut to its taste.
Nothing is deleted: what is rejected goes to a list of its own, with the reason.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image
from tqdm import tqdm

from helpers.characters import is_han, mostly
from helpers.config import BATCH_SIZE
from helpers.data.photos import ImageError, load_image
from helpers.data.web_pairs import PairFile, write_rows
from helpers.storage import cached, digest

ALPHABETS = {"zh": is_han, "en": str.isascii, "any": str.isalpha}  # tests for a letter of each language
_URL = re.compile(r"https?:|www\.|[a-z0-9-]\.(?:com|cn|net|org)(?![a-z0-9])", re.IGNORECASE)
_CODE = re.compile(r"[a-z_.#/-]*\d[\w.#/-]*", re.IGNORECASE | re.ASCII)  # 13800000000, IMG_2041.jpg


class Encoder(Protocol):
    """An image-text model, as far as filtering needs one; `helpers.chinese_clip.ImageTextEncoder` is one."""

    fingerprint: str  # changes when the model does

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray: ...  # (N, D), unit norm

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray: ...  # (M, D), unit norm


@dataclass(frozen=True)
class Rules:
    """Conditions that a pair has to meet; the defaults are for Chinese captions of photographs."""

    language: str = "zh"  # "zh", "en" or "any"
    min_side: int = 64  # pixels
    max_aspect: float = 3  # the long side over the short one
    min_chars: int = 2
    max_chars: int = 100
    max_repeats: int = 10  # pictures with the same text, and texts with the same picture

    def text_fault(self, text: str) -> str:
        """The reason against a text as a caption; "" if there is none."""
        text = unicodedata.normalize("NFKC", text)  # full-width letters and digits count like the others
        if len(text) < self.min_chars:
            return "text too short"
        if len(text) > self.max_chars:
            return "text too long"
        if _URL.search(text):
            return "text with a url"
        if not any(map(str.isalpha, text)) or 2 * sum(map(len, _CODE.findall(text))) > len("".join(text.split())):
            return "text of digits or codes"
        if not mostly(text, ALPHABETS[self.language]):
            return f"text not in {self.language}"
        return ""

    def picture_fault(self, picture: Image.Image) -> str:
        """The reason against a picture to learn from; "" if there is none."""
        short, long = sorted(picture.size)
        if long > self.max_aspect * short:
            return "picture too elongated"
        if short < self.min_side:
            return "picture too small"
        return ""


def filter_pairs(
    source: Path,
    folder: Path,
    out: Path,
    rules: Rules,
    encoder: Encoder | None = None,
    drop_lowest: float = 0.1,
    batch_size: int = BATCH_SIZE,
) -> Counter[str]:
    """Write the good pairs to `out`, the others with the column reason to <stem of out>_rejected.csv beside it.

    Args:
        source: a csv with the columns text, url and filename.
        folder: the pictures.
        encoder: for the cosines, which count only with it; not the model that is to be evaluated on what is left.
        drop_lowest: the share, 0 to 1, of the pairs that pass the rules that is then rejected for its cosine.
        batch_size: pictures in memory at a time.

    Returns:
        How many pairs were rejected for each reason; those that were kept stand under "".

    Raises:
        ValueError: `source` is not such a csv or would be overwritten, or `folder` is no folder.
    """
    rejected = out.with_name(f"{out.stem}_rejected.csv")
    if source.resolve() in (out.resolve(), rejected.resolve()):
        raise ValueError(f"{source}: the list itself would be overwritten; choose another name for --out")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no folder")
    pairs = PairFile(source)
    sieve = Sieve([(pair.text, pair.filename) for pair in pairs])
    sieve.reject_texts(rules)
    sieve.reject_pictures(folder, rules, encoder, batch_size)
    sieve.reject_repeats(rules.max_repeats)
    sieve.reject_duplicates()
    if encoder:
        sieve.reject_lowest(drop_lowest)

    def rows(kept: bool) -> Iterator[dict[str, str]]:  # read once more, so that a long list need not be in memory
        for pair, reason in zip(pairs, sieve.reasons, strict=True):
            if kept is not bool(reason):
                yield pair.row if kept else pair.row | {"reason": reason}

    out.parent.mkdir(parents=True, exist_ok=True)
    write_rows(out, pairs.columns, (row.values() for row in rows(kept=True)))
    columns = dict.fromkeys([*pairs.columns, "reason"])  # a list that was rejected once has that column already
    write_rows(rejected, list(columns), (row.values() for row in rows(kept=False)))
    return Counter(sieve.reasons)


class PictureFile(NamedTuple):
    """A picture file, decoded and judged."""

    fault: str  # "": none
    digest: bytes = b""  # SHA-256 of the file's bytes
    picture: Image.Image | None = None  # the decoded picture, on request


def read_picture_file(folder: Path, rules: Rules, keep: bool, name: str) -> PictureFile:
    """Read and decode one file; `keep` the decoded picture."""
    path = folder / name
    if not os.path.isfile(path):  # unlike Path.is_file, it takes any name
        return PictureFile("picture missing")
    try:
        picture = load_image(path)
    except ImageError:
        return PictureFile("picture unreadable")
    content = hashlib.sha256(path.read_bytes()).digest()
    return PictureFile(rules.picture_fault(picture), content, picture if keep else None)


class Sieve:
    """N pairs of which the worse ones are rejected, step by step; a step does not see what an earlier one rejected."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = pairs  # (text, name of the picture) each
        self.texts = [text for text, _ in pairs]
        self.reasons = [""] * len(pairs)  # against each pair; "": none, it stays
        self.digests = [b""] * len(pairs)  # SHA-256 of each pair's picture file
        self.cosines = np.zeros(len(pairs), dtype=np.float32)

    def remaining(self) -> list[int]:
        """The numbers of the pairs that are not rejected."""
        return [i for i, reason in enumerate(self.reasons) if not reason]

    def reject_texts(self, rules: Rules) -> None:
        self.reasons = [rules.text_fault(text) for text in self.texts]

    def reject_pictures(self, folder: Path, rules: Rules, encoder: Encoder | None, batch_size: int) -> None:
        """Each file is decoded once, and the cosines of its pairs are computed while it is in memory."""
        pairs_of = defaultdict(list)
        for i in self.remaining():
            pairs_of[self.pairs[i][1]].append(i)
        read = partial(read_picture_file, folder, rules, encoder is not None)
        names, progress = iter(pairs_of), tqdm(total=len(pairs_of), desc="look", unit="picture")
        with ThreadPoolExecutor(os.cpu_count()) as pool, progress:
            while block := list(islice(names, batch_size)):
                files = list(zip(pool.map(read, block), (pairs_of[name] for name in block), strict=True))
                for file, pairs in files:
                    for i in pairs:
                        self.reasons[i], self.digests[i] = file.fault, file.digest
                good = [(file.picture, pairs) for file, pairs in files if not file.fault]
                if encoder and good:
                    self._measure(encoder, good)
                progress.update(len(block))

    def _measure(self, encoder: Encoder, pictures: Sequence[tuple[Image.Image, list[int]]]) -> None:
        """The cosine of each picture and of the texts that are paired with it, kept for a run that is started again."""
        rows, pairs = zip(*((row, i) for row, (_, own) in enumerate(pictures) for i in own), strict=True)
        texts = [self.texts[i] for i in pairs]  # (M,)
        key = digest([encoder.fingerprint, *(self.digests[i].hex() for i in pairs), *texts])

        def compute() -> np.ndarray:
            image_embeds = encoder.encode_images([picture for picture, _ in pictures])[list(rows)]  # (M, D)
            return (image_embeds * encoder.encode_texts(texts)).sum(1)

        self.cosines[list(pairs)] = cached(key, compute)

    def reject_repeats(self, most: int) -> None:
        """Boilerplate, which stands under many pictures, and placeholders, which stand over many texts."""
        pictures_of, texts_of = defaultdict(set), defaultdict(set)
        for i in self.remaining():
            pictures_of[self.texts[i]].add(self.digests[i])
            texts_of[self.digests[i]].add(self.texts[i])
        for i in self.remaining():
            if len(pictures_of[self.texts[i]]) > most:
                self.reasons[i] = f"text of more than {most} pictures"
            elif len(texts_of[self.digests[i]]) > most:
                self.reasons[i] = f"picture of more than {most} texts"

    def reject_duplicates(self) -> None:
        """Pairs of the same file and the same text, but for the first of them."""
        seen = set()
        for i in self.remaining():
            pair = (self.digests[i], self.texts[i])
            if pair in seen:
                self.reasons[i] = "the same as an earlier pair"
            seen.add(pair)

    def reject_lowest(self, share: float) -> None:
        """The share (0 to 1) of the remaining pairs with the lowest cosines."""
        remaining = self.remaining()
        for i in sorted(remaining, key=lambda i: self.cosines[i])[: round(share * len(remaining))]:
            self.reasons[i] = "picture and text far apart"
