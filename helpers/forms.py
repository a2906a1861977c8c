"""The two forms of the quatrain (绝句), and how one is printed; without libraries, so that commands start fast."""

from collections.abc import Sequence

FORMS = {"5x4": 5, "7x4": 7}  # characters a line x lines -> characters a line


def punctuated(lines: Sequence[str]) -> str:
    """The four lines of a poem with their punctuation, a couplet a row."""
    first, second, third, fourth = lines
    return f"{first}，{second}。\n{third}，{fourth}。"
