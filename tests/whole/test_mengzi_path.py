"""The full profile's poem model, at full size: a folder laid out as Langboat/mengzi-t5-base, with weights made here.

The config is that of the hub (T5 v1.1 base), the vocabulary a SentencePiece of our own poems. All tests but the one
that counts parameters cut the 12 + 12 layers to 2 + 2, which changes no shape of any other weight.
"""

import json
import shutil
from itertools import cycle

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

from helpers.characters import is_han
from helpers.config import ASSETS
from helpers.options import PoemOptions, PoemTrainingConfig
from helpers.poems import (
    HEAD,
    MIN_P,
    STRATEGIES,
    PoemWriter,
    Quatrain,
    encode,
    fine_tune_t5,
    read_split,
    source_text,
    target_text,
)
from helpers.verse import check_poem
from tests.samples import HERON_TOWER

pytestmark = pytest.mark.usefixtures("one_thread")

MENGZI = {
    "architectures": ["T5ForConditionalGeneration"],
    "d_ff": 2048,
    "d_kv": 64,
    "d_model": 768,
    "decoder_start_token_id": 0,
    "dropout_rate": 0.1,
    "eos_token_id": 1,
    "feed_forward_proj": "gated-gelu",
    "initializer_factor": 1.0,
    "is_encoder_decoder": True,
    "layer_norm_epsilon": 1e-06,
    "model_type": "t5",
    "num_decoder_layers": 12,
    "num_heads": 12,
    "num_layers": 12,
    "pad_token_id": 0,
    "relative_attention_num_buckets": 32,
    "tie_word_embeddings": False,
    "use_cache": True,
    "vocab_size": 32128,
}
FEW = {"num_layers": 2, "num_decoder_layers": 2}


def sentences() -> list[str]:
    """Poems as the web writes them, with full-width punctuation, and our sources."""
    poems = read_split(ASSETS / "poems", "train")[:1500]
    written = ["{}，{}。{}，{}。".format(*poem.lines) for poem in poems]
    heads = cycle(f"{length}{kind}{numbers}：" for length in "五七" for kind in "绝律" for numbers in ("1", "2", "34"))
    return [*written, *(head + " ".join(poem.keywords) for head, poem in zip(heads, poems, strict=False))]


