"""poems.decoding: every strategy writes poems to the rules; contrastive search beside a loop by hand."""

from dataclasses import replace

import pytest
import torch
from transformers import LogitsProcessorList
from transformers.modeling_outputs import BaseModelOutput

from helpers.options import FORMS, PoemOptions
from helpers.poems import (
    MIN_P,
    STRATEGIES,
    PoemWriter,
    character_tokenizer,
    contrastive_search,
    encode,
    pad,
    source_text,
)
from helpers.verse import VerseProcessor, VerseRules, check_poem
from tests.samples import CHARACTERS, CHARS, HERON_TOWER, NIGHT_THOUGHTS, RIVER_SNOW, tiny_t5

TOKENIZER = character_tokenizer([*CHARACTERS, *CHARS])
SETS = [["明月"], ["春风", "白云", "江"]]
TWO = PoemOptions("5x4", n=2, keyword_per_line=False)
EARLIER = [HERON_TOWER[:2], RIVER_SNOW[:2], NIGHT_THOUGHTS[:2], (), HERON_TOWER[:1]]
TOLD = [["明月"], ["江", "山", "白云"], ["雪"], ["江", "山"], []]
SOURCES = [source_text(words, lines, 5) for words, lines in zip(TOLD, EARLIER, strict=True)]
DRAWN = [name for name, options in STRATEGIES.items() if options["do_sample"]]
SETTLED = [name for name in STRATEGIES if name not in DRAWN]


@pytest.fixture(scope="module")
def writer() -> PoemWriter:
    model = tiny_t5(len(TOKENIZER), num_decoder_layers=2)
    with torch.no_grad():
        model.shared.weight.mul_(3)  # some tokens are clearly likelier than others
    return PoemWriter(model, TOKENIZER)


def search(writer: PoemWriter, rows: list[int], **options) -> list[list[int]]:
    """Contrastive search by `generate` for some of the sources; without the start and the pads."""
    ids = pad(encode(TOKENIZER, [SOURCES[row] for row in rows]), 0)
    rules = VerseProcessor(TOKENIZER, VerseRules(5), [EARLIER[row] for row in rows])
    output = writer.model.generate(
        input_ids=ids, attention_mask=ids.ne(0).long(), max_new_tokens=7, do_sample=False, return_dict_in_generate=True,
        logits_processor=LogitsProcessorList([rules]), custom_generate=contrastive_search, **options,
    )  # fmt: skip
    return [[token for token in row[1:].tolist() if token] for row in output.sequences]


@torch.inference_mode()
def by_hand(writer: PoemWriter, row: int, k: int, alpha: float) -> list[int]:
    """One row, one candidate at a time."""
    (source,) = encode(TOKENIZER, [SOURCES[row]])
    encoded = BaseModelOutput(last_hidden_state=writer.model.encoder(torch.tensor([source])).last_hidden_state)
    rules, ids = VerseProcessor(TOKENIZER, VerseRules(5), [EARLIER[row]]), [0]

    def run(tokens: list[int]):
        output = writer.model(
            encoder_outputs=encoded,
            decoder_input_ids=torch.tensor([tokens]),
            output_hidden_states=True,
            use_cache=False,
        )
        return output.logits[0, -1], output.decoder_hidden_states[-1][0]

    while ids[-1] != 1:
        p = rules(torch.tensor([ids]), run(ids)[0][None])[0].softmax(-1)
        scores = {}
        for token in p.argsort(descending=True)[:k].tolist():
            if p[token] > 0:
                *before, last = run([*ids, token])[1]
                alike = max(torch.cosine_similarity(last, state, dim=0).item() for state in before)
                scores[token] = (1 - alpha) * p[token].item() - alpha * alike
        ids.append(max(scores, key=scores.get))
    return ids[1:]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_the_rules(writer, name: str, form: str) -> None:
    groups = writer.write_batch(SETS, PoemOptions(form, n=3, keyword_per_line=False), decoding=STRATEGIES[name])
    assert [len(group) for group in groups] == [3, 3]
    for poem in (poem for group in groups for poem in group):
        judged = check_poem(poem.lines)
        assert judged["form"] == form and judged["rhyme"] and judged["tonal"] and not judged["repeats"], poem
        assert poem.log_likelihood < 0


