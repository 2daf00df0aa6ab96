"""Train the reader from the embedded MiniLM, and write what qa/reader.py opens.

    python bench/train_reader.py rows --library INDEX --read reddit.json … --news train-news.json --out ROWS
    python bench/train_reader.py train 1 ROWS --out FIRST
    python bench/train_reader.py train 2 ROWS --init FIRST --out SECOND
    python bench/train_reader.py export SECOND

A row is a question, a window of text, and where in it the answer stands, or that it does not. The first
stage learns to read: questions in SQuAD form, each with its passage, half of them also with a passage of
the same file that BM25 finds and that does not answer. The second learns what an asked index brings up:
for each news question its passage, and the nearest other passages of an index of all the stories as "no
answer here"; for each unanswerable one its nearest passages alone; and some rows of the first stage, so
that it is not forgotten. docs/reader.md holds the figures, curve and seed of the weights that ship.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from index.articles import Article
from index.passages import split
from index.tokens import load_encoding
from qa.datasets import read_questions
from qa.question import read_question
from qa.retriever import search

if TYPE_CHECKING:
    from index.library import Library

OWN_QUESTIONS = Path(__file__).with_name("reader_questions.jsonl")
"""Questions of our own about the radio stories: file, question, and where the answer stands in the file."""
SEED = 7
LIMITS = {"qamr": (14_000, 0.25)}
"""By name of a file: how many questions of it, and the share of them with a passage that does not answer."""
SHARE = 0.5
MAX_TOKENS = 256
BATCH_TOKENS = 3000
"""Of one step, padding included."""
RATE = 1e-4
EPOCHS = {1: 0.8, 2: 1.0}
PASSES, NEGATIVES = 2, 3
"""How often the second stage goes over its questions, each time with so many other passages that do not answer."""
REPLAYED = 3000
"""Rows of the first stage that the second goes over again."""


class Row(NamedTuple):
    """A question and a window; the answer is ``text[start:end]``, and ``start`` is -1 where there is none."""

    question: str
    text: str
    start: int
    end: int


# Rows


def first_rows(paths: Sequence[Path]) -> list[Row]:
    """The rows of the first stage, file after file."""
    rng, rows = random.Random(SEED), []
    for path in paths:
        limit, share = LIMITS.get(path.stem, (None, SHARE))
        found = list(_squad_rows(path, limit, share, rng))
        print(f"{path.name}: {len(found)} rows", file=sys.stderr, flush=True)
        rows += found
    return rows


def _squad_rows(path: Path, limit: int | None, share: float, rng: random.Random) -> Iterator[Row]:
    encoding = load_encoding()
    texts: list[str] = []
    asked: list[tuple[str, int, int, int]] = []  # question, number of its passage, start and end there
    for entry in read_questions(path):
        context = entry["context"]
        passages = split(Article(path="", text=context, hash=""), encoding)
        for qa in entry["qas"]:
            for answer in qa["answers"][:1]:
                start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                if context[start:end] != answer["text"]:
                    continue
                for n, passage in enumerate(passages):
                    if passage.start <= start and end <= passage.end:
                        offsets = start - passage.start, end - passage.start
                        asked.append((qa["question"].strip(), len(texts) + n, *offsets))
                        break
        texts += [context[passage.start : passage.end] for passage in passages]
    rng.shuffle(asked)
    near = _nearest(texts)
    for question, at, start, end in asked[:limit]:
        yield Row(question, texts[at], start, end)
        if rng.random() < share:
            answer = texts[at][start:end].lower()
            others = [n for n in near(question) if n != at and answer not in texts[n].lower()]
            if others:
                yield Row(question, texts[others[0]], -1, -1)


def _nearest(texts: Sequence[str]) -> Any:
    """A function from a question to the numbers of the four texts that BM25 finds best."""
    import re

    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(64_000_000, 1)
    for n, text in enumerate(texts):
        document = tantivy.Document()
        document.add_unsigned("id", n)
        document.add_text("text", text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def near(question: str) -> list[int]:
        words = sorted(set(re.findall(r"\w+", question.lower())))
        terms = [(tantivy.Occur.Should, index.parse_query(f'"{word}"', ["text"])) for word in words]
        hits = searcher.search(tantivy.Query.boolean_query(terms), 4).hits
        return [int(number or 0) for number in searcher.fast_field_values("id", [address for _, address in hits])]

    return near


def second_rows(news: Path, library: Library) -> list[list[Row]]:
    """For each question of the second stage its rows, the answering one first and the others by likeness."""
    ids = {article.path: article.id for article in library.articles()}
    names = {Path(path).name: id_ for path, id_ in ids.items()}
    found = []
    for question, name, start, end in [*_news_questions(news), *_own_questions()]:
        article = library.article(names[name]) if name else None
        rows = list(_rows_of(question, article, start, end, library))
        if rows:
            found.append(rows)
    return found


Place = tuple[str, str, int, int]
"""A question, the name of the answering file or nothing, and where the answer stands in it."""


def _news_questions(path: Path) -> Iterator[Place]:
    for entry in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in entry["paragraphs"]:
            context = paragraph["context"].replace("\r\n", "\n")
            for qa in paragraph["qas"]:
                if qa["is_impossible"]:
                    yield qa["question"], "", -1, -1
                    continue
                answer = qa["answers"][0]
                start = answer["answer_start"]
                if context[start : start + len(answer["text"])] != answer["text"]:
                    start = context.find(answer["text"], max(0, start - 30))
                yield qa["question"], entry["title"], start, start + len(answer["text"])


def _own_questions() -> Iterator[Place]:
    for line in OWN_QUESTIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["question"], row.get("file", "") if "start" in row else "", row.get("start", -1), row.get("end", -1)


def _rows_of(question: str, article: Article | None, start: int, end: int, library: Library) -> Iterator[Row]:
    near = list(_near_passages(question, library))
    if article is None:
        yield from (Row(question, other.text[first:last], -1, -1) for other, first, last in near[:8])
        return
    passages = split(article, load_encoding())
    passage = next((p for p in passages if p.start <= start and end <= p.end), None)
    if passage is None:
        return
    yield Row(question, article.text[passage.start : passage.end], start - passage.start, end - passage.start)
    others = [other.text[first:last] for other, first, last in near if (other.id, first) != (article.id, passage.start)]
    answer = article.text[start:end].lower()
    yield from (Row(question, text, -1, -1) for text in [t for t in others if answer not in t.lower()][:8])


def _near_passages(question: str, library: Library) -> Iterator[tuple[Article, int, int]]:
    """The 12 passages of the best sentences by the fused score."""
    seen: set[tuple[int | None, tuple[int, int]]] = set()
    for hit in search(read_question(question, library), library, 60):
        key = hit.article.id, hit.passage
        if key not in seen and len(seen) < 12:
            seen.add(key)
            yield hit.article, *hit.passage


# Training


def rows_to_train(stage: int, file: Path) -> list[Row]:
    """The rows of a stage, shuffled; each epoch shuffles them again."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    first = [Row(*row) for row in kept["first"]]
    rng = random.Random(SEED)
    rows = first
    if stage == 2:
        rows = []
        for group in kept["second"]:
            found = [Row(*row) for row in group]
            answering, others = (found[:1], found[1:]) if found[0].start >= 0 else ([], found)
            for begin in range(0, PASSES * NEGATIVES, NEGATIVES):
                rows += answering + others[begin : begin + NEGATIVES]
        rng.shuffle(first)
        rows += first[:REPLAYED]
    rng.shuffle(rows)
    return rows


