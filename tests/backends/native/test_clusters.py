from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.native.clusters import Cluster, clusters


def parts(f, *args, numpys=("sort",)):
    program = ft.make_ir(f)(*args)
    found = clusters(program, lambda equation: equation.primitive.name not in numpys)
    return [
        [e.primitive.name for e in part.equations]
        if isinstance(part, Cluster)
        else part.primitive.name
        for part in found
    ]


def chain(x):
    return np.tanh(np.exp(np.sin(np.cos(x))))


CHAIN = ["cos", "sin", "exp", "tanh"]


def test_what_numpy_runs_stands_between_two_parts():
    assert parts(lambda x: chain(np.sort(chain(x))), np.ones(3), numpys=("argsort",)) == [
        [*CHAIN],
        "argsort",
        ["gather", *CHAIN],
    ]


def test_what_does_not_wait_is_in_the_first_part():
    def f(x, y):
        return chain(np.argsort(x) * 1.0), chain(y)

    assert parts(f, np.ones(3), np.ones(3), numpys=("argsort",)) == [
        CHAIN,
        "argsort",
        ["multiply", *CHAIN],
    ]


def test_a_few_operations_are_not_worth_a_call():
    assert parts(lambda x: np.sin(x) * 2.0, np.ones(3)) == ["sin", "multiply"]


def test_inputs_and_outputs_are_what_others_make_and_read():
    program = ft.make_ir(lambda x: (chain(x), np.argsort(np.sin(x))))(np.ones(3))
    (part,) = (
        p
        for p in clusters(program, lambda e: e.primitive.name != "argsort")
        if isinstance(p, Cluster)
    )
    assert part.inputs == list(program.inputs)
    assert [v.type.shape for v in part.outputs] == [(3,), (3,)]
