"""Which encoder an index gets: the shipped one, or its own, made once on a machine; and never another than its own."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path

import pytest

from index import build, open_index, verify
from index.encoding import int8 as module
from index.encoding import loading
from index.encoding.int8 import make_encoder
from index.encoding.loading import (
    SHIPPED,
    encoder_folder,
    index_encoder,
    load_encoder,
    open_encoder,
    provide_encoder,
    shipped_recipe,
)
from index.encoding.recipe import DEFAULT_MODEL, DESCRIPTION, FOLDER, NETWORK, Recipe, read_recipe, write_recipe
from index.encoding.sentence_transformer import Original, load_original
from index.errors import IndexStateError, ModelError
from index.library import Library
from qa import retrieve
from tests.models import QUESTIONS, SmallModel, inside

pytestmark = pytest.mark.usefixtures("fresh")


@pytest.fixture
def small_index(corpus: Path, tmp_path: Path, small_model: SmallModel) -> Path:
    """An index of the two articles that was made with a small model, and so has an encoder of its own."""
    build(corpus, tmp_path / "small index", model=small_model(tmp_path))
    return tmp_path / "small index"


@pytest.fixture
def small_answers(small_index: Path) -> list[str]:
    """The first sentences that it gives."""
    library = open_index(small_index)
    found = answers(library)
    library.close()
    return found


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model can be loaded, as where the packages for building are not installed."""

    def missing(name: str = DEFAULT_MODEL) -> Original:
        raise ModelError(f"No {name} here.")

    monkeypatch.setattr("index.encoding.sentence_transformer.load_original", missing)


def answers(library: Library) -> list[str]:
    return [retrieve(question, library, k=1)[0].text for question in QUESTIONS]


@pytest.mark.usefixtures("encoder")
def test_an_index_of_the_default_model_holds_no_encoder_and_loads_no_model(
    corpus: Path, tmp_path: Path, own_cache: Path, no_model: None
) -> None:
    index = tmp_path / "index"
    report = build(corpus, index)
    assert (report.added, report.encoder) == (2, str(read_recipe(SHIPPED)))
    assert inside(index) == ["articles.db", "build.lock", "lexical"]
    assert not own_cache.exists()
    library = open_index(index)
    assert library.encoder.identity == library.store.settings.model_hash == read_recipe(SHIPPED).identity
    assert answers(library) == list(QUESTIONS.values())
    library.close()


