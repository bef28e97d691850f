"""Which strategies the equivalence table has: its factors, what is not legal and why, and a small pairwise cover."""

import dataclasses
import itertools
import json
import random
from functools import cached_property
from pathlib import Path

MESHES = [(1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (1, 4), (2, 2), (4, 2)]
# (pp, vpp, tp, dp), up to 8 ranks.
PIPELINES = [
    (pp, vpp, tp, dp) for pp, vpp, tp, dp in itertools.product((2, 4), (1, 2), (1, 2), (1, 2)) if pp * tp * dp <= 8
]  # fmt: skip
RECOMPUTATION = ["off", "selective", "full"]
MICRO_BATCH_SIZES = [1, 2]
RECOMPUTED_CLASSES = "[CoreAttention,LlamaMLP]"


class Case:
    """A reference run (test/EndToEnd/README.md) and what of it decides which strategies are legal."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.name = self.folder.name
        self.model = json.loads((self.folder / "hf" / "config.json").read_text())
        expected = json.loads((self.folder / "expected.json").read_text())
        self.steps = len(expected["steps"])
        self.global_batch = expected["run"]["gbs"]

    @cached_property
    def names_kv_replicator(self):
        return "\n  kv_replicator:" in (self.folder / "config.yaml").read_text()

    def kv_replicator(self, tp):
        """How many ranks hold each kv head: the smallest legal number."""
        heads = self.model["num_key_value_heads"]
        return next((f for f in range(1, tp + 1) if tp % f == 0 and heads * f % tp == 0), None)


@dataclasses.dataclass(frozen=True)
class Strategy:
    tp: int
    dp: int
    zero1: bool
    sequence_parallel: bool
    recomputation: str
    micro_batch_size: int
    pp: int = 1
    vpp: int = 1

    @property
    def mesh(self):
        return (self.pp, self.vpp, self.tp, self.dp)

    @property
    def ranks(self):
        return self.pp * self.tp * self.dp

    def __str__(self):
        stages = f"pp {self.pp} x vpp {self.vpp} x " if self.pp > 1 else ""
        return (
            f"{stages}tp {self.tp} x dp {self.dp}, zero1 {'on' if self.zero1 else 'off'}, sequence parallel {'on' if self.sequence_parallel else 'off'}, "
            f"recomputation {self.recomputation}, micro-batch {self.micro_batch_size}"
        )

    def folder(self, case):
        flags = f"{'z' if self.zero1 else '-'}{'s' if self.sequence_parallel else '-'}"
        stages = f"-pp{self.pp}-vpp{self.vpp}" if self.pp > 1 else ""
        return f"{case.name}{stages}-tp{self.tp}-dp{self.dp}-{flags}-{self.recomputation}-b{self.micro_batch_size}"

    def overrides(self, case):
        """The command line that gives a case this strategy."""
        overrides = [
            f"trainer.devices={self.ranks}",
            f"distributed_strategy.tensor_model_parallel_size={self.tp}",
            f"distributed_strategy.zero1={self.zero1}",
            f"distributed_strategy.sequence_parallel={self.sequence_parallel}",
            f"data.micro_batch_size={self.micro_batch_size}",
        ]
        if self.pp > 1:
            overrides += [
                f"distributed_strategy.pipeline_model_parallel_size={self.pp}",
                f"++distributed_strategy.virtual_pipeline_model_parallel_size={self.vpp}",
            ]
        if self.recomputation != "off":
            overrides.append(f"++model.activations_checkpoint_granularity={self.recomputation}")
        if self.recomputation == "selective":
            overrides.append(f"++model.activations_checkpoint_recompute={RECOMPUTED_CLASSES}")
        if case.names_kv_replicator:
            # Both ways to ask for the same: the factor by name, and none, so that it is found.
            found = "~distributed_strategy.kv_replicator"
            named = f"distributed_strategy.kv_replicator={case.kv_replicator(self.tp)}"
            overrides.append(named if self.zero1 else found)
        return overrides


def why_illegal(case, strategy):
    """Why the case cannot run so; None where it can."""
    tp, heads = strategy.tp, case.model["num_attention_heads"]
    if heads % tp:
        return f"{heads} attention heads do not divide by tp {tp}"
    if case.kv_replicator(tp) is None:
        return f"no replication of {case.model['num_key_value_heads']} kv heads divides by tp {tp}"
    if case.global_batch % (strategy.micro_batch_size * strategy.dp):
        return f"a global batch of {case.global_batch} does not divide by micro-batch {strategy.micro_batch_size} x dp {strategy.dp}"
    micro_batches = case.global_batch // (strategy.micro_batch_size * strategy.dp)
    layers, chunks = case.model["num_hidden_layers"], strategy.pp * strategy.vpp
    if chunks > layers:
        return f"{layers} layers are fewer than pp {strategy.pp} x vpp {strategy.vpp}"
    if micro_batches < strategy.pp:
        return f"{micro_batches} micro-batches are fewer than pp {strategy.pp}"
    if strategy.vpp > 1 and micro_batches % strategy.pp:
        return f"{micro_batches} micro-batches do not divide by pp {strategy.pp}, which interleaving needs"
    return None


def product(cases, pipelines=False):
    """([(case, strategy)] that are legal, {reason and case: number of combinations left out})."""
    meshes = PIPELINES if pipelines else [(1, 1, *mesh) for mesh in MESHES]
    runs, left_out = [], {}
    for case in cases:
        for (pp, vpp, tp, dp), zero1, sp, recomputation, size in itertools.product(
            meshes, (True, False), (True, False), RECOMPUTATION, MICRO_BATCH_SIZES
        ):
            strategy = Strategy(tp, dp, zero1, sp, recomputation, size, pp, vpp)
            reason = why_illegal(case, strategy)
            if reason is None:
                runs.append((case, strategy))
            else:
                key = f"{case.name}: {reason}"
                left_out[key] = left_out.get(key, 0) + 1
    return runs, left_out


def pairs_of(case, strategy):
    """The pairs of levels that a run covers, but case x mesh: those alone would be forty runs.

    With a pipeline the four sizes are factors of their own; each mesh has a run all the same (see cover).
    """
    sizes = [(name, getattr(strategy, name)) for name in ("pp", "vpp", "tp", "dp")]
    levels = [
        ("case", case.name),
        *(sizes if strategy.pp > 1 else [("mesh", strategy.mesh)]),
        ("zero1", strategy.zero1),
        ("sequence_parallel", strategy.sequence_parallel),
        ("recomputation", strategy.recomputation),
        ("micro_batch_size", strategy.micro_batch_size),
    ]
    return {pair for pair in itertools.combinations(levels, 2) if (pair[0][0], pair[1][0]) != ("case", "mesh")}


def cost(case, strategy):
    """Roughly how long a run takes: all ranks share the cores and wait for each other in every layer."""
    ranks = strategy.ranks
    return case.steps * case.model["num_hidden_layers"] * case.global_batch // strategy.micro_batch_size // strategy.dp * ranks


def cover(runs, order):
    """Runs that have every pair of levels (see pairs_of) that any of `runs` has; `order` draws the first of equals.

    mesh x recomputation is the largest table of pairs, so each of its cells gets one run: the one that adds most pairs.
    """
    uncovered = set().union(*(pairs_of(*run) for run in runs))
    chosen, seen = [], set()

    def more_than_pairs(run):
        case, strategy = run
        mesh = strategy.mesh
        return {(mesh, strategy.zero1, strategy.sequence_parallel), (mesh, case.name)}

    def choose(candidates):
        drawn = order.sample(candidates, len(candidates))
        best = max(drawn, key=lambda run: (len(pairs_of(*run) & uncovered), len(more_than_pairs(run) - seen)))
        chosen.append(best)
        uncovered.difference_update(pairs_of(*best))
        seen.update(more_than_pairs(best))

    pipelines = any(run[1].pp > 1 for run in runs)
    cells = list(dict.fromkeys(run[1].mesh for run in runs))
    for mesh, recomputation in itertools.product(cells, RECOMPUTATION[:1] if pipelines else RECOMPUTATION):
        cell = [run for run in runs if run[1].mesh == mesh and (pipelines or run[1].recomputation == recomputation)]
        if cell:
            choose(cell)
    while uncovered:
        choose(runs)
    return chosen


def pairwise(cases, pipelines=False):
    """The shortest and then cheapest of a few covers; always the same one."""
    runs, _ = product(cases, pipelines)
    covers = [cover(runs, random.Random(seed)) for seed in range(20 if pipelines else 200)]
    return min(covers, key=lambda runs: (len(runs), sum(cost(*run) for run in runs)))
