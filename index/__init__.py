"""The index: builds it from articles, opens it, checks it and exports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.builder import BuildReport, add, add_text, build, remove
    from index.checking import verify
    from index.exporting import export_index
    from index.library import Library, default_library, open_index

__all__ = [
    "BuildReport",
    "Library",
    "add",
    "add_text",
    "build",
    "default_library",
    "export_index",
    "open_index",
    "remove",
    "verify",
]

_HOMES = {
    "BuildReport": "builder",
    "Library": "library",
    "add": "builder",
    "add_text": "builder",
    "build": "builder",
    "default_library": "library",
    "export_index": "exporting",
    "open_index": "library",
    "remove": "builder",
    "verify": "checking",
}


def __getattr__(name: str) -> Any:
    """Import on first use: opening an index should not wait for modules that only building needs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'index' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"index.{_HOMES[name]}"), name)
