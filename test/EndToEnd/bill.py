"""The closed formula of the communication bill, from a configuration's numbers alone: docs/Reports.md derives it."""

import math
from collections import defaultdict
from dataclasses import dataclass


def parts(size, *splits):
    """Rows of the largest part: ceil at each split in turn."""
    for split in splits:
        size = -(-size // split)
    return size


@dataclass
class Job:
    """What the bill depends on."""

    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    sequence: int
    micro_batch: int
    micro_batches: int  # per optimizer step and rank
    tp: int = 1
    dp: int = 1
    kv_replicator: int = 1
    sequence_parallel: bool = False
    zero1: bool = True
    mixed: bool = False
    recompute: str = "null"  # costs no communication

    @property
    def element(self):
        return 2 if self.mixed else 4

    def parameters(self):
        """(local rows, local columns, kind) of every parameter; kind: "split" over tp, "kv", or "whole"."""
        h, t, shared = self.hidden, self.tp, self.tp // self.kv_replicator
        table = (parts(self.vocabulary, t), h, "split")
        layer = [
            (h, 1, "whole"),
            (parts(self.heads * self.head_dim, t), h, "split"),
            (parts(self.kv_heads * self.head_dim, shared), h, "kv"),
            (parts(self.kv_heads * self.head_dim, shared), h, "kv"),
            (h, parts(self.heads * self.head_dim, t), "split"),
            (h, 1, "whole"),
            (parts(self.intermediate, t), h, "split"),
            (parts(self.intermediate, t), h, "split"),
            (h, parts(self.intermediate, t), "split"),
        ]
        return [table, *(layer * self.layers), (h, 1, "whole"), table]


class Bill:
    """{(group, kind): [calls, input bytes, sent bytes]}."""

    def __init__(self):
        self.totals = defaultdict(lambda: [0, 0, 0])

    def add(self, group, ranks, kind, full, times=1, messages=1):
        """`full`: bytes of the whole tensor."""
        if ranks == 1 or times == 0:
            return
        given = full // ranks if kind == "all_gather" else full
        sent = (2 if kind == "all_reduce" else 1) * (ranks - 1) * full // ranks
        for index, value in enumerate((messages, given, sent)):
            self.totals[group, kind][index] += times * value


def activations(bill, job, times, backward):
    """What one micro-batch moves over tp, `times` times."""
    t = job.tp
    whole = job.micro_batch * job.sequence * job.hidden * job.element
    row = job.micro_batch * job.sequence * 4  # an f32 per token
    if job.sequence_parallel:
        # Each layer: in and out of attention and MLP; the embedding's sum; the logits' input.
        gathers, scatters = 2 * job.layers + 1, 2 * job.layers + 1
        if backward:
            # The same the other way round, and once more for the weight gradients.
            gathers += 4 * job.layers + 2
            scatters += 2 * job.layers + 1
        bill.add("tp", t, "all_gather", whole, times * gathers)
        bill.add("tp", t, "reduce_scatter", whole, times * scatters)
        # The softmax over a split vocabulary: its sum goes to where the tokens are, its logarithm comes back.
        bill.add("tp", t, "reduce_scatter", row, times)
        bill.add("tp", t, "all_gather", row, times)
    else:
        sums = 2 * job.layers + 1
        bill.add("tp", t, "all_reduce", whole, times * sums * (2 if backward else 1))
        bill.add("tp", t, "all_reduce", row, times)
    bill.add("tp", t, "all_reduce", row, times)  # its maximum
    f = job.kv_replicator
    if backward and f > 1:
        # Gradients of shared keys and values meet, and so do those of what they were made of.
        shared = job.micro_batch * job.sequence * parts(job.kv_heads, t // f) * job.head_dim * job.element
        bill.add(copies_of(job), f, "all_reduce", shared, times * 2 * job.layers)
        bill.add(f"tp:(1){t // f}", t // f, "all_reduce", whole, times * job.layers)


def copies_of(job):
    """The group of the ranks that hold the same key/value heads."""
    t, f = job.tp, job.kv_replicator
    return "tp" if f == t else f"tp:({t // f}){f}"


def loss(bill, job):
    """Sum (f64) and number (i64) of the targets, once."""
    both = "dp,tp" if job.dp > 1 and job.tp > 1 else "tp" if job.tp > 1 else "dp"
    bill.add(both, job.tp * job.dp, "all_reduce", 8)
    bill.add("dp", job.dp, "all_reduce", 8)


def gradients(bill, job):
    """Each parameter once: f32 gradients one way, new values the other; those of a kind and group are small enough for one bucket."""
    t, d = job.tp, job.dp
    seen = set()

    def together(group, ranks, kind, full):
        if ranks == 1:
            return
        bill.add(group, ranks, kind, full, messages=0 if (group, kind) in seen else 1)
        seen.add((group, kind))

    for rows, columns, kind in job.parameters():
        ranks = t if kind == "whole" and job.sequence_parallel else 1  # each has seen its part of the sequence
        if job.zero1 and d > 1:
            part = parts(rows, d)
            together("dp", d, "reduce_scatter", 4 * d * part * columns)
            together("tp", ranks, "all_reduce", 4 * part * columns)
            together("dp", d, "all_gather", job.element * d * part * columns)
        else:
            group = ",".join(name for name, size in (("dp", d), ("tp", ranks)) if size > 1)
            together(group, d * ranks, "all_reduce", 4 * rows * columns)


def squares(bill, job):
    """The norm: one f32 for all parameters that are split over the same axes."""
    t, d, f = job.tp, job.dp, job.kv_replicator
    splits = set()
    for _, _, kind in job.parameters():
        axes = []
        if job.zero1 and d > 1:
            axes.append(("dp", d))
        if kind == "split" or (kind == "kv" and f == 1):
            axes.append(("tp", t))
        elif kind == "kv":
            axes.append((f"tp:(1){t // f}", t // f))
        splits.add(tuple((name, size) for name, size in axes if size > 1))
    for axes in splits:
        bill.add(",".join(name for name, _ in axes), math.prod(size for _, size in axes), "all_reduce", 4)


def step_bill(job):
    bill = Bill()
    activations(bill, job, job.micro_batches, backward=True)
    loss(bill, job)
    gradients(bill, job)
    squares(bill, job)
    return {key: tuple(value) for key, value in bill.totals.items()}


def evaluation_bill(job):
    """One global batch."""
    bill = Bill()
    activations(bill, job, job.micro_batches, backward=False)
    loss(bill, job)
    return {key: tuple(value) for key, value in bill.totals.items()}


def state_bytes(job):
    """Parameters, masters, gradients and AdamW's moments on a rank."""
    t, d = job.tp, job.dp
    total = {"param_bytes": 0, "master_bytes": 0, "grad_bytes": 0, "opt_state_bytes": 0}
    for rows, columns, kind in job.parameters():
        whole = rows * columns
        own = parts(rows, d) * columns if job.zero1 else whole
        # A gradient that is a sum over ranks has a second place for the sum.
        is_sum = d > 1 or (kind == "whole" and t > 1 and job.sequence_parallel)
        total["param_bytes"] += job.element * whole
        total["master_bytes"] += 4 * own if job.mixed else 0
        total["grad_bytes"] += 4 * (whole + (own if is_sum else 0))
        total["opt_state_bytes"] += 8 * own
    return total
