"""Captioners and encoders by folder or name, whatever their kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from helpers.captioning import Captioner
from helpers.storage import is_hub_id, kind_of, model_type

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.coca.blip import BlipCaptioner
    from helpers.coca.pretrained import OpenClipCaptioner, OpenClipEncoder


def load_captioner(
    name: str, encoder: ImageTextEncoder | None = None, local_files_only: bool = False
) -> Captioner | OpenClipCaptioner | BlipCaptioner:
    """A captioner by its folder (of train clipcap, capdec or coca), a BLIP, or a CoCa by its name in open_clip.

    Raises ValueError for another width than the encoder's, for damaged files, and for a CoCa by name with
    `local_files_only`.
    """
    kind = model_type(name)
    if kind == "feature_coca":
        from helpers.coca.model import FeatureCoCa  # takes seconds to import

        return Captioner.from_pretrained(name, encoder, local_files_only, FeatureCoCa)
    if kind is None and Path(name).is_dir():
        raise ValueError(f"{name}: no captioner in it (a training that was killed goes on with --resume)")
    if kind is None and name.startswith("coca"):
        if local_files_only:
            raise ValueError(f"{name}: its weights are on the hub, and the profile is offline: take --profile full")
        from helpers.coca.pretrained import OpenClipCaptioner

        return OpenClipCaptioner.from_pretrained(name)
    if kind is None and is_hub_id(name):
        kind = kind_of(name, local_files_only)
    if kind == "blip":
        from helpers.coca.blip import BlipCaptioner

        return BlipCaptioner.from_pretrained(name, local_files_only)
    return Captioner.from_pretrained(name, encoder, local_files_only)


def load_encoder(name: str, local_files_only: bool = False) -> ImageTextEncoder | OpenClipEncoder:
    """An image-text model: of ours or a Chinese CLIP (folder or hub id), or open_clip's (ViT-B-32/openai).

    Raises ValueError for any other, and for one of open_clip's with `local_files_only`.
    """
    from helpers.chinese_clip import ImageTextEncoder

    if is_hub_id(name):
        from helpers.coca.beams import open_clip  # takes seconds to import

        if tuple(name.split("/")) in open_clip.list_pretrained():
            if local_files_only:
                raise ValueError(f"{name}: its weights are on the hub, and the profile is offline: take --profile full")
            from helpers.coca.pretrained import OpenClipEncoder

            return OpenClipEncoder.from_pretrained(name)
    return ImageTextEncoder.from_pretrained(name, local_files_only=local_files_only)
