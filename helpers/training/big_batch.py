"""Contrastive batches larger than a device: spread over processes, or encoded in chunks, with the same gradient.

The loss compares every picture with every text, so it cannot be averaged over parts of a batch as other losses can:
part losses see fewer negatives. What can be spread is the encoding.
"""

from __future__ import annotations

import torch
import torch.distributed
from torch import nn
from torch.utils.checkpoint import checkpoint


def gather_embeds(embeds: torch.Tensor) -> torch.Tensor:
    """Embeddings (B, D) of this process -> those of all W processes, (W * B, D), in the order of the ranks.

    With their gradient: a plain all_gather treats the others' embeddings as constants, and the gradient is wrong.
    Here each process gets W times its share, which the mean of DistributedDataParallel over W processes sets right.
    """
    if not torch.distributed.is_initialized():
        return embeds
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(embeds))


class InChunks(nn.Module):
    """A model whose batches are encoded `chunk_size` pairs at a time: same result and gradient, less memory.

    The idea of GradCache (Gao et al. 2021, arXiv:2101.06983, section 3): encode without keeping activations, take the
    loss over all embeddings, then encode each chunk again for its gradient. torch's checkpointing does just this, and
    repeats the second time what dropout drew the first time. It costs one more forward pass.

    A module, not a function around one, since DistributedDataParallel must see one forward pass a step.
    """

    def __init__(self, model: nn.Module, chunk_size: int) -> None:
        super().__init__()
        self.model = model
        self.chunk_size = chunk_size

    def forward(self, **batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The arguments of `model`, (B, ...) each -> image and text embeddings, (B, D) each."""
        columns = zip(*(tensor.split(self.chunk_size) for tensor in batch.values()), strict=True)
        chunks = (dict(zip(batch, column, strict=True)) for column in columns)
        embeds = (checkpoint(self.model, use_reentrant=False, **chunk) for chunk in chunks)
        image_embeds, text_embeds = zip(*embeds, strict=True)
        return torch.cat(image_embeds), torch.cat(text_embeds)
