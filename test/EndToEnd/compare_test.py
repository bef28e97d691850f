#!/usr/bin/env python3
"""The comparison itself: it accepts what lies inside the tolerance and refuses what does not."""

import array
import unittest

from compare import compare_steps, compare_weights
from tools import Failure

EXPECTED = [{"step": 0, "loss": 6.25, "grad_norm": 3.0, "lr": 0.0}, {"step": 1, "loss": 6.0, "grad_norm": 2.5, "lr": 1e-3}]


def lines(**changes):
    made = []
    for index, wanted in enumerate(EXPECTED):
        made.append({**wanted, "step": index + 1, "consumed_samples": 8 * (index + 1), "step_time_s": 0.1, "tokens_per_s": 10.0, "peak_memory_bytes": 1})
    made[1].update(changes)
    return made


def tensors(changes=(), name="w", shape=None):
    values = array.array("f", [0.5] * 100)
    for index, change in enumerate(changes):
        values[index] += change
    return {name: ("F32", shape or [10, 10], values.tobytes())}


class CompareTest(unittest.TestCase):
    def test_same_is_accepted(self):
        compare_steps(lines(), EXPECTED, 8)
        compare_weights(tensors(), tensors())

    def test_inside_is_accepted(self):
        compare_steps(lines(loss=6.0 * (1 + 1e-6), grad_norm=2.5 * (1 - 9e-6)), EXPECTED, 8)
        compare_weights(tensors([2e-5] * 10), tensors())

    def test_steps_outside_are_refused(self):
        for changes in (
            {"loss": 6.0 * (1 + 3e-6)},
            {"loss": float("nan")},
            {"grad_norm": 2.5 * (1 + 2e-5)},
            {"lr": 1e-3 * (1 + 1e-11)},
            {"step": 3},
            {"consumed_samples": 15},
            {"step_time_s": 0.0},
        ):
            with self.assertRaises(Failure, msg=str(changes)):
                compare_steps(lines(**changes), EXPECTED, 8)
        with self.assertRaises(Failure):
            compare_steps(lines()[:1], EXPECTED, 8)
        with self.assertRaises(Failure):
            # A learning rate of zero must be zero.
            compare_steps([{**lines()[0], "lr": 1e-30}, lines()[1]], EXPECTED, 8)

    def test_weights_outside_are_refused(self):
        for other in (
            tensors([2e-5] * 11),
            tensors([3e-4]),
            tensors([float("nan")]),
            tensors(name="v"),
            tensors(shape=[100]),
            {**tensors(), **tensors(name="v")},
        ):
            with self.assertRaises(Failure):
                compare_weights(other, tensors())


if __name__ == "__main__":
    unittest.main()
