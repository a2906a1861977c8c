"""The class that open_clip's beam search needs and transformers 5 no longer has.

open_clip 3.3.0 imports `BeamSearchScorer` together with all else that `generate` uses; without it the whole import
counts as failed, and sampling, too, says that transformers is not installed. This file puts one in its place and then
imports open_clip; all others take `open_clip` from here.
"""

from __future__ import annotations

from typing import NamedTuple

import transformers.generation
from torch import Tensor


class Hypothesis(NamedTuple):
    score: float  # sum of log-probabilities over tokens, those of start and end counted in
    tokens: Tensor  # (T,)


class BeamSearchScorer:
    """Keeps the best hypotheses of each picture, in one group of beams or more (Vijayakumar et al. 2016).

    The interface is that of transformers before version 5. Each of the B pictures has `num_beams` hypotheses in
    progress, equally many in each group. A hypothesis that ends is put aside, scored by its mean log-probability.
    """

    def __init__(self, batch_size: int, num_beams: int, device: object, num_beam_groups: int = 1) -> None:
        """ValueError if the beams cannot be shared out; `device` is part of the interface only."""
        if num_beams % num_beam_groups:
            raise ValueError(f"{num_beams} beams cannot be shared by {num_beam_groups} groups")
        self.num_beams, self.num_beam_groups = num_beams, num_beam_groups
        self.group_size = num_beams // num_beam_groups
        self._beam_hyps: list[list[Hypothesis]] = [[] for _ in range(batch_size * num_beam_groups)]
        self._done = [False] * len(self._beam_hyps)

    @property
    def is_done(self) -> bool:
        """No hypothesis in progress can become better than those put aside."""
        return all(self._done)

    def process(
        self, input_ids: Tensor, next_scores: Tensor, next_tokens: Tensor, next_indices: Tensor, *, pad_token_id: int,
        eos_token_id: Tensor, beam_indices: object = None, group_index: int = 0,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The next step of one group.

        Args:
            input_ids: (B * G, T), G beams of the group a picture.
            next_scores, next_tokens, next_indices: (B, 2 * G), the best continuations of a picture, the best first:
                their summed scores, tokens, and which of the G beams they continue.

        Returns:
            The G that go on: `next_beam_scores`, `next_beam_tokens`, `next_beam_indices` (rows of `input_ids`), each
            (B * G,).
        """
        ends = eos_token_id.tolist()
        rows = []
        columns = next_scores.tolist(), next_tokens.tolist(), next_indices.tolist()
        for picture, ranked in enumerate(zip(*columns, strict=True)):
            first = picture * self.group_size  # of this picture's rows
            place = picture * self.num_beam_groups + group_index
            if self._done[place]:
                rows += [(0.0, pad_token_id, first)] * self.group_size
                continue
            goes_on = []
            for rank, (score, token, beam) in enumerate(zip(*ranked, strict=True)):
                if token not in ends:
                    goes_on.append((score, token, first + beam))
                elif rank < self.group_size:
                    self._put_aside(place, score / (input_ids.shape[1] + 1), input_ids[first + beam])
            rows += goes_on[: self.group_size]
            self._done[place] = self._cannot_improve(place, ranked[0][0], input_ids.shape[1])
        scores, tokens, indices = zip(*rows, strict=True)
        return {
            "next_beam_scores": next_scores.new_tensor(scores),
            "next_beam_tokens": next_tokens.new_tensor(tokens),
            "next_beam_indices": next_indices.new_tensor(indices),
        }

    def finalize(
        self, input_ids: Tensor, final_beam_scores: Tensor, final_beam_tokens: Tensor, final_beam_indices: Tensor, *,
        max_length: int, pad_token_id: int, eos_token_id: Tensor, beam_indices: object = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The best hypothesis of each picture, with its end token if there is room: `sequences` (B, T).

        `input_ids` (B * num_beams, T) and `final_beam_scores` (B * num_beams,): those still in progress count, too.
        """
        for place in range(len(self._beam_hyps)):
            if not self._done[place]:
                start = place * self.group_size
                for row in range(start, start + self.group_size):
                    self._put_aside(place, final_beam_scores[row].item() / len(input_ids[row]), input_ids[row])
        groups = self.num_beam_groups
        best = [
            max((each for hyps in self._beam_hyps[i : i + groups] for each in hyps), key=lambda each: each.score).tokens
            for i in range(0, len(self._beam_hyps), groups)
        ]
        length = min(max(map(len, best)) + 1, max_length)
        sequences = input_ids.new_full((len(best), length), pad_token_id)
        for row, tokens in zip(sequences, best, strict=True):
            row[: len(tokens)] = tokens
            if len(tokens) < length:
                row[len(tokens)] = eos_token_id[0]
        return {"sequences": sequences}

    def _put_aside(self, place: int, score: float, tokens: Tensor) -> None:
        """Keep a hypothesis if it is among the best of its group."""
        hyps = self._beam_hyps[place]
        hyps.append(Hypothesis(score, tokens.clone()))
        if len(hyps) > self.group_size:
            hyps.remove(min(hyps, key=lambda each: each.score))

    def _cannot_improve(self, place: int, best: float, length: int) -> bool:
        """Whether as many as there are beams have ended, all at least as good as the best in progress is by now."""
        hyps = self._beam_hyps[place]
        return len(hyps) >= self.group_size and min(each.score for each in hyps) >= best / (length + 1)


if not hasattr(transformers.generation, "BeamSearchScorer"):
    transformers.generation.BeamSearchScorer = BeamSearchScorer
import open_clip  # noqa: E402 - looks for it while it is imported

if not open_clip.coca_model._has_transformers:
    raise ImportError("open_clip was imported first, and without BeamSearchScorer: import helpers.coca before it")
