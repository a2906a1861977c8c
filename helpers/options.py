"""What one may ask for: of a poem, of its card, of training. Without libraries, so that commands start fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

FORMS = {"5x4": 5, "7x4": 7}  # characters a line x lines -> characters a line
WAYS = ("keywords", "lines", "guided")  # from picture to text, see `helpers.pipeline`
LAYOUT_NAMES = ("auto", "album", "inscription", "scroll", "fan")  # 册页, 题画诗, 挂轴, 团扇
THEME_NAMES = ("auto", "light", "dark")  # of the paper; in an inscription, of the ground under the ink


def punctuated(lines: Sequence[str]) -> str:
    """The four lines of a poem with their punctuation, a couplet a row."""
    first, second, third, fourth = lines
    return f"{first}，{second}。\n{third}，{fourth}。"


@dataclass(frozen=True)
class PoemOptions:
    """How the candidates for a picture are written; all but `way` are options of `PoemWriter.write_batch`."""

    form: str = "7x4"
    n: int = 8  # candidates, of which the best is chosen
    seed: int = 0
    rhyme: bool = True
    tone: bool = True
    keyword_per_line: bool = True  # so that the plan is kept and every word appears
    acrostic: str = ""
    way: str = "keywords"

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"unknown form {self.form!r}: choose one of {', '.join(FORMS)}")
        if not is_whole(self.n, 1):
            raise ValueError(f"n must be at least 1, not {self.n}")
        if not is_whole(self.seed, 0):
            raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, not {self.seed}")
        if self.way not in WAYS:
            raise ValueError(f"unknown way {self.way!r}: choose one of {', '.join(WAYS)}")
        if self.acrostic and self.way == "lines":
            raise ValueError("a poem that begins with a found line cannot be an acrostic too")

    def with_seed(self, seed: int) -> PoemOptions:
        return replace(self, seed=seed)

    def of_writer(self) -> dict[str, object]:
        """The keyword arguments of `PoemWriter.write_batch`."""
        return {name: value for name, value in vars(self).items() if name != "way"}


def is_whole(number: object, least: int) -> bool:
    """Whether it is an int that torch takes, too; a page may send None or text."""
    return isinstance(number, int) and least <= number < 2**63


DEFAULT = PoemOptions()


@dataclass(frozen=True)
class TrainingConfig:
    """For a CLIP: how long, how fast, and in which portions."""

    epochs: int = 3
    batch_size: int = 128  # pairs a step, over all processes: each of them has all others as negatives
    captions_per_image: int = 2
    chunk_size: int | None = None  # pairs encoded at a time, if the batch does not fit the memory
    head_lr: float = 1e-3
    image_lr: float = 1e-4
    text_lr: float = 5e-5
    weight_decay: float = 0.1
    warmup: float = 0.1  # of all steps
    max_grad_norm: float = 1.0
    save_every: int = 200  # steps
    seed: int = 0


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
