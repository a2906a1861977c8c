"""coca.pretrained and loading: open_clip's large CoCa with random weights writes in every way; captioners by name."""

import pytest
import torch

from helpers.captioning import Captioner, new_captioner, save_captioner
from helpers.coca import FeatureCoCa, OpenClipCaptioner, load_captioner, new_coca
from helpers.config import ASSETS
from helpers.data import load_image


def test_the_large_one_writes_in_every_way() -> None:
    torch.manual_seed(0)
    captioner = OpenClipCaptioner.from_pretrained("coca_ViT-B-32", weights=None, device="cpu")
    assert sum(p.numel() for p in captioner.model.parameters()) == 253_560_065
    assert captioner.model.text_decoder.text_projection.std().item() == pytest.approx(512**-0.5, rel=0.01)
    image = load_image(ASSETS / "photos" / "lotus.jpg")
    for decoding in ({"num_beams": 2}, {"do_sample": True, "top_p": 0.9}, {"do_sample": True, "top_k": 5}):
        (text,) = captioner.caption([image], decoding)
        assert text and "<" not in text


@pytest.mark.parametrize("make", [new_captioner, new_coca])
def test_captioners_by_folder(captioned, make, tmp_path) -> None:
    model, tokenizer = make(captioned)
    save_captioner(model, tokenizer, tmp_path)
    found = load_captioner(str(tmp_path))
    assert isinstance(found, Captioner) and type(found.model) is type(model)
    ours = Captioner(model, tokenizer).caption_embeds(captioned.image_embeds)
    assert found.caption_embeds(captioned.image_embeds) == ours
    assert isinstance(found.model, FeatureCoCa) is (make is new_coca)


def test_offline_nothing_is_asked_of_the_hub() -> None:
    with pytest.raises(ValueError, match="--profile full"):
        load_captioner("coca_ViT-L-14", local_files_only=True)


def test_what_writes_no_captions(tmp_path, monkeypatch) -> None:
    for name in ("coca_ViT-X", "coca_base", "ViT-B-32"):
        with pytest.raises(ValueError, match="coca_ViT-L-14"):
            OpenClipCaptioner.from_pretrained(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coca_run").mkdir()
    with pytest.raises(ValueError, match="--resume"):
        load_captioner("coca_run", local_files_only=True)
