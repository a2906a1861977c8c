"""Sampling with one random number a row and token, which is that row's own: company in the batch changes no poem.

`torch.multinomial` draws a number for every entry of the vocabulary, all from one stream. Inverse transform sampling
(Devroye 1986, chapter II.2) needs one: u in [0, 1) picks the token at which the cumulated probability passes u.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.generation import GenerateEncoderDecoderOutput

from helpers.poems.decoding import MIN_P, Decoding

MOST_TOKENS = 32  # in a line


class RowSampling:
    """The numbers of n candidates for each of the keyword sets, row i of a batch being candidate i % n of set i // n.

    They come from the `seed` and the keywords, so a set gets the same poems wherever it stands in a batch (but for
    rounding, which batches of another shape do otherwise), and two sets do not draw alike.
    """

    def __init__(self, keyword_sets: Sequence[Sequence[str]], n: int, seed: int, options: Decoding = MIN_P) -> None:
        self.draws = torch.cat([uniform_draws(keywords, n, seed) for keywords in keyword_sets], 1)  # (4, B, T)
        self.options = options

    def of_line(self, number: int) -> Decoding:
        """Options of `generate` for line 0 to 3."""
        return {**self.options, "custom_generate": partial(sample_rows, draws=self.draws[number])}


def uniform_draws(keywords: Sequence[str], n: int, seed: int) -> Tensor:
    """Numbers in [0, 1) for four lines of n candidates: (4, n, MOST_TOKENS)."""
    digest = blake2b(f"{seed} {' '.join(keywords)}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "big", signed=True))
    return torch.rand(4, n, MOST_TOKENS, generator=generator)


def sample_rows(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    draws: Tensor,
    **model_kwargs: object,
) -> GenerateEncoderDecoderOutput:
    """The loop of `generate` for an encoder-decoder model with a cache, of at most T steps; `draws` (B, T)."""
    done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
    draws = draws.to(input_ids.device)
    # Not in the signature: what stands there `generate` keeps from the encoder, which would read without its mask.
    memory = {name: model_kwargs[name] for name in ("encoder_outputs", "attention_mask", "past_key_values")}
    raw: list[Tensor] = []
    while not done.all():
        logits = model(decoder_input_ids=input_ids[:, -1:], use_cache=True, **memory).logits[:, -1]  # (B, V)
        raw.append(logits)
        p = logits_processor(input_ids, logits.float()).softmax(-1)
        tokens = inverse_transform(p, draws[:, len(raw) - 1]).masked_fill(done, int(generation_config.pad_token_id))
        input_ids = torch.cat([input_ids, tokens[:, None]], 1)
        done |= stopping_criteria(input_ids, ())
    return GenerateEncoderDecoderOutput(sequences=input_ids, logits=tuple(raw))


def inverse_transform(p: Tensor, u: Tensor) -> Tensor:
    """For each row the entry at which the cumulated probability passes u: (B, V), (B,) -> (B,), none of p = 0."""
    passed = p.cumsum(-1)  # (B, V)
    total = passed[:, -1:]
    level = torch.minimum(u[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(passed, level, right=True)[:, 0]  # right: where u is 0, an entry of p = 0 is passed over
