"""The shipped networks give the numbers kept in golden.json, on whatever machine this runs.

python -m tests.index.encoding.test_golden      (writes golden.json again, after new weights)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.encoding.encoder import TokenEncoder
from index.encoding.loading import SHIPPED, load_encoder
from index.encoding.recipe import NETWORK
from index.encoding.sentence_transformer import Original
from index.encoding.windows import PassageText
from qa.reader import NETWORK as READER
from qa.reader import Reader, load_reader
from tests.conftest import BRIDGE, HARVEST
from tests.running import ROOT

GOLDEN = Path(__file__).with_name("golden.json")
QUESTIONS = (
    "What did the works cost?",
    "who is the mayor",
    "How many farms did the frost hit?",
    "Why was the bridge shut?",
)
TOLERANCE = 1e-3


def passages() -> list[PassageText]:
    """The bodies of the two articles; their paragraphs stand for sentences."""
    texts = [article.partition("\n\n")[2] for article in (BRIDGE, HARVEST)]
    return [
        PassageText(text, tuple((text.index(part), text.index(part) + len(part)) for part in text.split("\n\n")))
        for text in texts
    ]


def vectors(encoder: TokenEncoder) -> dict[str, Any]:
    encoded = encoder.encode_passages(passages())
    return {
        "questions": encoder.encode_questions(QUESTIONS).tolist(),
        "passages": [one.passage.tolist() for one in encoded],
        "sentences": [row for one in encoded for row in one.sentences.tolist()],
    }


def readings(reader: Reader) -> list[Any]:
    """Of each question in each passage and sentence: where the best span stands, and its score."""
    found = [reader.read(question, passages()) for question in QUESTIONS]
    return [[*one.spans[0], one.score] for windows in found for window in windows for one in window]


def test_the_encoder_gives_the_golden_vectors(encoder: TokenEncoder) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, rows in vectors(encoder).items():
        np.testing.assert_allclose(rows, golden[name], atol=TOLERANCE, rtol=0)


def test_the_reader_gives_the_golden_spans_and_scores(reader: Reader) -> None:
    golden = np.array(json.loads(GOLDEN.read_text(encoding="utf-8"))["readings"])
    found = np.array(readings(reader))
    assert found[:, :2].tolist() == golden[:, :2].tolist()
    np.testing.assert_allclose(found[:, 2], golden[:, 2], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("path", [SHIPPED / NETWORK, ROOT / "qa" / READER], ids=["encoder", "reader"])
def test_no_kernel_can_overflow(path: Path) -> None:
    """Of two products of a weight and an 8-bit input, the sum fits 16 bits: that is what AVX2 without VNNI adds in."""
    import onnx

    graph = onnx.load(str(path)).graph
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    multiplied = [
        weights[name]
        for node in graph.node
        if "MatMulInteger" in node.op_type
        for name in node.input
        if name in weights
    ]
    eight_bit = [weight for weight in multiplied if weight.dtype == np.int8 and weight.ndim == 2]
    assert len(eight_bit) >= 36  # six layers of six matrices
    highest = max(int(np.abs(weight.astype(int)).max()) for weight in eight_bit)
    assert highest <= 64
    assert 2 * 255 * highest < 2**15
    kinds = {node.op_type for node in graph.node}
    assert kinds.isdisjoint({"Softmax", "LayerNormalization"})  # they round differently from one processor to another


def test_the_shipped_encoder_is_the_model_it_says(encoder: TokenEncoder, original: Original) -> None:
    texts = [passage.text for passage in passages()]
    cosines = [
        (encoder.encode_questions(QUESTIONS) * original.encode(QUESTIONS, question=True)).sum(axis=1),
        (np.stack([one.passage for one in encoder.encode_passages(passages())]) * original.encode(texts)).sum(axis=1),
    ]
    assert np.concatenate(cosines).min() >= 0.99


if __name__ == "__main__":
    encoder = load_encoder(SHIPPED)
    assert isinstance(encoder, TokenEncoder)
    kept = {name: np.round(rows, 6).tolist() for name, rows in vectors(encoder).items()}
    GOLDEN.write_text(
        json.dumps({**kept, "readings": [[*row[:2], round(row[2], 5)] for row in readings(load_reader())]}) + "\n"
    )