class Example(NamedTuple):
    """A row as the network sees it; ``first`` and ``last`` are 0 where nothing answers."""

    ids: list[int]
    types: list[int]
    first: int
    last: int


def example_of(row: Row, tokenizer: Any) -> Example:
    """Token ids of question and window, and the tokens at which the answer begins and ends."""
    pair = tokenizer.encode(row.question, row.text)
    tokens = [
        at
        for at, ((start, end), sequence) in enumerate(zip(pair.offsets, pair.sequence_ids, strict=True))
        if sequence == 1 and row.start >= 0 and end > row.start and start < row.end
    ]
    return Example(pair.ids, pair.type_ids, tokens[0] if tokens else 0, tokens[-1] if tokens else 0)


def batches_of(examples: Sequence[Example], epochs: float) -> list[list[int]]:
    """Positions of the examples of each step: like lengths together, in an order of each epoch's own."""
    plan: list[list[int]] = []
    epoch = 0
    while epoch < epochs:
        rng, order, found = random.Random(epoch), list(range(len(examples))), list[list[int]]()
        rng.shuffle(order)
        for begin in range(0, len(order), 2000):
            batch: list[int] = []
            for at in sorted(order[begin : begin + 2000], key=lambda at: len(examples[at].ids)):
                if batch and (len(batch) + 1) * len(examples[at].ids) > BATCH_TOKENS:
                    found.append(batch)
                    batch = []
                batch.append(at)
            found += [batch] if batch else []
        rng.shuffle(found)
        plan += found[: int(len(found) * min(1.0, epochs - epoch))]
        epoch += 1
    return plan


