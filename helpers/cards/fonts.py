"""The fonts: Noto Serif SC and Noto Sans SC from pylopdf-fonts-zh-cn, Ma Shan Zheng from assets (all SIL OFL)."""

from __future__ import annotations

from pathlib import Path

from pylopdf_fonts_zh_cn import sans_path, serif_path

from helpers.config import ASSETS

BRUSH: Path = ASSETS / "fonts" / "MaShanZheng-subset.ttf"  # 4 MB: the poem card
SERIF: Path = serif_path()  # Noto Serif SC Regular, 11 MB: the card's seal, and what the brush lacks
SANS: Path = sans_path()  # Noto Sans SC Regular, 8 MB: figures
