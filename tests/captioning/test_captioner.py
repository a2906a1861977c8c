"""captioning.captioner: what it has learnt it says, in any batch, by any strategy; wrong encoders are refused."""

import pytest

from helpers.captioning import BEAM, GREEDY, STRATEGIES, Captioner, save_captioner, train_captioner, with_decoder
from helpers.options import CaptionTrainingConfig
from helpers.storage import INT8_WEIGHTS

pytestmark = pytest.mark.usefixtures("one_thread")
CONFIG = CaptionTrainingConfig(epochs=80, batch_size=4, captions_per_image=1, lr=5e-3)


@pytest.fixture
def learnt(captioner, captioned, tmp_path) -> Captioner:
    train_captioner(captioner, captioned, captioned, CONFIG, tmp_path / "run")
    return captioner


def test_it_says_what_it_has_learnt(learnt, captioned) -> None:
    firsts = [group[0] for group in captioned.captions]
    for decoding in (GREEDY, BEAM):
        assert learnt.caption_embeds(captioned.image_embeds, decoding) == firsts
    assert [learnt.caption_embeds(embed[None])[0] for embed in captioned.image_embeds] == firsts
    for decoding in STRATEGIES.values():
        assert all(learnt.caption_embeds(captioned.image_embeds, decoding))


def test_pictures_need_an_encoder(captioner, pictures) -> None:
    with pytest.raises(ValueError, match="without an encoder"):
        captioner.caption(pictures)


def test_an_encoder_of_another_width(captioner, encoder, tmp_path) -> None:
    save_captioner(captioner.model, captioner.tokenizer, tmp_path)
    with pytest.raises(ValueError, match="embeddings of 8 numbers, not of"):
        Captioner.from_pretrained(tmp_path, encoder)


def test_a_gpt2_of_the_hub(tmp_path, captioned) -> None:
    """Laid out as uer/gpt2-chinese-cluecorpussmall: a BERT's vocabulary in front of a GPT-2."""
    from transformers import BertTokenizer, GPT2Config, GPT2LMHeadModel

    letters = sorted({char for group in captioned.captions for text in group for char in text})
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]))
    tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"))
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, **still)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    captioner = Captioner(*with_decoder(str(tmp_path), captioned))
    train_captioner(captioner, captioned, captioned, CONFIG, tmp_path / "run")
    assert captioner.caption_embeds(captioned.image_embeds, GREEDY) == [group[0] for group in captioned.captions]


def test_eight_bits_and_damaged_files(learnt, captioned, tmp_path) -> None:
    save_captioner(learnt.model, learnt.tokenizer, tmp_path, quantized=True)
    again = Captioner.from_pretrained(tmp_path)
    firsts = [group[0] for group in captioned.captions]
    assert again.caption_embeds(captioned.image_embeds) == firsts and again.fingerprint != learnt.fingerprint
    weights = tmp_path / INT8_WEIGHTS
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        Captioner.from_pretrained(tmp_path)
