"""Chinese characters: the test for one, and for a text that is mostly made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache


@cache  # asked for each character of each draft at each step
def is_han(char: str) -> bool:
    """True if `char` is one Chinese character (CJK ideographs with their extensions, and 〇)."""
    ranges = ("\u4e00\u9fff", "\u3400\u4dbf", "\U00020000\U000323af", "\uf900\ufaff", "〇〇")
    return len(char) == 1 and any(first <= char <= last for first, last in ranges)


def is_chinese(text: str) -> bool:
    """True if at least half of the letters are Chinese characters."""
    return mostly(text, is_han)


def mostly(text: str, test: Callable[[str], bool]) -> bool:
    """True if at least half of the letters pass the test; False for a text without letters."""
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and 2 * sum(map(test, letters)) >= len(letters)
