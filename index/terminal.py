"""Text of articles and file names, made fit for one line of a terminal."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Text on one line, without the characters that would steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
