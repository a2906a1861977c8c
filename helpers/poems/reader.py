"""The second reader: how well the lines of a poem go on from one another, by a model that writes nothing.

Two readings of one small BERT, trained like a CLIP: what stands so far and the next line are drawn together, the next
lines of other poems with the same rhyme and tones are pushed away (InfoNCE, van den Oord et al. 2018). At its optimum
the scaled cosine is log p(line | lines before) / p(line): what the writer's likelihood is not, since a line can be
likely by itself and continue nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoTokenizer, BertConfig, BertModel, BertPreTrainedModel, PreTrainedTokenizerBase

from helpers.poems.next_line import EOS, encode, pad
from helpers.storage import load_pretrained

BATCH = 512  # texts at a time


class LineReader(BertPreTrainedModel):
    """A BERT with two heads: one for the lines so far, one for the line that follows."""

    config_class = BertConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.before = nn.Linear(config.hidden_size, config.hidden_size)
        self.after = nn.Linear(config.hidden_size, config.hidden_size)
        self.logit_scale = nn.Parameter(torch.tensor(10.0).log())
        self.post_init()

    def forward(self, input_ids: Tensor, head: str) -> Tensor:
        """Texts (B, T), padded with the config's pad_token_id; `head` "before" or "after" -> unit vectors (B, D)."""
        real = input_ids != self.config.pad_token_id
        states = self.bert(input_ids, attention_mask=real.long()).last_hidden_state  # (B, T, D)
        mean = (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return normalize(getattr(self, head)(mean), dim=-1)


class PoemReader:
    """Scores poems by their coherence."""

    def __init__(self, model: LineReader, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "cpu", local_files_only: bool = False) -> PoemReader:
        """Load a folder or a hub id; `local_files_only`: without a request to the hub."""
        options = {"local_files_only": local_files_only}
        model = load_pretrained(LineReader, name, **options).to(device)
        return cls(model, AutoTokenizer.from_pretrained(name, **options))

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], head: str) -> Tensor:
        """Unit vectors (N, D) of texts, each encoded once; see `LineReader.forward`."""
        which = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        ids = encode(self.tokenizer, list(which))
        blocks = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
        device = self.model.device
        vectors = [self.model(pad(block, self.tokenizer.pad_token_id).to(device), head) for block in blocks]
        return torch.cat(vectors)[[which[text] for text in texts]]

    def scores(self, before: Sequence[Sequence[str]], lines: Sequence[str]) -> np.ndarray:
        """How much better each line continues the lines before it than chance would: N texts each -> (N,), nats."""
        pairs = self.embed([joined(each) for each in before], "before"), self.embed(lines, "after")
        return ((pairs[0] * pairs[1]).sum(1) * self.model.logit_scale.exp()).detach().cpu().float().numpy()

    def coherence(self, poems: Sequence[Sequence[str]]) -> np.ndarray:
        """The mean over lines 2 to 4 of each poem: (N,)."""
        before = [poem[:number] for poem in poems for number in (1, 2, 3)]
        lines = [poem[number] for poem in poems for number in (1, 2, 3)]
        return self.scores(before, lines).reshape(-1, 3).mean(1)


def joined(lines: Sequence[str]) -> str:
    """The lines so far as one text."""
    return EOS.join(lines)
