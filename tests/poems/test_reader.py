"""poems.reader: unit vectors and scores that do not depend on their company, matches by hand, eight bits."""

import numpy as np
import pytest
import torch
from transformers import BertConfig

from helpers.poems import LineReader, PoemReader, character_tokenizer, encode, joined, pad
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


def test_a_unit_vector_for_each_token(reader) -> None:
    """Zeros for pads, and none of it depends on the texts beside it."""
    texts = [HERON_TOWER[0], joined(MAPLE_BRIDGE[:3]), HERON_TOWER[0]]
    together = reader.embed(texts, "before")
    lengths = torch.tensor([5, 23, 5])
    torch.testing.assert_close(together.norm(dim=2), (torch.arange(23) < lengths[:, None]).float())
    for text, vectors in zip(texts, together, strict=True):
        alone = reader.embed([text], "before")[0]
        torch.testing.assert_close(alone, vectors[: len(alone)], atol=1e-5, rtol=0)
    assert not torch.allclose(reader.embed(texts, "after"), together, atol=1e-2)


def test_a_score_is_the_sum_of_best_matches(reader) -> None:
    before, line = BAIDI[:2], BAIDI[2]
    vectors = reader.embed([joined(before)], "before")[0].tolist(), reader.embed([line], "after")[0].tolist()
    best = [max(float(np.dot(char, other)) for other in vectors[0]) for char in vectors[1]]
    scale = reader.model.logit_scale.exp().item()
    assert len(best) == 7 and reader.scores([before], [line])[0] == pytest.approx(scale * sum(best), abs=1e-3)


def test_scores_do_not_depend_on_their_company(reader) -> None:
    before, lines = [HERON_TOWER[:1], MAPLE_BRIDGE[:3], BAIDI[:2]], [HERON_TOWER[1], MAPLE_BRIDGE[3], BAIDI[2]]
    one_by_one = [reader.scores([b], [line])[0] for b, line in zip(before, lines, strict=True)]
    np.testing.assert_allclose(reader.scores(before, lines), one_by_one, atol=1e-3)


def test_a_matrix_of_scores(reader) -> None:
    """As training has them: every text with every line."""
    before, lines = [BAIDI[:1], MAPLE_BRIDGE[:3]], [BAIDI[1], MAPLE_BRIDGE[3], HERON_TOWER[1]]
    ids = [pad(encode(reader.tokenizer, texts), 0) for texts in (list(map(joined, before)), lines)]
    matrix = reader.model.score_matrix(*ids)
    each = [[reader.scores([b], [line])[0] for line in lines] for b in before]
    np.testing.assert_allclose(matrix.detach(), each, atol=1e-3)


def test_coherence_is_the_mean_of_three_scores(reader) -> None:
    poems = [HERON_TOWER, BAIDI]
    by_hand = [np.mean([reader.scores([poem[:n]], [poem[n]])[0] for n in (1, 2, 3)]) for poem in poems]
    np.testing.assert_allclose(reader.coherence(poems), by_hand, atol=1e-3)


def test_eight_bits(reader, tmp_path) -> None:
    save_quantized_pretrained(reader.model, tmp_path)
    reader.tokenizer.save_pretrained(tmp_path)
    again = PoemReader.from_pretrained(tmp_path)
    np.testing.assert_allclose(again.coherence([BAIDI]), reader.coherence([BAIDI]), atol=0.3)
    assert not again.model.training
