"""poems.writer: the T5's input token by token, exact lines from both kinds of model, likelihoods by a plain loop."""

import sys
from dataclasses import replace

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    T5ForConditionalGeneration,
    TemperatureLogitsWarper,
)

from helpers.options import FORMS, PoemOptions
from helpers.poems import (
    MIN_P,
    PoemWriter,
    character_tokenizer,
    collate,
    encode,
    inverse_transform,
    pad,
    source_text,
    target_text,
    uniform_draws,
)
from helpers.storage import INT8_WEIGHTS, load_pretrained
from helpers.verse import NO_PLACE, REPEATED, UNKNOWN, VerseProcessor, VerseRules, check_poem
from recipes.poem_t5 import export as export_poem_t5
from tests.samples import CHARACTERS, tiny_t5, write_mengzi

LINES = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]
ONE = PoemOptions("5x4", n=1, keyword_per_line=False)


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    """A character model as our training leaves it: more decoder than encoder layers, the cache switched off."""
    folder = tmp_path_factory.mktemp("characters")
    tokenizer = character_tokenizer(CHARACTERS)
    tokenizer.save_pretrained(folder)
    tiny_t5(len(tokenizer), num_decoder_layers=2, use_cache=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def int8_folder(own_folder, tmp_path_factory):
    """The same model in eight bits, written by the script that writes the assets."""
    folder = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export", "--model", str(own_folder), "--out", str(folder)])
        export_poem_t5.main()
    return folder


@pytest.fixture(scope="module")
def mengzi_folder(tmp_path_factory):
    return write_mengzi(tmp_path_factory.mktemp("mengzi"))


@pytest.fixture(scope="module")
def own(own_folder) -> PoemWriter:
    return PoemWriter.from_pretrained(own_folder)


@pytest.fixture(scope="module")
def mengzi(mengzi_folder) -> PoemWriter:
    return PoemWriter.from_pretrained(mengzi_folder)


# --- the input ---


def test_the_vocabulary_of_single_characters(own) -> None:
    vocabulary: dict[str, int] = {}
    for symbol in ["<pad>", "</s>", "<unk>", *"五七绝律1234:", " ", *CHARACTERS]:
        vocabulary.setdefault(symbol, len(vocabulary))
    text = source_text(["明月", "龘"], LINES[:3], 5)
    for tokenizer in (character_tokenizer(CHARACTERS), own.tokenizer):  # as made, and as read back from the folder
        assert tokenizer.get_vocab() == vocabulary
        (ids,) = encode(tokenizer, [text])
        assert "".join(tokenizer.convert_ids_to_tokens(ids)) == text.replace("龘", "<unk>")
        specials = tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id
        assert specials == (0, 1, 2)


def test_sentencepiece_reads_the_same_texts(mengzi) -> None:
    (ids,) = encode(mengzi.tokenizer, [source_text(["明月"], LINES[:2], 5)])
    assert mengzi.tokenizer.unk_token_id not in ids and ids.count(mengzi.tokenizer.eos_token_id) == 3
    pieces = "".join(mengzi.tokenizer.convert_ids_to_tokens(ids)).replace("▁", "")
    assert pieces == "五绝3:明月</s>白日依山尽</s>黄河入海流</s>"


def test_padding_does_not_count_in_the_loss(own) -> None:
    items = [
        {"input_ids": source, "labels": target}
        for source, target in zip(
            encode(own.tokenizer, [source_text(["月"], [], 7), source_text(["明月", "雪"], LINES[:3], 5)]),
            encode(own.tokenizer, [target_text("轻舟已过万重山"), target_text(LINES[3])]),
            strict=True,
        )
    ]
    one_by_one = [own.model(**collate([item], 0)).loss.item() for item in items]
    weights = [len(item["labels"]) for item in items]
    mean = sum(loss * weight for loss, weight in zip(one_by_one, weights, strict=True)) / sum(weights)
    assert own.model(**collate(items, 0)).loss.item() == pytest.approx(mean, abs=1e-5)


def test_unknown_characters(own, mengzi) -> None:
    for writer in (own, mengzi):
        assert writer.unknown_characters("明月𪚥春龘😀") == {"𪚥", "龘", "😀"}
        assert writer.unknown_characters("") == writer.unknown_characters("白日依山尽") == set()


# --- the models ---


def logits(model: T5ForConditionalGeneration) -> torch.Tensor:
    """(2, 4, V) for some input and some output."""
    with torch.inference_mode():
        source, target = torch.tensor([[5, 9, 12, 1], [7, 1, 0, 0]]), torch.tensor([[8, 9, 10, 1], [4, 1, 0, 0]])
        return model(source, attention_mask=source.ne(0).long(), labels=target, use_cache=False).logits


def test_eight_bits_load_nearly_the_same_model(own_folder, int8_folder) -> None:
    full = T5ForConditionalGeneration.from_pretrained(own_folder)
    small = load_pretrained(T5ForConditionalGeneration, int8_folder)
    for model in (full, small):
        embedding = model.shared.weight
        tied = model.lm_head, model.encoder.embed_tokens, model.decoder.embed_tokens
        assert all(module.weight is embedding for module in tied)
    for name, weight in full.state_dict().items():
        other = small.state_dict()[name]
        assert (weight - other).abs().max() <= weight.abs().max() / 127 * 0.5 + 1e-3, name
    assert not torch.equal(full.shared.weight, small.shared.weight)
    assert (logits(full) - logits(small)).std() < 0.02 * logits(full).std()
    assert (int8_folder / INT8_WEIGHTS).stat().st_size < (own_folder / "model.safetensors").stat().st_size / 2
    writer = PoemWriter.from_pretrained(int8_folder)
    assert not writer.model.training and check_poem(writer.write(["雪"], PoemOptions(n=1))[0].lines)["form"] == "7x4"


def test_untied_embeddings_stay_untied(mengzi, mengzi_folder, tmp_path) -> None:
    assert not torch.equal(mengzi.model.lm_head.weight, mengzi.model.shared.weight)
    states = []
    hook = mengzi.model.lm_head.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
    decoded = []
    other = mengzi.model.decoder.register_forward_hook(lambda _m, _i, output: decoded.append(output[0]))
    expected = logits(mengzi.model)
    hook.remove()
    other.remove()
    assert torch.equal(states[0], decoded[0])  # T5 v1.1 does not scale before an output matrix of its own
    mengzi.model.save_pretrained(tmp_path)  # as after fine-tuning
    mengzi.tokenizer.save_pretrained(tmp_path)
    again = PoemWriter.from_pretrained(tmp_path)
    assert torch.allclose(logits(again.model), expected, atol=1e-6)
    assert again.tokenizer.get_vocab() == mengzi.tokenizer.get_vocab()


# --- writing ---


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["own", "mengzi"])
def test_lines_are_exact(name: str, form: str, request) -> None:
    writer = request.getfixturevalue(name)
    six = PoemOptions(form, n=6, keyword_per_line=False)
    for poem in writer.write(["明月", "春"], six) + writer.write(["雪"], replace(six, rhyme=False, no_repeat=False)):
        assert check_poem(poem.lines)["form"] == form, poem
        assert type(poem.lines) is tuple and poem.log_likelihood < 0


