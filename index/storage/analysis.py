"""Words as the lexical index compares them: lowercased, folded to ASCII and stemmed."""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tantivy


def analyse(text: str) -> list[str]:
    """The analysed words of a text, in order."""
    return list(analyzer().analyze(composed(text)))


def composed(text: str) -> str:
    """Text in NFC: a combining accent that is separate from its letter would cut the word in two."""
    return unicodedata.normalize("NFC", text)


@functools.cache
def analyzer() -> tantivy.TextAnalyzer:
    """The tantivy analyser that cuts and compares words. Every opened index has to register it."""
    import tantivy  # late: importing a package should not load it

    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(64))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
