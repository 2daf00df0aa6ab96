"""Make the store of a new index, or open one and check that it is the one that is asked for."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from index.encoding.loading import encoder_folder, provide_encoder
from index.encoding.recipe import DEFAULT_MODEL, DESCRIPTION, FOLDER, read_recipe
from index.errors import ClippingsError, IndexStateError, ModelError, OldIndexError
from index.reading.passages import PASSAGE_TOKENS
from index.reading.tokens import load_encoding
from index.storage.database import FILE
from index.storage.rows import Settings
from index.storage.store import Store

MIN_PASSAGE_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What an index is to be. A setting that is None is as it was, or the default if the index is new."""

    directory: Path
    corpus: Path
    model: str | None = None
    encoding: str | None = None
    passage_tokens: int | None = None
    exact: bool = False


def open_or_create(plan: Plan) -> Store:
    """The store of an index directory, made if it is missing. Settings that are given must match the stored ones."""
    if plan.model and Path(plan.model).is_dir():
        plan = replace(plan, model=str(Path(plan.model).resolve()))
    if not (plan.directory / FILE).is_file():
        return create(plan)
    try:
        store = Store.open(plan.directory)
    except OldIndexError as old:
        return _create_over(old, plan)
    try:
        _check_settings(store.settings, plan)
        if store.known():
            _check_corpus(store.corpus, plan)
        if store.corpus != plan.corpus.resolve():
            store.move_corpus(_relative(plan))
    except BaseException:
        store.close()
        raise
    return store


def create(plan: Plan) -> Store:
    """An empty index for a folder of articles. Settings that are not given take their defaults."""
    tokens = plan.passage_tokens
    if tokens is not None and tokens < MIN_PASSAGE_TOKENS:
        raise ClippingsError(f"A passage of {tokens} tokens is too short; give at least {MIN_PASSAGE_TOKENS}.")
    counter = load_encoding(plan.encoding or "clippings")
    plan.directory.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(plan.directory / FOLDER, ignore_errors=True)  # of an earlier index
    _, recipe = provide_encoder(plan.model or DEFAULT_MODEL, plan.directory, int8=not plan.exact)
    settings = Settings(
        model=recipe.model,
        model_hash=recipe.identity,
        dimension=recipe.dimension,
        encoding=counter.name,
        encoding_hash=counter.fingerprint,
        passage_tokens=tokens or PASSAGE_TOKENS,
        corpus=_relative(plan),
    )
    # A lexical index left by an earlier store would look current once this store reaches the same generation.
    shutil.rmtree(plan.directory / "lexical", ignore_errors=True)
    return Store.create(plan.directory, settings)


def _create_over(old: OldIndexError, plan: Plan) -> Store:
    """A new store in the place of one of an earlier format, with its settings where none are asked for."""
    if not old.settings.get("corpus"):
        raise old  # an exported copy: its articles are elsewhere
    _check_corpus((plan.directory.absolute() / old.settings["corpus"]).resolve(), plan)
    return create(
        Plan(
            plan.directory,
            plan.corpus,
            plan.model or old.settings.get("model"),
            plan.encoding or old.settings.get("encoding"),
            plan.passage_tokens or old.settings.get("passage_tokens"),
            plan.exact or _was_exact(plan.directory),
        )
    )


def _was_exact(directory: Path) -> bool:
    """Whether an index of format 2 was built with ``--exact``."""
    try:
        return json.loads((directory / FOLDER / DESCRIPTION).read_text(encoding="utf-8")).get("exported") is False
    except (OSError, ValueError, AttributeError):
        return False


def _check_settings(settings: Settings, plan: Plan) -> None:
    """Raise IndexStateError if an index was made with other settings than those that are given."""
    for name in ("model", "encoding", "passage_tokens"):
        given, stored = getattr(plan, name), getattr(settings, name)
        if given is not None and given != stored:
            raise IndexStateError(
                f"The index at {plan.directory} was made with {name.replace('_', ' ')} {stored!r}, not "
                f"{given!r}. Leave that option out, or build a second index: --index NEW_FOLDER"
            )
    if not plan.exact:
        return
    try:
        int8 = read_recipe(encoder_folder(plan.directory, settings.model_hash)).int8
    except ModelError as error:
        raise IndexStateError(
            f"{error} So it is not known whether the index was made with exact encoding. Leave that option out: "
            "the encoder is made again as it was."
        ) from error
    if int8:
        raise IndexStateError(
            f"The index at {plan.directory} was made with the int8 encoder. For exact encoding, build a second index: "
            "--index NEW_FOLDER"
        )


def _check_corpus(indexed: Path, plan: Plan) -> None:
    """Raise IndexStateError if an index is of another folder, which is still there."""
    if indexed != plan.corpus.resolve() and indexed.is_dir():
        raise IndexStateError(
            f"The index at {plan.directory} holds the articles of {indexed}. To index {plan.corpus}, build a second "
            "index: --index NEW_FOLDER"
        )


def _relative(plan: Plan) -> str:
    """The corpus folder relative to the index, so that the two can be moved together."""
    try:
        return Path(os.path.relpath(plan.corpus.resolve(), plan.directory.resolve())).as_posix()
    except ValueError:  # another drive
        return str(plan.corpus.resolve())