def test_a_poem_in_print(own) -> None:
    (poem,) = own.write(["明月"], ONE)
    a, b, c, d = poem.lines
    assert str(poem) == f"{a}，{b}。\n{c}，{d}。"


def test_seeds(own) -> None:
    first, again, other = (own.write(["明月"], PoemOptions(seed=seed, n=2)) for seed in (1, 1, 2))
    assert first == again
    assert not {poem.lines for poem in first} & {poem.lines for poem in other} and first[0].lines != first[1].lines


def test_a_low_temperature_leaves_no_choice(own) -> None:
    cold = own.write(["明月"], replace(ONE, n=3), decoding=MIN_P | {"temperature": 1e-4})
    (greedy,) = own.write(["明月"], replace(ONE, seed=5), decoding={"do_sample": False})
    assert {poem.lines for poem in cold} == {greedy.lines}


def test_decoding_reaches_generate(own, monkeypatch) -> None:
    """What is asked for; without it the loop of our own draws."""
    calls, generate = [], own.model.generate
    monkeypatch.setattr(own.model, "generate", lambda **k: calls.append(k) or generate(**k))
    own.write(["明月"], ONE)
    assert calls == []
    own.write(["明月"], ONE, decoding=MIN_P)
    own.write(["明月"], ONE, decoding={"do_sample": False, "num_beams": 2})
    assert len(calls) == 8 and all(MIN_P.items() <= call.items() for call in calls[:4])
    assert MIN_P == {"do_sample": True, "top_k": 0, "temperature": 0.45, "min_p": 0.05}
    for call in calls[4:]:
        assert (call["do_sample"], call["num_beams"], "min_p" in call) == (False, 2, False)


