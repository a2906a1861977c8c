"""The fonts: Noto Serif SC and Noto Sans SC from pylopdf-fonts-zh-cn, Ma Shan Zheng from assets (all SIL OFL)."""

from __future__ import annotations

from pathlib import Path

from pylopdf_fonts_zh_cn import sans_path, serif_path

from helpers.config import ASSETS

BRUSH: Path = ASSETS / "fonts" / "MaShanZheng-subset.ttf"  # 4 MB: the poem card
SERIF: Path = serif_path()  # Noto Serif SC Regular, 11 MB: the card's seal, and what the brush lacks
SANS: Path = sans_path()  # Noto Sans SC Regular, 8 MB: figures


def use_chinese_fonts() -> str:
    """Make matplotlib show Chinese text and minus signs; calling it again does no harm.

    Returns:
        The family name that figures now use.
    """
    import matplotlib  # only figures need it: the command line and the card do without
    from matplotlib import font_manager

    family = "Noto Sans SC"
    if not any(Path(entry.fname) == SANS for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(str(SANS))
    # Two families, not one: matplotlib then takes each glyph that Noto lacks from DejaVu.
    matplotlib.rcParams["font.family"] = [family, "DejaVu Sans"]
    matplotlib.rcParams["axes.unicode_minus"] = True
    return family