def train(stage: int, file: Path, start_from: str | None, out: Path) -> None:
    """Train one stage and save the network, as transformers does, and its curve."""
    import torch
    from tokenizers import Tokenizer
    from torch.nn.functional import cross_entropy
    from transformers import BertForQuestionAnswering

    from index.original import packaged_model

    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    network = BertForQuestionAnswering.from_pretrained(
        start_from or str(packaged_model()), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    network.bert.embeddings.requires_grad_(False)  # words that the questions lack keep their places among the others
    examples = [example_of(row, tokenizer) for row in rows_to_train(stage, file)]
    plan = batches_of(examples, EPOCHS[stage])
    print(f"{len(examples)} rows, {sum(len(example.ids) for example in examples)} tokens", flush=True)
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learnt if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=RATE)
    network.train()
    curve, started, seen, average = [], time.monotonic(), 0, 0.0
    for step, batch in enumerate(plan):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, step / 100) * (1 - step / len(plan))
        longest = max(len(examples[at].ids) for at in batch)
        ids, types, mask = (torch.zeros(len(batch), longest, dtype=torch.long) for _ in range(3))
        for row, at in enumerate(batch):
            length = len(examples[at].ids)
            ids[row, :length], types[row, :length] = torch.tensor(examples[at].ids), torch.tensor(examples[at].types)
            mask[row, :length] = 1
        said = network(input_ids=ids, attention_mask=mask, token_type_ids=types)
        losses = [
            cross_entropy(logits.masked_fill(mask == 0, -1e4), torch.tensor(target))
            for logits, target in (
                (said.start_logits, [examples[at].first for at in batch]),
                (said.end_logits, [examples[at].last for at in batch]),
            )
        ]
        loss = (losses[0] + losses[1]) / 2
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        seen += int(mask.sum())
        average = loss.item() if step == 0 else 0.99 * average + 0.01 * loss.item()
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - started
            curve.append({"step": step + 1, "of": len(plan), "loss": round(average, 4), "seconds": round(spent)})
            print(f"{step + 1}/{len(plan)} loss {average:.3f}, {seen / spent:.0f} tokens/s", flush=True)
            network.save_pretrained(out)  # a training that is stopped has taught something
    network.save_pretrained(out)
    (out / "curve.json").write_text(json.dumps(curve), encoding="utf-8")


def export(folder: Path, target: Path) -> None:
    """Write the int8 network and its tokenizer, and print the hashes that qa/reader.py wants."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.encoder import sha256
    from index.exporting import write_int8
    from index.original import packaged_model
    from qa.reader import NETWORK, TOKENIZER

    class Spans(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = BertForQuestionAnswering.from_pretrained(str(folder), attn_implementation="eager")

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            ids, mask, types = inputs
            said = self.network(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return said.start_logits, said.end_logits

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(target / TOKENIZER))
    pairs = [
        tokenizer.encode("Who paid for it?", text) for text in ("The town paid for it all.", "Nobody did. It fell.")
    ]
    rows = [[pair.ids for pair in pairs], [pair.attention_mask for pair in pairs], [pair.type_ids for pair in pairs]]
    width = min(len(row) for row in rows[0])
    inputs = [torch.tensor([row[:width] for row in each]) for each in rows]
    names = ("input_ids", "attention_mask", "token_type_ids")
    write_int8(Spans().eval(), dict(zip(names, inputs, strict=True)), ("starts", "ends"), target / NETWORK)
    for name in (NETWORK, TOKENIZER):
        print(f'    {name}: "{sha256(target / name)}",  # {(target / name).stat().st_size / 1e6:.1f} MB')


def main() -> int:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description="Train the reader.")
    commands = parser.add_subparsers(dest="command", required=True)
    rows = commands.add_parser("rows", help="make the rows of both stages")
    rows.add_argument("--library", type=Path, required=True, help="an index of the stories")
    rows.add_argument("--read", nargs="+", type=Path, required=True, metavar="FILE", help="for the first stage")
    rows.add_argument("--news", type=Path, required=True, metavar="FILE", help="for the second, with our own questions")
    rows.add_argument("--out", type=Path, required=True)
    training = commands.add_parser("train", help="train one stage")
    training.add_argument("stage", type=int, choices=(1, 2))
    training.add_argument("rows", type=Path)
    training.add_argument("--init", help="the network of the first stage")
    training.add_argument("--out", type=Path, required=True)
    exporting = commands.add_parser("export", help="write the int8 network into qa/")
    exporting.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "rows":
        from index.library import open_index

        kept = {"first": first_rows(options.read), "second": second_rows(options.news, open_index(options.library))}
        options.out.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    elif options.command == "train":
        train(options.stage, options.rows, options.init, options.out)
    else:
        export(options.folder, Path(__file__).parents[1] / "qa")
    return 0


if __name__ == "__main__":
    sys.exit(main())