@pytest.mark.parametrize("name", ["own", "mengzi"])
def test_drawn_poems_equal_a_plain_loop(name: str, request) -> None:
    """One row, without a cache: the library's temperature and min-p, and the numbers of the seed and the keywords."""
    writer = request.getfixturevalue(name)
    options, tokenizer = replace(ONE, n=3, seed=4), writer.tokenizer
    draws = uniform_draws(["明月", "雪"], 3, 4)  # (4, 3, T)
    for row, poem in enumerate(writer.write(["明月", "雪"], options)):
        for number, line in enumerate(poem.lines):
            rules = VerseProcessor(tokenizer, VerseRules(5), [poem.lines[:number]])
            warpers = LogitsProcessorList([rules, TemperatureLogitsWarper(0.45), MinPLogitsWarper(0.05)])
            source = torch.tensor(encode(tokenizer, [source_text(["明月", "雪"], poem.lines[:number], 5)]))
            ids = torch.zeros(1, 1, dtype=torch.long)
            while ids[0, -1] != tokenizer.eos_token_id:
                with torch.inference_mode():
                    scores = writer.model(source, decoder_input_ids=ids, use_cache=False).logits[:, -1]
                token = inverse_transform(warpers(ids, scores).softmax(1), draws[number, row, ids.shape[1] - 1][None])
                ids = torch.cat([ids, token[:, None]], 1)
            assert tokenizer.decode(ids[0], skip_special_tokens=True).replace(" ", "") == line


def test_tones_only_when_asked(own) -> None:
    """In sixty poems by a model that knows nothing."""
    sixty = replace(ONE, n=60, rhyme=False)
    ordered, free = (own.write(["明月"], replace(sixty, tone=tone)) for tone in (True, False))
    assert all(check_poem(poem.lines)["tonal"] for poem in ordered)
    assert sum(check_poem(poem.lines)["tonal"] for poem in free) < 6


def test_no_character_comes_twice_unless_allowed(own) -> None:
    poems = own.write(["明月"], replace(ONE, n=12))
    assert all(not check_poem(poem.lines)["repeats"] for poem in poems)
    free = own.write(["明月"], replace(ONE, n=12, no_repeat=False))
    assert any(check_poem(poem.lines)["repeats"] for poem in free)


def test_the_lines_before_are_read(own) -> None:
    """Line i is written for the keywords and lines 1 to i - 1 of the same poem, and of no other."""
    sources = []
    hook = own.model.encoder.register_forward_pre_hook(lambda _, inputs: sources.append(inputs[0]))
    poems = [poem for row in own.write_batch([["明月"], ["雪", "山"]], replace(ONE, n=2)) for poem in row]
    hook.remove()
    for i, ids in enumerate(sources):
        texts = dict.fromkeys(source_text(poem.keywords, poem.lines[:i], 5) for poem in poems)  # each is read once
        assert torch.equal(ids, pad(encode(own.tokenizer, list(texts)), 0))
    assert len(sources) == 4


@pytest.mark.parametrize("decoding", [None, MIN_P], ids=["drawn", "generate"])
@pytest.mark.parametrize("sets, n", [(1, 1), (1, 8), (5, 3)])
def test_all_poems_are_written_at_once(own, sets: int, n: int, decoding) -> None:
    """The encoder is asked once a line, the decoder once a token, for all rows and with a cache."""
    encoded, steps = [], []
    hooks = [
        own.model.encoder.register_forward_pre_hook(lambda _m, inputs: encoded.append(len(inputs[0]))),
        own.model.decoder.register_forward_pre_hook(
            lambda _m, _a, kwargs: steps.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
        ),
    ]
    own.write_batch([["明月"]] * sets, replace(ONE, n=n), decoding=decoding)
    for hook in hooks:
        hook.remove()
    assert len(encoded) == 4 and encoded[0] == 1  # for all the same words
    assert set(steps) == {(sets * n, 1)}  # the cache is at work, although the config says no
    assert len(steps) == 4 * 6


def test_groups_belong_to_their_keywords(own) -> None:
    keyword_sets = [["明月"], ["雪", "山"], ["酒"]]
    groups = own.write_batch(keyword_sets, replace(ONE, n=4))
    assert [[poem.keywords for poem in group] for group in groups] == [[tuple(words)] * 4 for words in keyword_sets]
    poems = [poem for group in groups for poem in group]
    scores = own.log_likelihoods([poem.keywords for poem in poems], [poem.lines for poem in poems])
    assert [poem.log_likelihood for poem in poems] == pytest.approx(scores.tolist(), abs=1e-5)


PER_LINE = PoemOptions("5x4", n=3, tone=False)


