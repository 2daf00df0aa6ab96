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
    """Text with its accents joined to their letters: apart from them, they would cut a word in two."""
    return unicodedata.normalize("NFC", text)


@functools.cache
def analyzer() -> tantivy.TextAnalyzer:
    """What tantivy cuts and compares words with; to be registered with every index that is opened."""
    import tantivy  # late: it is for asking, not for importing

    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(64))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
