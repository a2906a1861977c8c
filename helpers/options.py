"""Wishes that one may have: for a poem, its card, a training. Without libraries, so that commands start fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FORMS = {"5x4": 5, "7x4": 7}  # characters a line x lines -> characters a line
WAYS = ("keywords", "lines", "guided", "caption", "picture", "interrogate")  # see `helpers.pipeline`
INTERROGATION_MODES = ("fast", "classic", "best", "negative")  # see `helpers.captioning.interrogator`
LAYOUT_NAMES = ("auto", "album", "inscription", "scroll", "fan")  # 册页, 题画诗, 挂轴, 团扇
THEME_NAMES = ("auto", "light", "dark")  # of the paper; in an inscription, of the ground under the ink


def punctuated(lines: Sequence[str]) -> str:
    """The four lines of a poem with their punctuation, a couplet a row."""
    first, second, third, fourth = lines
    return f"{first}，{second}。\n{third}，{fourth}。"


@dataclass(frozen=True)
class PoemOptions:
    """A reader's wishes for the poems, the same ones for the writer, the pipeline, the commands and the app.

    Raises ValueError, in one clear line, for wishes that no poem can meet.
    """

    form: str = "7x4"
    n: int = 48  # candidates, of which the best is chosen
    seed: int = 0
    rhyme: bool = True  # lines 2 and 4; line 3 ends in an oblique character
    tone: bool = True  # the order of level and oblique tones (平仄)
    keyword_per_line: bool = True  # line i holds keyword i wherever the rules let it
    acrostic: str = ""  # the characters that the lines begin with
    way: str = "keywords"  # the pipeline's, see WAYS; a writer by itself knows only its keywords
    no_repeat: bool = field(default=True, repr=False)  # no character twice in a poem, except directly (悠悠)

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"unknown form {self.form!r}: choose one of {', '.join(FORMS)}")
        if not is_whole(self.n, 1):
            raise ValueError(f"n must be at least 1, not {self.n}")
        if not is_whole(self.seed, 0):
            raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, not {self.seed}")
        if self.way not in WAYS:
            raise ValueError(f"unknown way {self.way!r}: choose one of {', '.join(WAYS)}")
        if len(self.acrostic) > 4:
            raise ValueError(f"an acrostic of a quatrain has at most four characters, not {len(self.acrostic)}")
        if self.acrostic and self.way == "lines":
            raise ValueError("a poem that begins with a found line cannot be an acrostic too")

    def check_keywords(self, keywords: Sequence[str] | None) -> None:
        """ValueError for words of the reader's where the caption or the tables are to give them."""
        sources = {"caption": "the caption's", "interrogate": "those of the tables"}
        if keywords is not None and self.way in sources:
            raise ValueError(
                f"in the way {self.way} the words are {sources[self.way]}: give no keywords, or another way"
            )

    @property
    def line_length(self) -> int:
        """Characters a line."""
        return FORMS[self.form]


def is_whole(number: object, least: int) -> bool:
    """An int that torch takes, too; a page may send None or text."""
    return isinstance(number, int) and least <= number < 2**63


@dataclass(frozen=True)
class CardOptions:
    """A reader's wishes for the card of a poem. Raises ValueError for a layout or theme that there is not."""

    layout: str = "auto"
    theme: str = "auto"

    def __post_init__(self) -> None:
        for name, value, names in (("layout", self.layout, LAYOUT_NAMES), ("theme", self.theme, THEME_NAMES)):
            if value not in names:
                raise ValueError(f"no {name} {value!r}; there are {', '.join(names)}")


FEW = 8  # candidates a picture where there are many pictures
DEFAULT, DEFAULT_CARD = PoemOptions(), CardOptions()


@dataclass(frozen=True)
class LoopConfig:
    """For every run on the loop of ours: how long, and in which portions."""

    epochs: int = 3
    batch_size: int = 128  # pairs a step, over all processes; in a CLIP's each has all others as negatives
    captions_per_image: int = 2
    weight_decay: float = 0.1
    warmup: float = 0.1  # of all steps; then down along a cosine
    max_grad_norm: float = 1.0
    save_every: int = 200  # steps
    seed: int = 0


@dataclass(frozen=True)
class TrainingConfig(LoopConfig):
    """For a CLIP: how fast each part learns, besides."""

    chunk_size: int | None = None  # pairs encoded at a time, if the batch does not fit the memory
    head_lr: float = 1e-3
    image_lr: float = 1e-4
    text_lr: float = 5e-5


@dataclass(frozen=True)
class PoemTrainingConfig:
    """For the poem model."""

    steps: int = 600
    batch_size: int = 64  # pairs at a time
    accumulate: int = 1  # batches whose gradients are added up before a step
    lr: float = 7e-4
    warmup: float = 0.1  # of all steps; then down along a cosine
    weight_decay: float = 0.01
    evaluate_every: int = 100  # steps; also a checkpoint
    patience: int = 3  # evaluations without a better loss, after which it stops
    seed: int = 0


@dataclass(frozen=True)
class CaptionTrainingConfig(LoopConfig):
    """For a captioner."""

    epochs: int = 5
    captions_per_image: int = 5
    weight_decay: float = 0.05
    lr: float = 1e-3
    freeze_decoder: bool = False  # only the mapping learns
    noise: float = 0.0  # variance, on the embeddings while it learns; see `helpers.captioning.capdec`


@dataclass(frozen=True)
class CoCaTrainingConfig(CaptionTrainingConfig):
    """For a CoCa, all of which learns."""

    caption_weight: float = 2.0  # as in the paper, twice the weight of the contrast
    contrastive_weight: float = 1.0


@dataclass(frozen=True)
class RewardTrainingConfig(CaptionTrainingConfig):
    """For a captioner, or the poem model's sight, that is rewarded (notebook 07)."""

    epochs: int = 1
    batch_size: int = 32  # pictures a step
    captions_per_image: int = 2
    weight_decay: float = 0.0
    save_every: int = 50
    lr: float = 1e-4
    reward: str = "clip"  # critics with + between them, see `helpers.reward.critics`
    draws: int = 5  # captions a picture and step
    draw_by: str = "sample"  # or "beam": the likeliest ones
    baseline: str = "leave-one-out"  # what is expected of a draw: that, or "greedy"
    ce_weight: float = 1.0  # of the cross-entropy of people's captions; 0: rewarded alone