@pytest.mark.parametrize(
    ("keywords", "refused"),
    [
        (["白日", "黄河", "千里", "高楼"], {"高楼": UNKNOWN}),  # 高 is in no poem of the vocabulary
        (["白日", "白云", "千里"], {"白云": REPEATED}),
        (["白日", "山白", "千日", "明月"], {"山白": REPEATED, "千日": REPEATED}),
        (["龘", "白日依山"], {"龘": UNKNOWN, "白日依山": NO_PLACE}),  # four characters of five straddle the caesura
        (["白日", "黄河", "千里", "明月"], {}),
        (["白日"], {}),  # lines 2 to 4 have no word
    ],
)
def test_words_that_the_rules_refuse_are_named(own, keywords: list[str], refused: dict[str, str]) -> None:
    """With the reason, for each poem, and the others stand in their lines."""
    for poem in own.write(keywords, PER_LINE):
        assert poem.refused == refused, poem
        kept = [(word, line) for word, line in zip(keywords, poem.lines, strict=False) if word not in refused]
        assert all(word in line for word, line in kept), poem
        assert not set(check_poem(poem.lines, keywords)["placed"]) & set(refused)


def test_words_are_refused_poem_by_poem(own) -> None:
    """In one batch each poem has its own; words that may stand anywhere are never refused."""
    sets = [["白日", "白云"], ["黄河", "千里"], ["龘", "明月"]]
    groups = own.write_batch(sets, PER_LINE)
    assert [[poem.refused for poem in group] for group in groups] == [
        [{"白云": REPEATED}] * 3, [{}] * 3, [{"龘": UNKNOWN}] * 3
    ]  # fmt: skip
    free = own.write_batch(sets, replace(PER_LINE, keyword_per_line=False))
    assert all(poem.refused == {} for group in free for poem in group)


def test_an_opening_refuses_words_too(own) -> None:
    """The first word belongs to the line that stands; the others may repeat none of its characters."""
    options = replace(PER_LINE, n=2)
    openings = [LINES[0], LINES[1]]
    first, second = own.write(["明月", "白云", "黄花"], options, openings=openings)
    assert (first.refused, second.refused) == ({"白云": REPEATED}, {"黄花": REPEATED})


def test_the_order_of_tones_refuses_words(own) -> None:
    """Line 2 after 仄仄平平仄 has an oblique character 4, and 江枫渔 could only be characters 3 to 5, all level."""
    tonal = replace(PER_LINE, tone=True)
    for options, refused in ((tonal, {"江枫渔": NO_PLACE}), (PER_LINE, {})):
        rules = replace(options, rhyme=False)
        (group,) = own.write_batch([["明月", "江枫渔"]], rules, openings=[LINES[0]] * 3)
        assert [poem.refused for poem in group] == [refused] * 3
        assert all(("江枫渔" in poem.lines[1]) is not bool(refused) for poem in group)


@pytest.mark.parametrize(("chosen", "refused"), [(0, {"白云": REPEATED}), (1, {})])
def test_reasons_go_where_their_drafts_go(own, chosen: int, refused: dict[str, str]) -> None:
    """After line 2 one of two drafts goes on, twice: one with a character of the word in its opening, or the other."""
    words, options = ["明月", "白云", "花"], replace(PER_LINE, n=2)
    (poems,) = own.write_batch(
        [words], options, openings=LINES[:2], select=lambda drafts: [chosen] * 2 if drafts.written == 2 else [0, 1]
    )
    assert [poem.lines[0] for poem in poems] == [LINES[chosen]] * 2
    assert [poem.refused for poem in poems] == [refused] * 2


@pytest.mark.parametrize("name", ["own", "mengzi"])
def test_log_likelihood_equals_a_plain_loop(name: str, request) -> None:
    writer = request.getfixturevalue(name)
    poems = [LINES, ["朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山"], LINES[::-1]]
    keyword_sets = [["白日", "黄河", "楼"], ["白帝"], ["明月"]]
    expected = []
    for keywords, poem in zip(keyword_sets, poems, strict=True):
        total, count = 0.0, 0
        for i, line in enumerate(poem):
            source = torch.tensor(encode(writer.tokenizer, [source_text(keywords, poem[:i], len(line))]))
            target = encode(writer.tokenizer, [target_text(line)])[0]
            with torch.inference_mode():
                rows = writer.model(source, decoder_input_ids=torch.tensor([[0, *target[:-1]]]), use_cache=False).logits
            for row, token in zip(rows[0], target, strict=True):
                total, count = total + row.log_softmax(0)[token].item(), count + 1
        expected.append(total / count)
    for batch_size in (256, 5):  # 5: the lines of one poem fall into two batches
        scores = writer.log_likelihoods(keyword_sets, poems, batch_size)
        assert scores.tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("keyword_sets", [[], [["月"], []], [["", " "]]])
def test_without_keywords_there_is_no_poem(own, keyword_sets) -> None:
    with pytest.raises(ValueError, match="at least one keyword"):
        own.write_batch(keyword_sets)


def test_no_float16_for_a_t5(own_folder) -> None:
    """It overflows there."""
    assert PoemWriter.from_pretrained(own_folder, dtype=torch.float16).model.dtype == torch.float32
