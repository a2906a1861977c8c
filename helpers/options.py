"""What a reader can wish of a poem; the command line, the app and a batch job all pass on the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

from helpers.forms import FORMS

WAYS = ("keywords", "lines", "guided")  # from picture to text, see helpers.pipeline.candidates


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