@pytest.mark.parametrize("name", STRATEGIES)
def test_seeds_matter_where_tokens_are_drawn(writer, name: str) -> None:
    groups = (writer.write(["明月"], replace(TWO, seed=seed), decoding=STRATEGIES[name]) for seed in (1, 1, 2))
    one, again, other = ({poem.lines for poem in group} for group in groups)
    assert one == again and (one != other) is (name in DRAWN) and len(one) == (2 if name in DRAWN else 1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_poems_are_scored_as_they_were_written(writer, name: str) -> None:
    poems = [poem for group in writer.write_batch(SETS, TWO, decoding=STRATEGIES[name]) for poem in group]
    scores = writer.log_likelihoods([poem.keywords for poem in poems], [poem.lines for poem in poems])
    assert [poem.log_likelihood for poem in poems] == pytest.approx(scores.tolist(), abs=1e-4)


def test_the_strategies() -> None:
    assert {"greedy", "beam, 4", "contrastive"} == set(SETTLED) and len(DRAWN) == 7
    assert STRATEGIES["min-p 0.05, temperature 0.45"] is MIN_P
    assert all(STRATEGIES[name]["top_k"] == (50 if name == "top-k 50" else 0) for name in DRAWN)
    with pytest.raises(TypeError):
        MIN_P["temperature"] = 1.0


def test_strategies_differ(writer) -> None:
    """For one seed each writes poems of its own."""
    written = {
        tuple(poem.lines for poem in writer.write(["明月"], TWO, decoding=STRATEGIES[name])) for name in STRATEGIES
    }
    assert len(written) >= len(STRATEGIES) - 2


# --- contrastive search ---


@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (3, 0.9), (1, 0.5), (5, 0.0), (8, 1.0)])
@pytest.mark.parametrize("row", range(len(SOURCES)))
def test_contrastive_search_beside_a_loop(writer, row: int, k: int, alpha: float) -> None:
    (found,) = search(writer, [row], k=k, alpha=alpha)
    assert found == by_hand(writer, row, k, alpha) and len(found) == 6 and found[-1] == 1


def test_rows_of_a_batch_equal_single_rows(writer) -> None:
    """Sources of three lengths: the shorter ones are padded."""
    single = [search(writer, [row])[0] for row in range(3)]
    assert search(writer, [0, 1, 2]) == single and search(writer, [2, 0]) == [single[2], single[0]]


def test_without_a_penalty_it_is_greedy(writer) -> None:
    greedy = writer.write(["明月"], TWO, decoding=STRATEGIES["greedy"])
    settled = {name: writer.write(["明月"], TWO, decoding=STRATEGIES["contrastive"] | changes) for name, changes in
               {"k 1": {"k": 1}, "alpha 0": {"alpha": 0.0}, "both": {}}.items()}  # fmt: skip
    assert settled["k 1"][0].lines == settled["alpha 0"][0].lines == greedy[0].lines != settled["both"][0].lines


def test_lines_of_different_lengths_end_by_themselves(writer) -> None:
    """Two prompts, one of which must end at once: what comes behind its end is padding."""

    def ending(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        only = torch.full_like(scores, -torch.inf)
        only[0, 1] = only[1, 1 if ids.shape[1] > 3 else 9] = 0.0
        return only

    ids = pad(encode(TOKENIZER, SOURCES[:2]), 0)
    output = writer.model.generate(
        input_ids=ids, attention_mask=ids.ne(0).long(), max_new_tokens=9, do_sample=False,
        logits_processor=LogitsProcessorList([ending]), custom_generate=contrastive_search,
    )  # fmt: skip
    rows = output if torch.is_tensor(output) else output.sequences
    assert rows.tolist() == [[0, 1, 0, 0, 0], [0, 9, 9, 9, 1]]
