"""Learning from a score that cannot be differentiated: REINFORCE (Williams 1992) with a baseline, as in SCST.

A caption is drawn, a critic scores it, and its probability goes up or down by how much better than expected it was.
What was to be expected, the baseline, comes from the model itself: its other draws for the same picture (leave-one-out:
Kool et al. 2019), or its greedy caption (self-critical training: Rennie et al. 2017, arXiv:1612.00563, equation 8).
"""

from __future__ import annotations

import torch
from torch import Tensor


def leave_one_out(rewards: Tensor) -> Tensor:
    """How much better each of k draws did than the other k - 1 for the same picture: (N, k) -> (N, k).

    Raises ValueError for a single draw: there is nothing to compare it with.
    """
    k = rewards.shape[1]
    if k < 2:
        raise ValueError("leave-one-out needs at least two draws a picture: take the greedy baseline for one")
    return (rewards - rewards.mean(1, keepdim=True)) * k / (k - 1)


def against_greedy(rewards: Tensor, greedy: Tensor) -> Tensor:
    """How much better each draw did than the greedy one: (N, k), (N,) -> (N, k)."""
    return rewards - greedy[:, None]


def scaled(advantages: Tensor) -> Tensor:
    """Of size one over the whole batch, whatever the reward's unit; all zeros stay zeros."""
    return advantages / advantages.square().mean().sqrt().clamp(min=1e-6)


def until_end(tokens: Tensor, eos_token_id: int) -> Tensor:
    """Which tokens of drawn texts (B, T) were chosen: all up to the end token and itself, but no pad behind it."""
    ends = tokens == eos_token_id
    return ends.cumsum(1) - ends.long() == 0


def token_log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each token, with its gradient: logits (B, T, V), tokens (B, T) -> (B, T), nats."""
    return logits.float().log_softmax(-1).gather(2, tokens[..., None])[..., 0]


def policy_loss(log_probs: Tensor, mask: Tensor, advantages: Tensor) -> Tensor:
    """The loss whose gradient is REINFORCE's: token log-probabilities and their mask (B, T), advantages (B,) -> scalar.

    Minus the mean over all drawn tokens of their caption's advantage times their log-probability; the advantage is a
    number that no gradient flows through.
    """
    weighted = advantages.detach()[:, None] * log_probs * mask  # (B, 1) * (B, T) * (B, T)
    return -weighted.sum() / mask.sum()


@torch.no_grad()
def entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """How undecided the model still is, nats a token: logits (B, T, V), mask (B, T) -> scalar; near 0 nothing is tried
    any more."""
    log_p = logits.float().log_softmax(-1)
    return (-(log_p.exp() * log_p).sum(-1) * mask).sum() / mask.sum()
