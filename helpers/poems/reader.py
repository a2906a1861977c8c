"""The second reader: how well the lines of a poem go on from one another, by a model that writes nothing.

Two readings of one small BERT, trained like a CLIP: what stands so far and the next line are drawn together, the next
lines of other poems with the same rhyme and tones are pushed away (InfoNCE, van den Oord et al. 2018). At its optimum
the score is log p(line | lines before) / p(line): what the writer's likelihood is not, since a line can be likely by
itself and continue nothing. Lines answer one another word by word (moon and frost, east and west), so every character
of a line looks for its best match in what stands before (late interaction: ColBERT, Khattab and Zaharia 2020, 3.3).
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
MATCH = 96  # the width of the vectors that are matched


class LineReader(BertPreTrainedModel):
    """A BERT with two heads: one for the lines so far, one for the line that follows."""

    config_class = BertConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.before = nn.Linear(config.hidden_size, MATCH)
        self.after = nn.Linear(config.hidden_size, MATCH)
        self.logit_scale = nn.Parameter(torch.tensor(2.0).log())
        self.post_init()

    def forward(self, input_ids: Tensor, head: str) -> Tensor:
        """Texts (B, T), padded with the config's pad_token_id; `head` "before" or "after" -> a unit vector for each
        token, zeros for pads: (B, T, D)."""
        real = input_ids != self.config.pad_token_id
        states = self.bert(input_ids, attention_mask=real.long()).last_hidden_state
        return normalize(getattr(self, head)(states), dim=-1) * real[..., None]

    def score(self, cosines: Tensor) -> Tensor:
        """Cosines (..., S, L) of what stands before and a line, token by token -> (...), nats: each token of the line
        counts with its best match, which is worth nothing below zero, as a pad is."""
        return cosines.amax(-2).clamp(min=0).sum(-1) * self.logit_scale.exp()

    def score_matrix(self, before_ids: Tensor, line_ids: Tensor) -> Tensor:
        """Token ids (N, S) and (M, L) -> the scores of all pairs, (N, M)."""
        before, lines = self(before_ids, "before"), self(line_ids, "after")
        cosines = before.flatten(0, 1) @ lines.flatten(0, 1).T  # (N * S, M * L)
        cosines = cosines.view(*before_ids.shape, *line_ids.shape)  # (N, S, M, L)
        return self.score(cosines.transpose(1, 2)).float()


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
        """Vectors of the tokens of N texts, each text encoded once: (N, T, D); see `LineReader.forward`."""
        which = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        ids = pad(encode(self.tokenizer, list(which)), self.tokenizer.pad_token_id).to(self.model.device)
        vectors = torch.cat([self.model(block, head) for block in ids.split(BATCH)])
        return vectors[[which[text] for text in texts]]

    @torch.inference_mode()
    def scores(self, before: Sequence[Sequence[str]], lines: Sequence[str]) -> np.ndarray:
        """How much better each line continues the lines before it than chance would: N texts each -> (N,), nats."""
        pairs = self.embed([joined(each) for each in before], "before"), self.embed(lines, "after")
        return self.model.score(pairs[0] @ pairs[1].transpose(1, 2)).cpu().float().numpy()

    def coherence(self, poems: Sequence[Sequence[str]]) -> np.ndarray:
        """The mean over lines 2 to 4 of each poem: (N,)."""
        before = [poem[:number] for poem in poems for number in (1, 2, 3)]
        lines = [poem[number] for poem in poems for number in (1, 2, 3)]
        return self.scores(before, lines).reshape(-1, 3).mean(1)


def joined(lines: Sequence[str]) -> str:
    """The lines so far as one text."""
    return EOS.join(lines)
