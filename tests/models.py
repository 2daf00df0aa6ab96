"""Small models of random weights, kept in a folder as any sentence-transformers model is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from index.encoding.sentence_transformer import packaged_model

SmallModel = Callable[..., str]
PROMPTS = {"query": "query: ", "document": "a passage of news: "}


def make_model(
    folder: Path,
    pooling: str = "mean",
    prompts: Mapping[str, str] | None = None,
    *,
    seed: int = 7,
    spread: float = 0.15,
) -> str:
    """Make a model of two layers, 64 dimensions and 64 tokens, and return its folder.

    Args:
        folder: for it and what it is made of.
        pooling: how token vectors become a text's.
        prompts: before questions and documents.
        seed: of its weights.
        spread: how large they are. With the default, texts get vectors well apart and int8 keeps them; 4.0 is
            more than int8 can keep.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(packaged_model())
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        initializer_range=spread,
    )
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=64)
    model = SentenceTransformer(
        modules=[transformer, Pooling(64, pooling)], device="cpu", prompts=dict(prompts) if prompts else None
    )
    model.save(str(folder / "model"))
    return str(folder / "model")
