"""What a poem card can be asked for by name; imports nothing, so that the command line starts at once."""

from __future__ import annotations

LAYOUT_NAMES = ("auto", "album", "inscription", "scroll", "fan")  # 册页, 题画诗, 挂轴, 团扇
THEME_NAMES = ("auto", "light", "dark")  # of the paper; in an inscription, of the ground under the ink
