"""reward.reinforce: baselines by hand, a gradient that is REINFORCE's, a choice that is learnt from rewards alone."""

import pytest
import torch

from helpers.reward import (
    against_greedy,
    entropy,
    leave_one_out,
    policy_loss,
    scaled,
    token_log_probs,
    until_end,
)


def test_leave_one_out_is_the_mean_of_the_others() -> None:
    rewards = torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[1 - 4, 2 - 3.5, 6 - 1.5], [0, 0, 0]])
    torch.testing.assert_close(leave_one_out(rewards), expected)
    with pytest.raises(ValueError, match="at least two draws"):
        leave_one_out(torch.ones(3, 1))


def test_against_the_greedy_caption() -> None:
    better = against_greedy(torch.tensor([[1.0, 3.0], [2.0, 2.0]]), torch.tensor([2.0, 1.0]))
    assert better.tolist() == [[-1, 1], [1, 1]]


def test_scaled_knows_no_unit() -> None:
    better = torch.tensor([[1.0, -2.0], [0.5, 0.5]])
    torch.testing.assert_close(scaled(better), scaled(100 * better))
    torch.testing.assert_close(scaled(better).square().mean(), torch.tensor(1.0))
    assert not scaled(torch.zeros(2, 2)).any()


def test_nothing_counts_behind_the_end() -> None:
    tokens = torch.tensor([[5, 1, 0, 0], [5, 6, 7, 8], [1, 1, 5, 1]])
    expected = [[True, True, False, False], [True] * 4, [True, False, False, False]]
    assert until_end(tokens, eos_token_id=1).tolist() == expected


def test_the_gradient_is_reinforce_s() -> None:
    """Of logits it is advantage * (p - one-hot), over the number of tokens."""
    logits = torch.randn(2, 3, 4, requires_grad=True)
    tokens, mask = torch.tensor([[0, 1, 2], [3, 3, 0]]), torch.tensor([[True, True, False], [True, True, True]])
    advantages = torch.tensor([2.0, -1.0])
    policy_loss(token_log_probs(logits, tokens), mask, advantages).backward()
    one_hot = torch.nn.functional.one_hot(tokens, 4)
    expected = advantages[:, None, None] * (logits.detach().softmax(-1) - one_hot) * mask[..., None] / 5
    torch.testing.assert_close(logits.grad, expected)


def test_no_gradient_flows_through_the_advantage() -> None:
    advantages = torch.ones(1, requires_grad=True)
    policy_loss(torch.zeros(1, 2, requires_grad=True), torch.ones(1, 2), advantages).backward()
    assert advantages.grad is None


def test_it_learns_what_is_rewarded() -> None:
    """Three tokens, the last one pays: from a reward of a third to nearly one, and the entropy falls."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=2.0)
    before = entropy(logits.detach().view(1, 1, 3), torch.ones(1, 1))
    for _ in range(60):
        tokens = torch.multinomial(logits.detach().softmax(0), 8, True, generator=generator)[:, None]  # (8, 1)
        rewards = (tokens == 2).float().view(1, 8)
        log_probs = token_log_probs(logits.expand(8, 1, 3), tokens)
        loss = policy_loss(log_probs, torch.ones(8, 1), leave_one_out(rewards).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert logits.softmax(0)[2] > 0.95
    assert entropy(logits.detach().view(1, 1, 3), torch.ones(1, 1)) < before / 3
