"""Poems on the way: what stands of each, and what it has cost so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from helpers.poems.next_line import source_text


@dataclass(frozen=True)
class Drafts:
    """B poems that are written side by side, all of them equally far."""

    keywords: list[tuple[str, ...]]
    lines: list[tuple[str, ...]]
    line_length: int  # characters
    log_likelihoods: torch.Tensor  # (B,) sums over the tokens that were written, none of an opening's
    tokens: torch.Tensor  # (B,) how many these were
    refused: list[dict[str, str]]  # keyword -> why the rules let it go

    @classmethod
    def begin(cls, keywords: list[tuple[str, ...]], line_length: int, openings: Sequence[str] | None = None) -> Drafts:
        """B empty poems, or such as begin with a line each; ValueError for openings that do not fit."""
        if openings is None:
            lines: list[tuple[str, ...]] = [()] * len(keywords)
        elif len(openings) != len(keywords):
            raise ValueError(f"{len(openings)} openings for {len(keywords)} poems")
        elif any(len(line) != line_length for line in openings):
            raise ValueError(f"an opening of a poem of this form has {line_length} characters")
        else:
            lines = [(line,) for line in openings]
        size = len(keywords)
        return cls(keywords, lines, line_length, torch.zeros(size), torch.zeros(size), [{}] * size)

    @property
    def written(self) -> int:
        """The number of lines that stand."""
        return len(self.lines[0])

    def sources(self) -> list[str]:
        """The encoder's input for the next lines."""
        rows = zip(self.keywords, self.lines, strict=True)
        return [source_text(words, lines, self.line_length) for words, lines in rows]

    def with_lines(
        self,
        lines: Sequence[str],
        log_likelihoods: torch.Tensor,
        tokens: torch.Tensor,
        reasons: Sequence[str | None] | None = None,
    ) -> Drafts:
        """One line longer; `log_likelihoods` and `tokens` (B,) are those of the new lines.

        `reasons`: for each draft why the keyword of its new line was let go, or None.
        """
        number = self.written
        return replace(
            self,
            lines=[(*poem, line) for poem, line in zip(self.lines, lines, strict=True)],
            log_likelihoods=self.log_likelihoods + log_likelihoods,
            tokens=self.tokens + tokens,
            refused=[
                {**old, words[number]: reason} if reason else old
                for old, words, reason in zip(self.refused, self.keywords, reasons or [None] * len(lines), strict=True)
            ],
        )

    def rows(self, numbers: Sequence[int]) -> Drafts:
        """The drafts with these row numbers, any of them any number of times."""
        chosen = torch.as_tensor(numbers)
        return replace(
            self,
            keywords=[self.keywords[i] for i in numbers],
            lines=[self.lines[i] for i in numbers],
            log_likelihoods=self.log_likelihoods[chosen],
            tokens=self.tokens[chosen],
            refused=[self.refused[i] for i in numbers],
        )

    def means(self) -> torch.Tensor:
        """Each draft's mean log-probability (nats) of a token: (B,)."""
        return self.log_likelihoods / self.tokens
