"""Train the vocabulary behind ``index/reading/tokens.py`` and write it in tiktoken's file format.

    python -m bench.training.train_tokens --out new.tiktoken corpus /usr/share/common-licenses

Reads the given files and folders, and the prose in the docstrings of Python's standard library and in its
language reference. Only the learnt merges are written. The result depends only on those texts. The script
checks that tiktoken cuts all of them as the trainer did.

Do not retrain the shipped vocabulary: a new one would change the passages of every index.
"""

from __future__ import annotations

import argparse
import ast
import base64
import hashlib
import json
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tiktoken
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from index.reading.tokens import PATTERN

DEFAULT_RANKS = 16_000
"""1.54 tokens per word of radio news, in 250 kB; with 8,000 ranks about 1.7, in 120 kB."""
NEWS_WEIGHT = 8
"""How often the given texts count. They are few compared with the docstrings, and more like articles."""


def main() -> int:
    """Train, check, write, and print a summary."""
    parser = argparse.ArgumentParser(description="Train the passage vocabulary.")
    parser.add_argument("texts", nargs="*", type=Path, help="text files, or folders of them")
    parser.add_argument("--out", type=Path, required=True, help="the .tiktoken file to write")
    parser.add_argument("--ranks", type=int, default=DEFAULT_RANKS, help="size of the vocabulary")
    parser.add_argument("--measure", type=Path, help="a folder of .txt files to count tokens per word in")
    args = parser.parse_args()

    texts = read_texts(args.texts) * NEWS_WEIGHT
    texts += [prose(text) for text in docstrings()] + [prose(text) for text in language_reference()]
    tokenizer = train(texts, args.ranks)
    ranks = ranks_of(tokenizer)
    encoding = tiktoken.Encoding("new", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    for text in texts:
        if encoding.decode_tokens_bytes(encoding.encode_ordinary(text)) != cut(tokenizer, text):
            print(f"tiktoken and the trainer disagree about: {text[:200]!r}", file=sys.stderr)
            return 1

    data = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    args.out.write_bytes(data)
    print(f"{len(texts):,} texts, {sum(map(len, texts)):,} characters")
    print(f"{args.out}: {len(ranks):,} ranks, {len(data):,} bytes")
    print(f"SHA-256 {hashlib.sha256(data).hexdigest()}")
    if args.measure:
        articles = [path.read_text("utf-8") for path in sorted(args.measure.glob("*.txt"))]
        tokens = sum(len(encoding.encode_ordinary(text)) for text in articles)
        print(f"{args.measure}: {tokens / sum(len(text.split()) for text in articles):.3f} tokens per word")
    return 0


def read_texts(paths: Iterable[Path]) -> list[str]:
    """The texts of the given files, and of the files in the given folders, sorted by name."""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [file.read_text("utf-8", errors="ignore") for file in files if file.is_file()]


def docstrings() -> Iterator[str]:
    """Every docstring of the standard library, without its tests."""
    root = Path(sysconfig.get_path("stdlib"))
    left_out = {"site-packages", "test", "tests", "idle_test", "lib2to3"}
    for path in sorted(root.rglob("*.py")):
        if left_out.intersection(path.relative_to(root).parts):
            continue
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""


def language_reference() -> list[str]:
    """The chapters of the language reference that Python's ``help()`` shows."""
    from pydoc_data.topics import topics  # late: half a megabyte that only this function needs

    chapters: dict[str, str] = topics
    return [chapters[name] for name in sorted(chapters)]


def prose(text: str) -> str:
    """The lines of a text that are mostly words, without code, tables and headings."""
    kept = []
    for line in text.splitlines():
        words = line.split()
        plain = sum(word.strip(".,;:()“”\"'").isalpha() for word in words)
        if len(words) >= 5 and plain >= 0.8 * len(words):
            kept.append(" ".join(words))
    return "\n".join(kept)


def train(texts: list[str], ranks: int) -> Any:
    """Train a byte-level BPE tokenizer with ``ranks`` tokens, which include all single bytes."""
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=ranks, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def ranks_of(tokenizer: Any) -> dict[bytes, int]:
    """The ranks of a trained tokenizer in tiktoken's form: the 256 bytes, then the merges in order."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        ranks.setdefault(to_bytes(left + right), len(ranks))
    return ranks


def cut(tokenizer: Any, text: str) -> list[bytes]:
    """The tokens of a text by the trained tokenizer, as bytes."""
    return [to_bytes(token) for token in tokenizer.encode(text).tokens]


def byte_of_symbol() -> dict[str, int]:
    """The byte for each of the 256 printable characters that represent bytes in training.

    A byte that is a printable Latin-1 character represents itself. The others are numbered in order from
    U+0100.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


SYMBOLS = byte_of_symbol()


def to_bytes(token: str) -> bytes:
    """The bytes of a token that is written in byte symbols."""
    return bytes(SYMBOLS[symbol] for symbol in token)


if __name__ == "__main__":
    sys.exit(main())
