"""Count the tokens of a passage with tiktoken and a vocabulary that ships with Clippings.

These are not the tokens of the embedding model. So passages, and saved references to them, stay the same
when the model changes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ClippingsError

if TYPE_CHECKING:
    import tiktoken

VOCABULARY = Path(__file__).with_name("passage.tiktoken")
VOCABULARY_SHA256 = "d4ab842580f3cc75cdc08905b7b60cd43dc48d10cddfd8d37639936aaf3e125e"
PATTERN = (
    r"['’](?:s|t|d|m|ll|re|ve)\b"
    r"| ?[\p{L}\p{M}]{1,64}"
    r"| ?\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{M}\p{N}]{1,16}"
    r"|\s{1,64}"
)
"""Where text is cut before merging. Every piece has a maximum length: the time of merging grows with the
square of a piece's length, and an article may be one very long line."""


class VocabularyError(ClippingsError):
    """A token vocabulary is unknown, damaged, or cannot be downloaded."""


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts the tokens of a text. Text that looks like a special token counts as ordinary text."""

    name: str
    fingerprint: str
    """Changes whenever counts could change. An index stores it with its passages."""
    encoding: tiktoken.Encoding

    def count_batch(self, texts: Iterable[str]) -> list[int]:
        """The number of tokens of each text."""
        encode = self.encoding.encode_ordinary
        return [len(encode(text)) for text in texts]


@functools.lru_cache
def load_encoding(name: str = "clippings") -> TokenCounter:
    """The token counter called ``name``: the shipped one, or one of tiktoken's encodings.

    Args:
        name: ``clippings``, which is shipped, or an encoding of tiktoken, such as
            ``cl100k_base`` or ``o200k_base``, which tiktoken downloads at first use.

    Raises:
        VocabularyError: there is no such encoding, its file is damaged, or it cannot be downloaded.
    """
    if name == "clippings":
        return TokenCounter(name, _fingerprint(PATTERN, VOCABULARY_SHA256), _shipped())
    # tiktoken checks the hash of what it downloads, so the name alone determines the counts.
    return TokenCounter(name, _fingerprint(name), _named(name))


def read_ranks(path: Path, sha256: str) -> dict[bytes, int]:
    """Read a ``.tiktoken`` file (a token in base64 and its rank on each line) and check its hash.

    tiktoken's own reader would copy the file to a shared temporary folder, and fail if
    ``TIKTOKEN_CACHE_DIR`` is read-only. A local file does not need that.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VocabularyError(
            f"The token vocabulary {path} cannot be read ({error.strerror or error}); install Clippings again."
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise VocabularyError(f"The token vocabulary {path} is damaged; install Clippings again.")
    pairs = (line.split() for line in data.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def _shipped() -> tiktoken.Encoding:
    import tiktoken  # late: it loads a regex engine, and asking does not count tokens

    ranks = read_ranks(VOCABULARY, VOCABULARY_SHA256)
    return tiktoken.Encoding("clippings", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def _named(name: str) -> tiktoken.Encoding:
    import tiktoken  # late: see above

    known = tiktoken.list_encoding_names()
    if name not in known:
        raise VocabularyError(
            f"There is no token vocabulary {name!r}. Use clippings, or one of: {', '.join(sorted(known))}."
        )
    try:
        return tiktoken.get_encoding(name)
    # OSError: no network, or no place to keep the file (the errors of requests are OSErrors too).
    # ValueError: the download has the wrong hash.
    except (OSError, ValueError) as error:
        raise VocabularyError(
            f"The token vocabulary {name!r} is downloaded at first use, and that failed "
            f"({type(error).__name__}). Use clippings, which needs no network, or set TIKTOKEN_CACHE_DIR "
            f"to a folder that holds the file."
        ) from error


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
