"""Captioners by folder or name, whatever their kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from helpers.captioning import Captioner
from helpers.storage import model_type

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.coca.pretrained import OpenClipCaptioner


def load_captioner(
    name: str, encoder: ImageTextEncoder | None = None, local_files_only: bool = False
) -> Captioner | OpenClipCaptioner:
    """A captioner by its folder (of train clipcap, capdec or coca), or a CoCa by its name in open_clip.

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
    return Captioner.from_pretrained(name, encoder, local_files_only)