def random_state() -> dict[str, torch.Tensor]:
    """Weights whose output matrix is not the embedding, and whose norms are not all one."""
    torch.manual_seed(0)
    state = T5ForConditionalGeneration(T5Config(**MENGZI | FEW)).state_dict()
    state = {name: tensor.clone() for name, tensor in state.items() if "embed_tokens" not in name}
    state["lm_head.weight"] = torch.randn_like(state["lm_head.weight"]) * 0.05
    return {name: tensor * 1.1 if "layer_norm" in name else tensor for name, tensor in state.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mengzi-t5-base")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences()), model_prefix=str(folder / "spiece"), model_type="unigram",
        vocab_size=5000, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=1.0, num_threads=1,
        num_sub_iterations=1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.vocab").unlink()
    (folder / "config.json").write_text(json.dumps(MENGZI | FEW), encoding="utf-8")
    save_file(random_state(), folder / "model.safetensors", metadata={"format": "pt"})
    yield folder
    shutil.rmtree(folder)  # half a gigabyte


@pytest.fixture(scope="module")
def writer(folder) -> PoemWriter:
    return PoemWriter.from_pretrained(folder)


def logits(writer: PoemWriter) -> torch.Tensor:
    """For the third line of a poem."""
    source, target = (
        torch.tensor(encode(writer.tokenizer, [text]))
        for text in (source_text(["白日", "黄河"], HERON_TOWER[:2], 5), target_text(HERON_TOWER[2]))
    )
    with torch.inference_mode():
        return writer.model(source, labels=target, use_cache=False).logits


def test_the_config_is_that_of_a_base_t5() -> None:
    """248 million weights: 12 + 12 layers of T5 v1.1, an embedding and an output matrix of its own."""
    with torch.device("meta"):
        model = T5ForConditionalGeneration(T5Config(**MENGZI))
    attention, gated = 4 * 768 * 768, 3 * 768 * 2048
    layers = 12 * (attention + gated + 2 * 768) + 12 * (2 * attention + gated + 3 * 768)
    tied = 32128 * 768 + layers + 2 * 768 + 2 * 32 * 12  # two last norms, two tables of positions
    untied = tied + 32128 * 768
    assert untied == 247_577_856  # as google/t5-v1_1-base
    state = {name: tensor.numel() for name, tensor in model.state_dict().items() if "embed_tokens" not in name}
    assert sum(state.values()) == untied and state["lm_head.weight"] == state["shared.weight"] == 32128 * 768
    assert model.config.is_gated_act and model.config.dense_act_fn == "gelu_new"


def test_what_is_loaded_is_what_lies_in_the_folder(writer, folder) -> None:
    stored, loaded = load_file(folder / "model.safetensors"), writer.model.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored.items())
    assert set(loaded) - set(stored) <= {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
    assert not torch.equal(writer.model.lm_head.weight, writer.model.shared.weight)
    assert len(writer.tokenizer) < writer.model.config.vocab_size == 32128


def test_full_width_punctuation_is_read_as_half_width(writer) -> None:
    tokenizer = writer.tokenizer
    assert encode(tokenizer, ["五绝3:明月 春风"]) == encode(tokenizer, ["五绝３：明月 春风"])
    assert encode(tokenizer, ["白日依山尽,黄河"]) == encode(tokenizer, ["白日依山尽，黄河"])
    (prompt,) = encode(tokenizer, ["七律234:"])
    assert tokenizer.unk_token_id not in prompt and tokenizer.decode(prompt).strip() == "七律234:"


def test_texts_survive(writer) -> None:
    tokenizer = writer.tokenizer
    for keywords, lines in ([["白日", "黄河", "楼"], HERON_TOWER[:3]], [["明月"], []]):
        (ids,) = encode(tokenizer, [source_text(keywords, lines, 5)])
        assert tokenizer.unk_token_id not in ids and ids.count(1) == 1 + len(lines) and ids[-1] == 1
        *parts, rest = tokenizer.decode(ids, skip_special_tokens=False).split("</s>")
        asked = f"五绝{len(lines) + 1}:" + " ".join(keywords)
        assert [part.strip() for part in parts] == [asked, *lines] and rest == ""
    (ids,) = encode(tokenizer, [target_text(HERON_TOWER[3])])
    assert ids[-1] == 1 and tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == HERON_TOWER[3]
    assert writer.unknown_characters(HEAD + "白日依山尽龘") == {"龘"}


@pytest.mark.parametrize("form", ["5x4", "7x4"])
def test_lines_are_exact(writer, form: str) -> None:
    groups = writer.write_batch([["明月", "春风"], ["黄河"]], PoemOptions(form, n=2, keyword_per_line=False))
    for poem in (poem for group in groups for poem in group):
        judged = check_poem(poem.lines)
        assert judged["form"] == form and all(is_han(char) for line in poem.lines for char in line), poem
        assert judged["rhyme"] and judged["tonal"] and not judged["repeats"], poem


@pytest.mark.parametrize("form", ["5x4", "7x4"])
@pytest.mark.parametrize("decoding", [MIN_P, STRATEGIES["greedy"]], ids=["sampling", "greedy"])
def test_every_line_has_its_keyword(writer, form: str, decoding) -> None:
    """Without rules, among tokens of several characters."""
    n = 8 if decoding is MIN_P else 1
    sets = [["黄河", "明月", "江枫渔", "花"]]
    options = PoemOptions(form, n=n, rhyme=False, no_repeat=False, tone=False)
    (group,) = writer.write_batch(sets, options, decoding=decoding)
    for poem in group:
        assert check_poem(poem.lines)["form"] == form, poem
        assert all(word in line for word, line in zip(poem.keywords, poem.lines, strict=True)), poem


def test_two_steps_and_loading_again(folder, tmp_path) -> None:
    """The output matrix stays one of its own, in training and in the file."""
    writer, poems = PoemWriter.from_pretrained(folder), read_split(ASSETS / "poems", "valid")
    before = {name: tensor.clone() for name, tensor in writer.model.state_dict().items()}
    config = PoemTrainingConfig(steps=2, batch_size=4, evaluate_every=2, lr=1e-3, warmup=0.0)
    valid = [Quatrain(HERON_TOWER, keywords=("白日", "黄河"))]
    log = fine_tune_t5(writer.model, writer.tokenizer, poems[:4], valid, config, tmp_path, device="cpu", progress=False)
    assert [entry["step"] for entry in log if "eval_loss" in entry] == [2]
    after = writer.model.state_dict()
    assert all(not torch.equal(after[f"{name}.weight"], before[f"{name}.weight"]) for name in ("shared", "lm_head"))
    assert not torch.equal(after["shared.weight"], after["lm_head.weight"])
    shutil.rmtree(tmp_path / "checkpoint-2")  # a gigabyte
    again = PoemWriter.from_pretrained(tmp_path)
    assert all(torch.equal(again.model.state_dict()[name], tensor) for name, tensor in after.items())
    assert torch.allclose(logits(again), logits(writer), atol=1e-5)
    assert again.tokenizer.get_vocab() == writer.tokenizer.get_vocab()
    texts = [source_text(["明月"], HERON_TOWER[:3], 5)]
    assert encode(again.tokenizer, texts) == encode(AutoTokenizer.from_pretrained(folder), texts)
    (tmp_path / "model.safetensors").unlink()
