"""poems.reader: unit vectors that do not depend on their company, coherence by hand, eight bits."""

import numpy as np
import pytest
import torch
from transformers import BertConfig

from helpers.poems import LineReader, PoemReader, character_tokenizer, joined
from helpers.storage import save_quantized_pretrained
from tests.samples import BAIDI, CHARACTERS, HERON_TOWER, MAPLE_BRIDGE


@pytest.fixture(scope="module")
def reader() -> PoemReader:
    torch.manual_seed(0)
    tokenizer = character_tokenizer(CHARACTERS)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, pad_token_id=0,
    )  # fmt: skip
    return PoemReader(LineReader(config), tokenizer)


def test_unit_vectors_without_padding(reader) -> None:
    texts = [HERON_TOWER[0], joined(MAPLE_BRIDGE[:3]), HERON_TOWER[0]]
    together = reader.embed(texts, "before")
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    for text, vector in zip(texts, together, strict=True):
        torch.testing.assert_close(reader.embed([text], "before")[0], vector, atol=1e-5, rtol=0)
    assert not torch.allclose(reader.embed(texts, "after"), together, atol=1e-2)


def test_coherence_is_the_mean_of_three_scores(reader) -> None:
    poems = [HERON_TOWER, BAIDI]
    by_hand = []
    for poem in poems:
        scores = [reader.scores([poem[:n]], [poem[n]])[0] for n in (1, 2, 3)]
        before, after = reader.embed([joined(poem[:2])], "before")[0], reader.embed([poem[2]], "after")[0]
        scale = reader.model.logit_scale.exp().item()
        assert scores[1] == pytest.approx(scale * (before @ after).item(), abs=1e-4)
        by_hand.append(np.mean(scores))
    np.testing.assert_allclose(reader.coherence(poems), by_hand, atol=1e-4)


def test_eight_bits(reader, tmp_path) -> None:
    save_quantized_pretrained(reader.model, tmp_path)
    reader.tokenizer.save_pretrained(tmp_path)
    again = PoemReader.from_pretrained(tmp_path)
    np.testing.assert_allclose(again.coherence([BAIDI]), reader.coherence([BAIDI]), atol=0.3)
    assert not again.model.training