def test_the_encoder_of_a_model_of_any_name_is_made_once_and_again_if_what_was_kept_is_damaged(
    tmp_path: Path, own_cache: Path, small_model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def noting(original: Original, folder: Path) -> Recipe:
        made.append(original.name)
        return make_encoder(original, folder)

    monkeypatch.setattr(module, "make_encoder", noting)
    shutil.move(small_model(tmp_path), tmp_path / "a name: of “its” own\n")
    monkeypatch.chdir(tmp_path)
    name = "./a name: of “its” own\n"
    indexes = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for index in indexes:
        index.mkdir()
    first = provide_encoder(name, indexes[0])[1]
    (kept,) = own_cache.iterdir()
    with monkeypatch.context() as patch:  # what is kept is used where nothing can be written, too
        real = os.access
        patch.setattr(os, "access", lambda path, mode: Path(path) != own_cache and real(path, mode))
        assert provide_encoder(name, indexes[1])[1] == first
    assert made == [name]

    network = (kept / NETWORK).read_bytes()
    (kept / NETWORK).write_bytes(network[: len(network) // 2])
    folder, again = provide_encoder(name, indexes[2])
    assert made == [name] * 2
    assert again.identity == first.identity
    load_encoder(folder, again.identity)
    assert list(own_cache.iterdir()) == [kept]  # nothing half made is left
    open_encoder(kept, read_recipe(kept))


def test_another_process_may_make_the_same_encoder_meanwhile_and_be_faster(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, small_model: SmallModel
) -> None:
    name = small_model(tmp_path)
    indexes = [tmp_path / "slow", tmp_path / "fast"]
    for index in indexes:
        index.mkdir()

    def slowly(original: Original, folder: Path) -> Recipe:
        monkeypatch.setattr(module, "make_encoder", make_encoder)
        provide_encoder(name, indexes[1])
        return make_encoder(original, folder)

    monkeypatch.setattr(module, "make_encoder", slowly)
    provide_encoder(name, indexes[0])
    (kept,) = own_cache.iterdir()
    identities = set()
    for folder in (kept, *(index / FOLDER for index in indexes)):
        identities.add(open_encoder(folder, read_recipe(folder)).identity)
    assert len(identities) == 1


@pytest.mark.parametrize(
    "how",
    [
        "a file",
        "a folder below a file",
        "not to be written",
    ],
)
def test_without_a_place_to_keep_it_an_encoder_is_made_all_the_same(
    how: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_model: SmallModel
) -> None:
    place = tmp_path / "place"
    if how == "not to be written":  # chmod would not stop root
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place and real(path, mode))
    else:
        place.write_text("mine")
    monkeypatch.setenv("CLIPPINGS_CACHE", str(place / "below" if "below" in how else place))
    name = small_model(tmp_path)
    assert build(corpus, tmp_path / "index", model=name).added == 2

    assert place.read_text() == "mine" if place.is_file() else inside(place) == []
    assert read_recipe(tmp_path / "index" / FOLDER).int8
    assert verify(tmp_path / "index").problems == []


def test_what_a_killed_process_left_beside_an_encoder_goes(tmp_path: Path, small_model: SmallModel) -> None:
    index = tmp_path / "index"
    for name in ("old", "new"):
        (index / f".{FOLDER}-{name}").mkdir(parents=True)
        (index / f".{FOLDER}-{name}" / NETWORK).write_text("half")
    os.utime(index / f".{FOLDER}-old", (0, 0))
    provide_encoder(small_model(tmp_path), index)
    assert inside(index) == [f".{FOLDER}-new", FOLDER]  # the new one may still be filled


# An index and its encoder


def test_an_index_whose_encoder_cannot_be_put_back_is_asked_with_that_of_the_machine(
    small_index: Path, small_answers: list[str]
) -> None:
    shutil.rmtree(small_index / FOLDER)
    (small_index / FOLDER).write_text("in the way")  # chmod would not stop root
    loading.ENCODERS.opened.clear()
    library = open_index(small_index)
    assert answers(library) == small_answers
    library.close()
    assert (small_index / FOLDER).read_text() == "in the way"
    assert [name for name in inside(small_index) if name.startswith(".")] == []


def damage(how: str, folder: Path, other: Path) -> None:
    """Do something to an index's encoder; ``other`` is that of another model's index."""
    network = folder / NETWORK
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "truncated":
        network.write_bytes(network.read_bytes()[:9_999])
    elif how == "another network":
        shutil.copy(other / NETWORK, network)
    elif how == "undescribed":
        (folder / DESCRIPTION).unlink()
    else:
        shutil.rmtree(folder)
        shutil.copytree(other, folder)


DAMAGES = ["deleted", "truncated", "another network", "undescribed", "another encoder"]


@pytest.fixture(scope="module")
def other_encoder(tmp_path_factory: pytest.TempPathFactory, small_model: SmallModel) -> Path:
    """The encoder of another model's index."""
    home = tmp_path_factory.mktemp("other")
    return provide_encoder(small_model(home, seed=8), home)[0]


@pytest.mark.parametrize("how", DAMAGES)
def test_an_encoder_that_is_damaged_is_made_again_from_what_the_machine_keeps(
    how: str, small_index: Path, small_answers: list[str], other_encoder: Path
) -> None:
    before = {name: (small_index / FOLDER / name).read_bytes() for name in inside(small_index / FOLDER)}
    damage(how, small_index / FOLDER, other_encoder)
    loading.ENCODERS.opened.clear()
    library = open_index(small_index)
    assert answers(library) == small_answers
    assert library.encoder.identity == library.store.settings.model_hash
    library.close()
    assert inside(small_index) == ["articles.db", "build.lock", "encoder", "lexical"]
    assert {name: (small_index / FOLDER / name).read_bytes() for name in inside(small_index / FOLDER)} == before
    assert verify(small_index).problems == []


@pytest.mark.parametrize("how", DAMAGES)
def test_an_encoder_that_cannot_be_made_again_is_told_and_no_other_is_used(
    how: str, small_index: Path, other_encoder: Path, own_cache: Path, no_model: None
) -> None:
    damage(how, small_index / FOLDER, other_encoder)
    loading.ENCODERS.opened.clear()
    library = open_index(small_index)
    with pytest.raises(ModelError) as caught:
        retrieve("Who is the mayor?", library)
    library.close()
    folder = small_index / FOLDER
    why = {
        "deleted": f"The encoder in {folder} is missing or damaged (",
        "truncated": f"The encoder in {folder} is damaged (",
        "another network": f"The encoder in {folder} is damaged (model.onnx).",
        "undescribed": f"The encoder in {folder} is missing or damaged (",
    }
    other = f"The encoder in {folder} ({read_recipe(other_encoder).model}) is not the one that the index was made with."
    said = str(caught.value)
    assert said.startswith(why.get(how, other))
    assert f" It cannot be made again: No {library.store.settings.model} here." in said
    assert "\n" not in said


def test_a_damaged_shipped_encoder_says_to_install_again(
    index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "minilm"))
    (copy / NETWORK).write_bytes(b"")
    monkeypatch.setattr(loading, "SHIPPED", copy)
    loading.ENCODERS.opened.clear()
    library = open_index(index_path)
    with pytest.raises(ModelError, match=r"^The encoder in .*minilm is damaged \(.*\)\. Install Clippings again\.$"):
        library.encoder.encode_question("Who is the mayor?")
    library.close()


@pytest.mark.usefixtures("encoder")
def test_a_damaged_description_of_the_shipped_encoder_breaks_only_indexes_made_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = read_recipe(SHIPPED).identity
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "minilm"))
    (copy / DESCRIPTION).write_text("")
    monkeypatch.setattr(loading, "SHIPPED", copy)
    loading.shipped_recipe.cache_clear()
    (tmp_path / FOLDER).mkdir()
    assert encoder_folder(tmp_path, "0" * 64) == tmp_path / FOLDER
    with pytest.raises(ModelError, match=r"minilm is missing or damaged \(.*\)\. Install Clippings again\.$"):
        encoder_folder(tmp_path / "none", identity)


