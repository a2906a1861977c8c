"""An interrogated picture's answer as a page shows it: the prompt, how it grew, and each table's phrases as bars."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.captioning import Interrogation, ScoredPhrase

FULL = 6.0  # standard deviations that fill a bar


def answer_html(found: Interrogation) -> str:
    """All of it, with a bar for each phrase: its length is the score, from 0 to `FULL`."""
    from helpers.keywords import CHINESE, FLAWS, load_phrases  # brings NumPy: the page is up before the models are

    glosses = {phrase.text: phrase.gloss for phrase in load_phrases()}
    tables = "".join(
        f"<section><h4>{CHINESE[table]} {table}</h4>{''.join(bar(link, glosses) for link in row)}</section>"
        for table, row in found.tables.items()
        if table != FLAWS
    )
    chain = "".join(f"<li>{escape(link.phrase)} <small>{link.score:+.2f}</small></li>" for link in found.chain)
    grown = f"<ol>{chain}</ol>" if chain else ""
    return f'<div class="answer"><p>{escape(found.prompt)}</p>{grown}<div class="tables">{tables}</div></div>'


def bar(link: ScoredPhrase, glosses: dict[str, str]) -> str:
    """A phrase with its gloss, its bar and its score."""
    width = 100 * min(max(link.score / FULL, 0), 1)
    gloss = escape(glosses.get(link.phrase, ""))
    name, length = f"<span>{escape(link.phrase)}</span>", f'<i><b style="width:{width:.0f}%"></b></i>'
    return f'<div class="phrase" title="{gloss}">{name}{length}<small>{link.score:.1f}</small></div>'
