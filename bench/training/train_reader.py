"""Train the reader from the shipped MiniLM, and write the network that qa/reader.py opens.

    python -m bench.training.train_reader rows --library INDEX --long INDEX --train FOLDER --news train-news.json \
        --more FOLDER --out ROWS
    python -m bench.training.train_reader train 1 ROWS --out FIRST
    python -m bench.training.train_reader train 2 ROWS --init FIRST --out SECOND        (and so on to the last stage)
    python -m bench.training.train_reader export LAST

A row is a question, a window of text, and where the answer is in it, if anywhere. The rows of one question
are a group. The network learns where the answer is over all windows of a group at once, and "no answer" is
one more place (shared normalisation: Clark & Gardner 2018, section 3.2). So scores of different windows are
comparable, which ranking sentences of many passages needs. A window of an article is a clipping, made by the
same function as for asking: the header of the article and a passage (``qa.clipping``). Groups come in eight parts:

- ``read``: questions in SQuAD form, each with its passage; half of them also with a passage found by BM25;
- ``sentences``: questions about one sentence, shown among other sentences of the same collection;
- ``paragraphs``: our own paragraphs and questions, with near misses;
- ``news``: questions about the radio stories, existing ones and our own, each with the passages that an
  index of all stories finds;
- ``clippings``: our own questions about long articles, each with other passages of its article and of others;
- ``later``: the same about the collections that were written later;
- ``more``: natural questions from public sources, each with the other windows of its text;
- ``yes-no``: natural questions for yes or no, each with a text that decides it.

The script makes one more part, ``held out``, for ``bench.training.measure_reader``; it is not trained on.

docs/reader.md has the figures, the curve and the seed of the shipped weights.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.training.export_reader import export
from bench.training.reader_rows import SEED, Group, Row, rows_of_all

if TYPE_CHECKING:
    import torch


MAX_TOKENS = 384
BATCH_TOKENS = 3000
"""Tokens of one step of one worker, padding included."""
RATE = {1: 1e-4, 2: 1e-4, 3: 1e-4, 4: 1e-4, 5: 6e-5, 6: 6e-5, 7: 6e-5}
STAGES: dict[int, dict[str, tuple[float, int]]] = {
    1: {"read": (0.8, 1), "sentences": (0.3, 0)},
    2: {"news": (2, 3), "read": (0.08, 1)},
    3: {"read": (0.3, 0), "sentences": (0.15, 0), "news": (0.3, 1)},
    4: {"paragraphs": (1.5, 2), "news": (1, 3), "read": (0.08, 1), "sentences": (0.03, 0)},
    5: {
        "clippings": (2, 3),
        "news": (0.34, 2),
        "more": (1, 2),
        "paragraphs": (0.2, 2),
        "read": (0.02, 1),
        "sentences": (0.005, 0),
    },
    6: {
        "clippings": (1, 3),
        "news": (0.5, 2),
        "more": (0.6, 2),
        "yes-no": (0.4, 0),
        "paragraphs": (0.15, 2),
        "read": (0.02, 1),
    },
    7: {"later": (2, 3), "clippings": (0.3, 3), "news": (0.15, 2), "more": (0.1, 2), "yes-no": (0.1, 0)},
}
"""For each stage and part: the number of passes over its questions, and the most windows without an answer that a
question gets in a pass. Each pass uses other windows."""
DROPOUT = {1: 0.0, 2: 0.0, 3: 0.1, 4: 0.0, 5: 0.1, 6: 0.1, 7: 0.1}


def groups_to_train(stage: int, parts: dict[str, list[Group]]) -> list[Group]:
    """The groups of a stage: the passes over each part, each with the next windows that do not answer."""
    rng = random.Random(SEED + stage)
    groups: list[Group] = []
    for part, (passes, windows) in STAGES[stage].items():
        for turn in range(math.ceil(passes)):
            turn_groups = parts[part]
            if passes - turn < 1:
                turn_groups = rng.sample(turn_groups, int((passes - turn) * len(turn_groups)))
            for group in turn_groups:
                answering = 1 if group[0].start >= 0 else 0
                others = group[answering:]
                rest = others[turn * windows :] + others[: turn * windows]
                groups.append(group[:answering] + rest[: max(windows, 1 - answering)])
    rng.shuffle(groups)
    return groups


class Example(NamedTuple):
    """A row as input of the network. Both lists are empty if the window does not answer."""

    ids: list[int]
    types: list[int]
    firsts: list[int]
    """The tokens at which the answer may begin."""
    lasts: list[int]
    """The tokens at which it may end."""


def example_of(row: Row, tokenizer: Any) -> Example:
    """The token ids of question and window, and the possible first and last tokens of the answer."""
    pair = tokenizer.encode(row.question, row.text)
    tokens = [
        at
        for at, ((start, end), sequence) in enumerate(zip(pair.offsets, pair.sequence_ids, strict=True))
        if sequence == 1 and row.start >= 0 and end > row.start and start < row.end
    ]
    if row.inside:
        return Example(pair.ids, pair.type_ids, tokens, tokens)
    return Example(pair.ids, pair.type_ids, tokens[:1], tokens[-1:])


def batches_of(examples: Sequence[Sequence[Example]]) -> list[list[int]]:
    """Positions of the groups of each step. Groups of similar length go together; the steps are shuffled."""
    longest = [max(len(example.ids) for example in group) for group in examples]
    steps: list[list[int]] = []
    for begin in range(0, len(examples), 2000):
        batch: list[int] = []
        rows = 0
        for at in sorted(range(begin, min(begin + 2000, len(examples))), key=lambda at: longest[at]):
            if batch and (rows + len(examples[at])) * longest[at] > BATCH_TOKENS:
                steps.append(batch)
                batch, rows = [], 0
            batch.append(at)
            rows += len(examples[at])
        steps += [batch] if batch else []
    random.Random(SEED).shuffle(steps)
    return steps


def loss_of(logits: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """The mean over groups of the negative log-probability of the right places among all places of the group.

    A place is a token of any window of the group, or "no answer". The score of a token is its logit minus that of the
    window's first token; the score of "no answer" is 0. With one window in each group, this is the usual loss.

    Args:
        logits: for each token, the logit of being the start (or the end) of the answer, shape (rows, tokens).
        mask: 1 for real tokens and 0 for padding, same shape.
        wanted: true for the right tokens, same shape; only one row of a group may have any. If none has, "no answer"
            is right.
        groups: the number of each row's group, from 0, shape (rows,).
    """
    import torch

    scores = (logits - logits[:, :1]).masked_fill(mask == 0, -torch.inf)[:, 1:]
    count = int(groups.max()) + 1
    highest = torch.zeros(count).scatter_reduce(0, groups, scores.detach().amax(1), "amax")
    summed = torch.zeros(count).index_add(0, groups, (scores - highest[groups, None]).exp().sum(1))
    total = highest + (summed + (-highest).exp()).log()
    answering = wanted.any(1)
    reached = scores[answering].masked_fill(~wanted[answering, 1:], -torch.inf).logsumexp(1)
    right = torch.zeros(count).index_add(0, groups[answering], reached)
    return (total - right).mean()


def tensors_of(batch: Sequence[Sequence[Example]]) -> dict[str, torch.Tensor]:
    """The inputs of the network and of ``loss_of`` for a batch of groups: ids, types, mask, firsts, lasts, groups."""
    import torch

    rows = [example for group in batch for example in group]
    shape = len(rows), max(len(row.ids) for row in rows)
    ids, types, mask = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    firsts, lasts = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    for n, row in enumerate(rows):
        length = len(row.ids)
        ids[n, :length], types[n, :length], mask[n, :length] = torch.tensor(row.ids), torch.tensor(row.types), 1
        firsts[n, row.firsts], lasts[n, row.lasts] = True, True
    groups = torch.tensor([n for n, group in enumerate(batch) for _ in group])
    return {"ids": ids, "types": types, "mask": mask, "firsts": firsts, "lasts": lasts, "groups": groups}


class Job(NamedTuple):
    """What one run of training needs."""

    stage: int
    rows: Path
    start_from: str | None
    out: Path
    minutes: float | None
    """The time limit; None trains all steps."""
    workers: int
    """The number of processes, one core each."""


def train(worker: int, job: Job) -> None:
    """Train one stage as one of several workers; the first saves the network in transformers' format, and the curve.

    Each worker has its own batches, and the gradients are averaged. On a busy machine this is several times as fast as
    sharing each operation between the cores, where each waits for the other.
    """
    import torch
    import torch.distributed as distributed
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.encoding.sentence_transformer import packaged_model

    torch.set_num_threads(1)
    torch.manual_seed(SEED + worker)
    job.out.mkdir(parents=True, exist_ok=True)
    meeting = f"file://{(job.out / 'meeting').absolute()}"
    distributed.init_process_group("gloo", init_method=meeting, rank=worker, world_size=job.workers)
    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    network = BertForQuestionAnswering.from_pretrained(
        job.start_from or str(packaged_model()),
        hidden_dropout_prob=DROPOUT[job.stage],
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    network.bert.embeddings.requires_grad_(False)  # so words missing from training keep their places
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    stored = json.loads(job.rows.read_text(encoding="utf-8"))
    parts = {part: [[Row(*row) for row in group] for group in groups] for part, groups in stored.items()}
    examples = [[example_of(row, tokenizer) for row in group] for group in groups_to_train(job.stage, parts)]
    plan = batches_of(examples)
    plan = plan[worker : len(plan) // job.workers * job.workers : job.workers]
    if worker == 0:
        tokens = sum(len(example.ids) for group in examples for example in group)
        print(f"{len(examples)} groups, {sum(map(len, examples))} rows, {tokens} tokens, {len(plan)} steps", flush=True)
    for parameter in learnt:  # a new head is random, and must be the same for all workers
        distributed.broadcast(parameter.data, 0)
    weights = [
        {"params": [p for p in learnt if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(weights, lr=RATE[job.stage])
    network.train()
    curve, started, seen, average, done = [], time.monotonic(), 0, 0.0, 0.0
    for step, batch in enumerate(plan):
        for param_group in optimiser.param_groups:
            param_group["lr"] = RATE[job.stage] * min(1, step / 100) * (1 - done)
        tensors = tensors_of([examples[at] for at in batch])
        mask, groups = tensors["mask"], tensors["groups"]
        with torch.autocast("cpu", torch.bfloat16):
            output = network(input_ids=tensors["ids"], attention_mask=mask, token_type_ids=tensors["types"])
        starts = loss_of(output.start_logits.float(), mask, tensors["firsts"], groups)
        ends = loss_of(output.end_logits.float(), mask, tensors["lasts"], groups)
        loss = (starts + ends) / 2
        optimiser.zero_grad()
        loss.backward()
        spent = time.monotonic() - started
        done = max((step + 1) / len(plan), spent / 60 / job.minutes if job.minutes else 0)
        figures = torch.tensor([loss.item(), done, int(mask.sum())])
        flat = torch.cat([*(p.grad.flatten() for p in learnt), figures]) / job.workers
        distributed.all_reduce(flat)
        for parameter, part in zip(learnt, flat[:-3].split([p.numel() for p in learnt]), strict=True):
            parameter.grad = part.view_as(parameter)
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        mean, done, tokens_here = flat[-3:].tolist()
        seen += round(tokens_here * job.workers)
        average = mean if step == 0 else 0.98 * average + 0.02 * mean
        if worker == 0 and ((step + 1) % 50 == 0 or done >= 1):
            curve.append({"step": step + 1, "tokens": seen, "loss": round(average, 4), "seconds": round(spent)})
            print(f"{step + 1}, {done:.0%}, loss {average:.3f}, {seen / spent:.0f} tokens/s", flush=True)
            network.save_pretrained(job.out)  # keeps the progress if training is stopped
            (job.out / "curve.json").write_text(json.dumps(curve), encoding="utf-8")
        if done >= 1:
            break
    distributed.destroy_process_group()


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(description="Train the reader.")
    commands = parser.add_subparsers(dest="command", required=True)
    rows = commands.add_parser("rows", help="make the rows of all parts")
    rows.add_argument("--library", type=Path, required=True, help="an index of the stories")
    rows.add_argument("--long", type=Path, required=True, help="an index of the collections of long articles")
    rows.add_argument("--more", type=Path, required=True, metavar="FOLDER", help="folder of the public sources")
    rows.add_argument("--train", type=Path, required=True, metavar="FOLDER", help="folder of files in SQuAD form")
    rows.add_argument("--news", type=Path, required=True, metavar="FILE", help="questions about the stories")
    rows.add_argument("--out", type=Path, required=True)
    training = commands.add_parser("train", help="train one stage")
    training.add_argument("stage", type=int, choices=tuple(STAGES))
    training.add_argument("rows", type=Path)
    training.add_argument("--init", help="the network of the stage before")
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--minutes", type=float, help="the time limit")
    training.add_argument("--workers", type=int, default=2, help="the number of processes")
    exporting = commands.add_parser("export", help="write the int8 network")
    exporting.add_argument("folder", type=Path)
    exporting.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "qa", help="folder; qa/ by default")
    options = parser.parse_args()
    if options.command == "rows":
        from index.library import open_index

        long = open_index(options.long)
        parts = rows_of_all(options.train, options.news, open_index(options.library), options.more, long)
        for part, groups in parts.items():
            print(f"{part}: {len(groups)} questions, {sum(group[0].start >= 0 for group in groups)} with an answer")
        options.out.write_text(json.dumps(parts, ensure_ascii=False), encoding="utf-8")
    elif options.command == "train":
        import torch.multiprocessing

        job = Job(options.stage, options.rows, options.init, options.out, options.minutes, options.workers)
        (options.out / "meeting").unlink(missing_ok=True)
        torch.multiprocessing.spawn(train, (job,), nprocs=options.workers)
    else:
        export(options.folder, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