def test_the_description_of_the_shipped_encoder_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = shipped_recipe().identity
    monkeypatch.setattr(loading, "read_recipe", lambda folder: pytest.fail("read again"))
    assert encoder_folder(tmp_path, identity) == SHIPPED


def test_what_a_missing_package_says_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(read_recipe(SHIPPED), identity="0" * 64, int8=False)
    (tmp_path / FOLDER).mkdir()
    write_recipe(recipe, tmp_path / FOLDER)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError) as caught:
        index_encoder(tmp_path, DEFAULT_MODEL, recipe.identity)
    assert str(caught.value) == (
        f"Loading the model {DEFAULT_MODEL!r} needs sentence-transformers. Run: pip install 'clippings[models]'"
    )


def test_the_encoder_of_an_exact_index_is_made_again_without_an_int8_one(
    tmp_path: Path, small_model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_encoder", lambda *_: pytest.fail("made an int8 network"))
    name = small_model(tmp_path)
    identity = load_original(name).recipe(int8=False).identity
    assert provide_encoder(name, tmp_path, identity)[1].identity == identity


@pytest.mark.usefixtures("encoder")
def test_an_index_made_in_int8_does_not_become_an_exact_one(corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(corpus, index)
    with pytest.raises(IndexStateError, match=r"int8 encoder\. For exact encoding, build a second index"):
        build(corpus, index, exact=True)
    assert build(corpus, index).unchanged == 2
