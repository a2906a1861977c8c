"""Ways to choose the next token: options of transformers' `generate` by name, and contrastive search.

Contrastive search has left the library (it is fetched from the hub now, as code to trust); `generate` takes a decoding
loop of one's own, with the cache, the processors and the stopping rules prepared for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import (
    DynamicCache,
    EncoderDecoderCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteriaList,
)
from transformers.generation import GenerateEncoderDecoderOutput
from transformers.modeling_outputs import BaseModelOutput

Decoding = Mapping[str, object]


def contrastive_search(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    k: int = 5,
    alpha: float = 0.5,
    **model_kwargs: object,
) -> GenerateEncoderDecoderOutput:
    """A likely token that does not resemble the text so far: (1 - alpha) p - alpha max cosine (Su et al. 2022, eq. 5).

    Of the `k` most likely tokens it takes the one for which the decoder's state differs most from the states before:
    input_ids (B, 1) -> sequences (B, T), and T - 1 times logits (B, V). A line is so short that we do without the
    cache: each step runs the decoder over all of it, (B·k, t + 1).
    """
    # Not in the signature: `generate` keeps named arguments from the encoder, which would then read without its mask.
    encoder_outputs, attention_mask = model_kwargs["encoder_outputs"], model_kwargs["attention_mask"]
    done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
    states = encoder_outputs.last_hidden_state.repeat_interleave(k, 0)  # (B·k, S, D)
    mask = attention_mask.repeat_interleave(k, 0)
    logits = model(
        encoder_outputs=encoder_outputs, attention_mask=attention_mask, decoder_input_ids=input_ids, use_cache=False
    ).logits[:, -1]  # (B, V)
    raw: list[Tensor] = []
    while not done.all():
        raw.append(logits)
        p, tokens = logits_processor(input_ids, logits.float()).softmax(-1).topk(k)  # (B, k) both
        tries = torch.cat([input_ids.repeat_interleave(k, 0), tokens.reshape(-1, 1)], 1)  # (B·k, t + 1)
        output = model(
            encoder_outputs=(states,), attention_mask=mask, decoder_input_ids=tries,
            use_cache=False, output_hidden_states=True,
        )  # fmt: skip
        h = normalize(output.decoder_hidden_states[-1].float(), dim=-1)  # (B·k, t + 1, D)
        alike = (h[:, :-1] @ h[:, -1:].mT).amax((1, 2)).view_as(p)  # (B·k, t, D) @ (B·k, D, 1) -> (B, k)
        score = ((1 - alpha) * p - alpha * alike).masked_fill(p == 0, -torch.inf)  # forbidden tokens have p = 0
        best = score.argmax(1, keepdim=True)  # (B, 1)
        chosen = tokens.gather(1, best)[:, 0].masked_fill(done, int(generation_config.pad_token_id))  # (B,)
        logits = output.logits[:, -1].view(*p.shape, -1)[torch.arange(len(p)), best[:, 0]]  # (B, V)
        input_ids = torch.cat([input_ids, chosen[:, None]], 1)
        done |= stopping_criteria(input_ids, ())
    return GenerateEncoderDecoderOutput(sequences=input_ids, logits=tuple(raw))


def _sampling(**options: object) -> Decoding:
    return MappingProxyType({"do_sample": True, "top_k": 0, **options})  # top_k 0: generate's own 50 is in the way


# The pipeline's choice: min-p (Nguyen et al. 2025), without a sort at each step. Of the best of 48 two blind readers
# found more poems coherent at this temperature than at 0.6 and 0.8.
TEMPERATURE, SMALLEST = 0.45, 0.05
MIN_P = _sampling(temperature=TEMPERATURE, min_p=SMALLEST)
STRATEGIES: Mapping[str, Decoding] = MappingProxyType(
    {
        "greedy": {"do_sample": False},
        "beam, 4": {"do_sample": False, "num_beams": 4},
        "contrastive": {"do_sample": False, "custom_generate": contrastive_search},
        "sampling": _sampling(),
        "temperature 0.7": _sampling(temperature=0.7),
        "top-k 50": _sampling(top_k=50),
        "top-p 0.9": _sampling(top_p=0.9),  # Holtzman et al. 2020
        "typical 0.9": _sampling(typical_p=0.9),  # Meister et al. 2023
        "min-p 0.05": _sampling(min_p=0.05),
        "min-p 0.05, temperature 0.45": MIN_P,
    }
)


MOST_TOKENS = 32  # a line has at most


def uniform_draws(keywords: Sequence[str], n: int, seed: int) -> Tensor:
    """Numbers in [0, 1) for four lines of n candidates: (4, n, MOST_TOKENS)."""
    digest = blake2b(f"{seed} {' '.join(keywords)}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "big", signed=True))
    return torch.rand(4, n, MOST_TOKENS, generator=generator)


def growing_cache() -> EncoderDecoderCache:
    """A cache that grows: transformers 5 gives a T5's as many layers as the encoder has, and ours has fewer."""
    return EncoderDecoderCache(DynamicCache(), DynamicCache())


def row_draws(keyword_sets: Sequence[Sequence[str]], n: int, seed: int) -> Tensor:
    """The numbers of n candidates for each keyword set, row i being candidate i % n of set i // n: (4, B, T).

    They come from the `seed` and the keywords, so a set gets the same poems wherever it stands in a batch (but for
    rounding, which batches of another shape do otherwise), and two sets do not draw alike.
    """
    return torch.cat([uniform_draws(keywords, n, seed) for keywords in keyword_sets], 1)


@torch.inference_mode()
def sample_rows(
    model: PreTrainedModel,
    encoder_outputs: BaseModelOutput,
    attention_mask: Tensor,
    rules: LogitsProcessor,
    draws: Tensor,
) -> tuple[Tensor, Tensor]:
    """Min-p sampling by given numbers, with a cache: the loop of `generate` without what a line does not need.

    States (B, S, D) and their mask (B, S), draws (B, T) in [0, 1) -> tokens (B, t), padded behind the end, and their
    log-probabilities (B, t) before any rule had its say.
    """
    config = model.generation_config
    memory = {"encoder_outputs": encoder_outputs, "attention_mask": attention_mask}
    cache = growing_cache()
    ids = torch.full((len(draws), 1), config.decoder_start_token_id, device=attention_mask.device)
    done = torch.zeros(len(draws), dtype=torch.bool, device=ids.device)
    scores: list[Tensor] = []
    for u in draws.to(ids.device).unbind(1):
        logits = model(decoder_input_ids=ids[:, -1:], past_key_values=cache, use_cache=True, **memory).logits[:, -1]
        logits = logits.float()  # (B, V)
        p = (rules(ids, logits) / TEMPERATURE).softmax(1)
        p = p.masked_fill(p < SMALLEST * p.amax(1, keepdim=True), 0)
        tokens = inverse_transform(p, u)
        scores.append(logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(1))
        ids = torch.cat([ids, tokens.masked_fill(done, config.pad_token_id)[:, None]], 1)
        done |= tokens == config.eos_token_id
        if done.all():
            break
    return ids[:, 1:], torch.stack(scores, 1)


def inverse_transform(p: Tensor, u: Tensor) -> Tensor:
    """The entry of each row at which the cumulated probability passes u: p (B, V), u (B,) -> (B,), none of p = 0."""
    passed = p.cumsum(-1)  # (B, V)
    total = passed[:, -1:]
    level = torch.minimum(u[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(passed, level, right=True)[:, 0]  # right: where u is 0, an entry of p = 0 is passed over
