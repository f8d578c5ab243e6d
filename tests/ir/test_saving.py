"""Programs in files: they come back as they were, and nothing else comes in."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace import archives
from functrace.errors import LoadError, MissingRuleError, SaveError
from functrace.extend import PRIMITIVES, Primitive
from functrace.ir import saving
from functrace.ir.program import Constant, Program, Variable, to_text
from functrace.ir.types import ArrayType
from tests.strategies import programs
from tests.test_random_programs import WRAPPINGS

thorough = settings(derandomize=True, deadline=None, max_examples=40, database=None)
ROOT = Path(ft.__file__).parents[1]


def saved(program):
    file = io.BytesIO()
    program.save(file)
    return file.getvalue()


def loaded(content, **options):
    return Program.load(io.BytesIO(content), **options)


def text_of(program):
    return to_text(program, elide=False)


def assert_same_bits(found, expected):
    assert type(found) is type(expected)
    if type(found) is int:
        assert found == expected
        return
    x, y = np.asarray(found), np.asarray(expected)
    assert (x.dtype, x.shape) == (y.dtype, y.shape)
    if x.dtype.char not in "gG":  # of these some bytes are padding
        assert x.tobytes() == y.tobytes()
    np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(np.signbit(x.real), np.signbit(y.real))


def assert_same_results(found, expected):
    for x, y in zip(found, expected, strict=True):
        assert_same_bits(x, y)


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(contents, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


# Round trips


@thorough
@given(programs())
def test_random_programs(drawn):
    program, inputs = drawn
    again = loaded(saved(program))
    assert text_of(again) == text_of(program)
    assert_same_results(ft.evaluate(again, *inputs), ft.evaluate(program, *inputs))
    assert saved(again) == saved(program)


@pytest.mark.thinned
@pytest.mark.numpy_backend  # to the last bit
@pytest.mark.parametrize("outer", WRAPPINGS)
@settings(thorough, max_examples=3)
@given(drawn=programs(max_steps=8), inner=st.sampled_from(sorted(WRAPPINGS)))
def test_programs_that_contain_programs(outer, drawn, inner):
    program, inputs = drawn
    plain = lambda *xs: list(ft.evaluate(program, *xs))
    wrapped = WRAPPINGS[outer](lambda *xs: list(WRAPPINGS[inner](plain)(*xs)))
    loss = lambda *xs: sum(np.sum(np.sin(y)) for y in wrapped(*xs))
    for f in (wrapped, ft.grad(loss)):
        recorded = ft.make_ir(f)(*inputs)
        again = loaded(saved(recorded))
        if "policy" not in text_of(recorded):
            assert text_of(again) == text_of(recorded)
        expected = ft.evaluate(recorded, *inputs)
        assert_same_results(ft.evaluate(again, *inputs), expected)


PARTS = [0.0, -0.0, 1.5, -1.5, np.nan, np.inf, -np.inf, 5e-324, 0.1]
PAYLOADS = np.array([0x7FF8000000000123, 0xFFF8000000000000, 0x7FF0000000000001], np.uint64)
VALUES = [
    True, False, 0, -3, 2**62, 10**30, *PARTS, -np.nan, *map(float, PAYLOADS.view(np.float64)),
    *(complex(x, y) for x, y in product(PARTS, PARTS)),
    np.bool_(True), np.int8(-3), np.uint64(2**64 - 1), np.float16(0.1), np.complex64(1 - 0.5j),
    *PAYLOADS.view(np.float64), *map(np.float32, PARTS), np.longdouble("1.1"),
    np.clongdouble("-0.1") * 1j,
    np.array(2.5), np.array(True), np.array(PARTS), PAYLOADS.view(np.float64),
    np.array([0x7E01, 0xFC00, 0x8000, 1], np.uint16).view(np.float16),
    np.array([complex(x, y) for x, y in product(PARTS, PARTS)]),
    np.zeros((0, 3)), np.zeros((3, 0), np.int8), np.array([[True], [False]]),
    np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.arange(24.0).reshape(4, 6).T,
    np.arange(24.0)[::2], np.array(["1.1", "nan", "-0.0"], np.longdouble),
    np.broadcast_to(1.5, (3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_constants_return_bit_for_bit(value):
    constant = Constant(value)
    program = Program([], [], [constant])
    again = loaded(saved(program)).outputs[0]
    assert_same_bits(again.value, value)
    assert again.type == constant.type
    if isinstance(value, np.ndarray):
        assert again.value.flags.f_contiguous == value.flags.f_contiguous or value.base is not None


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">i4", ">c8", ">f2", ">u2"])
def test_other_byte_orders_become_the_machines_own(dtype):
    bits = np.arange(7, 7 + 16 * 3, dtype=np.uint8)
    value = bits.view(dtype)
    again = loaded(saved(Program([], [], [Constant(value)]))).outputs[0].value
    assert again.dtype.isnative
    assert again.byteswap(inplace=False).tobytes() == value.tobytes() or value.dtype.isnative


def test_a_file_of_the_other_byte_order():
    contents = members(saved(ft.make_ir(lambda x: x * np.array([1.0, -2.5]))(np.ones(2))))
    header, values = contents["constants/0.npy"][:-16], np.array([1.0, -2.5], ">f8")
    contents["constants/0.npy"] = header.replace(b"<f8", b">f8") + values.tobytes()
    (found,) = ft.evaluate(loaded(packed(contents)), np.ones(2))
    np.testing.assert_array_equal(found, [1.0, -2.5])


def test_constants_that_are_one_array_stay_one():
    w = np.arange(1000.0)
    program = ft.make_ir(ft.grad(lambda x: np.sum(np.sin(x * w) * w)))(np.ones(1000))
    content = saved(program)
    found, expected = constants_used(loaded(content)), constants_used(program)
    captured = [x for x in expected if x.shape == w.shape]
    assert len(captured) > 1
    assert all(x is captured[0] for x in captured)
    same = lambda values: [[x is y for y in values] for x in values]
    assert same(found) == same(expected)
    assert len(members(content)) == 2 + len({id(x) for x in expected})


def constants_used(program):
    atoms = [atom for equation in program.equations for atom in equation.inputs]
    return [x.value for x in atoms if isinstance(x, Constant) and isinstance(x.value, np.ndarray)]


def test_lines_come_back_without_folders():
    program = ft.make_ir(lambda x: np.linalg.inv(x) @ x)(np.eye(2))
    again = loaded(saved(program))
    for equation, expected in zip(again.equations, program.equations, strict=True):
        assert str(equation.source) == str(expected.source).replace(f"{Path(__file__).parent}/", "")
    assert str(again) == str(program)
    assert str(Path(__file__).parent).encode() not in saved(program)


def test_whether_warnings_are_ignored_comes_back():
    def f(x):
        with np.errstate(over="ignore"):
            return np.exp(x) * np.sqrt(x)

    program = ft.make_ir(ft.grad(f))(1.0)
    assert {"over=ignore"} in [e.handling for e in program.equations]
    handling = [e.handling for e in program.equations]
    assert any(handling)
    assert [e.handling for e in loaded(saved(program)).equations] == handling


def mlp(parameters, x):
    for w, b in parameters[:-1]:
        x = np.maximum(x @ w + b, 0.0)
    w, b = parameters[-1]
    return np.mean((x @ w + b) ** 2)


def test_the_gradient_of_a_network_runs_in_another_process(tmp_path):
    rng = np.random.default_rng(0)
    sizes = [(4, 8), (8, 8), (8, 2)]
    parameters = [(rng.normal(size=s), rng.normal(size=s[1])) for s in sizes]
    x = rng.normal(size=(16, 4))
    program = ft.make_ir(ft.value_and_grad(mlp))(parameters, x)
    program.save(tmp_path / "gradient.zip")
    leaves = ft.tree.leaves((parameters, x))
    np.savez(tmp_path / "inputs.npz", *leaves)
    script = """
import sys
import numpy as np
import functrace as ft
with np.load(sys.argv[1] + "/inputs.npz") as inputs:
    found = ft.evaluate(ft.Program.load(sys.argv[1] + "/gradient.zip"), *inputs.values())
np.savez(sys.argv[1] + "/outputs.npz", *found)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=True)
    here = ft.evaluate(program, *leaves)
    expected = ft.tree.leaves(ft.value_and_grad(mlp)(parameters, x))
    with np.load(tmp_path / "outputs.npz") as found:
        for there, y, z in zip(found.values(), here, expected, strict=True):
            np.testing.assert_array_equal(there, y)
            np.testing.assert_allclose(there, z, rtol=1e-14)


def test_loaded_programs_can_be_transformed_and_compiled():
    program = loaded(saved(ft.make_ir(lambda x: np.sum(np.sin(x) * x))(np.ones(3))))
    f = lambda x: ft.evaluate(program, x)[0]
    x = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(ft.grad(f)(x), np.cos(x) * x + np.sin(x))
    np.testing.assert_allclose(ft.jit(ft.grad(f))(x), np.cos(x) * x + np.sin(x))
    np.testing.assert_allclose(ft.vmap(f)(np.stack([x, x])), [f(x), f(x)])


@ft.custom_jvp
def halved(x):
    return np.sin(x)


halved.defjvp(lambda primals, tangents: (np.sin(primals[0]), 0.5 * tangents[0]))


def test_rules_of_users_are_not_lost_silently():
    plain = loaded(saved(ft.make_ir(lambda x: halved(x) * 2.0)(1.0)))
    assert ft.evaluate(plain, 1.0) == [2 * np.sin(1.0)]
    np.testing.assert_array_equal(
        ft.vmap(lambda x: ft.evaluate(plain, x)[0])(np.ones(2)), [2 * np.sin(1.0)] * 2
    )
    for derive in (ft.grad, lambda f: lambda x: ft.jvp(f, (x,), (1.0,))):
        with pytest.raises(MissingRuleError, match="halved has a derivative rule of its own"):
            derive(lambda x: ft.evaluate(plain, x)[0])(1.0)
    assert saved(loaded(saved(plain))) == saved(plain)
    derivative = loaded(saved(ft.make_ir(ft.grad(halved))(1.0)))
    assert ft.evaluate(derivative, 1.0) == [0.5]


@pytest.mark.parametrize("policy", [None, ft.checkpoint_policies.dots_saveable])
def test_checkpoints_lose_their_policy_only(policy):
    f = ft.checkpoint(lambda x: np.sum(np.sin(x @ x)), policy=policy)
    again = loaded(saved(ft.make_ir(f)(np.eye(2))))
    np.testing.assert_allclose(
        ft.grad(lambda x: ft.evaluate(again, x)[0])(np.eye(2)), ft.grad(f)(np.eye(2))
    )


# Files


def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "a program.zip"
    first, second = (ft.make_ir(f)(1.0) for f in (np.sin, np.cos))
    first.save(path)
    first.save(str(path))

    def fail(*args, **kwargs):
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(archives, "_write", fail)
        with pytest.raises(OSError, match="no space"):
            second.save(path)
    assert list(tmp_path.iterdir()) == [path]
    assert text_of(Program.load(str(path))) == text_of(first)
    second.save(path)
    assert text_of(Program.load(path)) == text_of(second)
    link = tmp_path / "link"
    link.symlink_to(path)
    first.save(link)
    assert link.is_symlink()
    assert text_of(Program.load(path)) == text_of(first)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        ft.make_ir(np.sin)(1.0).save(tmp_path / "nothing" / "here")


# What cannot be saved


def line_of(text):
    lines = Path(__file__).read_text(encoding="utf-8").split("\n")
    return next(n for n, line in enumerate(lines, 1) if line.endswith(text))


def test_calls_of_python_are_refused_with_their_line():
    def calls(x):
        result = ft.ShapeDtypeStruct((), np.float64)
        return ft.pure_callback(np.sin, result, x)  # the callback

    def prints(x):
        ft.debug.print("{}", x)  # the print
        return x * 2.0

    for f, text in ((calls, "# the callback"), (prints, "# the print")):
        for g in (f, ft.jit(f)):
            with pytest.raises(SaveError, match="parameter 'callback'") as caught:
                saved(ft.make_ir(g)(1.0))
            assert caught.value.where.startswith(f"{__file__}:{line_of(text)} in")


def test_traced_values_are_refused_with_their_line():
    def f(y):
        saved(ft.make_ir(lambda x: x * y)(1.0))  # uses y
        return y

    with pytest.raises(SaveError, match="holds a traced value") as caught:
        ft.grad(f)(1.0)
    assert f":{line_of('# uses y')} in" in caught.value.where
    with pytest.raises(SaveError, match="leaves out"):
        saved(ft.parse("def program():\n    return array(..., float64[30])"))


class Odd(Primitive):
    def run(self, x, **params):
        return x

    def infer(self, x, **params):
        return x


odd = Odd("odd_for_test_saving")


@pytest.mark.parametrize("value", [[1], {}, np.sin, np.dtype(object), np.longdouble(1), {1}])
def test_parameters_that_are_objects_are_refused(value):
    program = ft.make_ir(lambda x: ft.extend.bind(odd, x, p=value))(1.0)
    with pytest.raises(SaveError, match="parameter 'p'"):
        saved(program)


def test_primitives_of_users_must_be_allowed():
    value = (1, "any 'text'\n(", None, ..., slice(1, None), np.dtype("f4"), -1.5, (2.5 - 0j), True)
    content = saved(ft.make_ir(lambda x: ft.extend.bind(odd, x, p=value))(1.0))
    with pytest.raises(LoadError, match="a primitive 'odd_for_test_saving'"):
        loaded(content)
    program = loaded(content, primitives=[odd])
    assert program.equations[0].primitive is odd
    assert program.equations[0].params["p"] == value
    other = Odd("other_for_test_saving")
    PRIMITIVES["other_for_test_saving"] = odd
    with pytest.raises(SaveError, match="not the one that is registered"):
        saved(ft.make_ir(lambda x: ft.extend.bind(other, x))(1.0))


def test_texts_that_could_not_be_read_back_are_refused(monkeypatch):
    program = ft.make_ir(lambda x: ft.checkpoint_name(x, "a(b"))(1.0)
    with pytest.raises(SaveError, match="parameter 'name'"):
        saved(program)
    monkeypatch.setattr(saving, "LARGEST_TEXT", 10)
    with pytest.raises(SaveError, match="10 are the limit"):
        saved(ft.make_ir(np.sin)(1.0))


# What is not loaded

SAMPLE = ft.make_ir(
    lambda x, w: ft.scan(lambda c, r: (np.tanh(c @ w) * 0.5, c[0] * r), x, np.arange(3.0))
)(np.ones(2), np.eye(2))
CONSTANTS = ft.make_ir(lambda x: x * np.arange(3.0) + 1j * np.float32(2.0) + np.nan)(np.ones(3))
CONTENT = saved(SAMPLE), saved(CONSTANTS)
TEXTS = text_of(SAMPLE), text_of(CONSTANTS)


def attempt(content):
    """The text of a loaded Program, None where it is refused; anything else is a failure."""
    try:
        return text_of(loaded(content))
    except LoadError:
        return None


@pytest.mark.parametrize("number", [0, 1])
def test_every_truncation_is_refused(number):
    content = CONTENT[number]
    for length in range(len(content)):
        assert attempt(content[:length]) is None
    assert attempt(content) == TEXTS[number]


@pytest.mark.parametrize("number", [0, 1])
def test_every_byte_changed(number):
    content = CONTENT[number]
    rng = np.random.default_rng(number)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= int(rng.integers(1, 256))
        assert attempt(bytes(changed)) in (None, TEXTS[number])


@settings(thorough, max_examples=300)
@given(
    st.sampled_from([0, 1]),
    st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=4)), min_size=1, max_size=4),
    st.sampled_from(["manifest.json", "program.txt", "constants/0.npy"]),
)
def test_members_with_other_bytes(number, changes, name):
    contents = members(CONTENT[number])
    if name not in contents:
        return
    changed = bytearray(contents[name])
    for position, new in changes:
        position %= len(changed)
        changed[position : position + len(new)] = new
    contents[name] = bytes(changed)
    attempt(packed(contents))  # what comes in is another Program, or nothing


@settings(thorough, max_examples=300)
@given(st.text("defprogram(a: float64[3]) = sin+-.,'\"\\\n;jnonelambda{}@*!", max_size=80))
def test_texts_of_the_same_letters(text):
    assert (
        attempt(with_text(f"def program(a: float64[3]):\n    {text}")) is None or "return" in text
    )


def with_text(text, contents=None):
    contents = members(saved(ft.make_ir(np.sin)(1.0))) if contents is None else dict(contents)
    contents["program.txt"] = text.encode()
    return packed(contents)


def test_zips_that_are_built_otherwise():
    contents = members(CONTENT[1])
    assert attempt(packed(contents)) == TEXTS[1]
    assert attempt(packed(contents, zipfile.ZIP_DEFLATED)) is None
    for name in contents:
        assert attempt(packed({k: v for k, v in contents.items() if k != name})) is None
    assert attempt(packed({**contents, "more": b""})) is None
    assert attempt(packed({**contents, "../constants/0.npy": b""})) is None
    file = io.BytesIO(CONTENT[1])
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("program.txt", contents["program.txt"])
    assert attempt(file.getvalue()) is None
    assert attempt(b"") is None
    assert attempt(b"PK\x05\x06" + bytes(18)) is None


def test_a_bomb_takes_no_memory():
    contents = members(CONTENT[1])
    number = next(n for n, v in contents.items() if b"(3,)" in v[:128])
    for shape in (b"(99999999999,)", b"(3, 99999999999, 0, 9)", b"(4,)", b"(-3,)", b"(3,"):
        head, tail = contents[number][:128], contents[number][128:]
        changed = head.replace(b"(3,)", shape, 1)
        start = changed.rstrip(b" \n")[:126].ljust(127) + b"\n"
        bomb = packed({**contents, number: start + tail})
        huge = packed({**contents, "program.txt": b" " * (saving.LARGEST_TEXT + 1)})
        tracemalloc.start()
        assert attempt(bomb) is None
        assert tracemalloc.get_traced_memory()[1] < 2**21
        assert attempt(huge) is None
        assert tracemalloc.get_traced_memory()[1] < 2**21
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3}, {"version": 0}, {"version": None}, {"version": True}, {"format": "other"},
        {"places": []}, {"places": [99]}, {"places": [-1]}, {"places": ["a"]},
        {"handling": {"divide=ignore": [7]}}, {"handling": {"over=raise": [-1]}},
        {"handling": {"over=warn": None}},
        {"handling": {"over=other": [0]}}, {"handling": [0]}, {"handling": {"over=ignore": ["a"]}},
        {"sources": []}, {"sources": [["a.py", 3]]},
        {"sources": [["a.py", 2**40, "f"]]}, {"sources": [["a.py", "3", "f"]]},
        {"sources": [["a.py\nimport os", 3, "f"]]}, {"sources": [["a.py", 3, "f\rimport os"]]},
        {"sources": [["a.py", 3, "f\u2028x"]]}, {"sources": [["a" * 1000, 3, "f"]]},
        {"long double": "text"},
    ],
    ids=str,
)  # fmt: skip
def test_manifests_that_are_wrong(change):
    contents = members(saved(ft.make_ir(np.sin)(1.0)))
    manifest = {**json.loads(contents["manifest.json"]), **change}
    assert attempt(packed({**contents, "manifest.json": json.dumps(manifest)})) is None
    for name in change:
        manifest.pop(name)
    assert attempt(packed({**contents, "manifest.json": json.dumps(manifest)})) is None
    for text in ("[" * 100000, "1" * 10000, "[]", '"text"', "{}", "\xff", "NaN"):
        assert attempt(packed({**contents, "manifest.json": text.encode("latin1")})) is None


def test_version_1_has_each_branch_in_a_parameter_of_its_own():
    f = lambda x: ft.cond(x[0] > 0, np.sin, lambda x: x * np.array([2.0]), x)
    program = ft.make_ir(ft.vmap(f))(np.array([[1.0], [-1.0]]))
    contents = members(saved(program))
    text = contents["program.txt"].decode()
    old = text.replace("branches=(branches_0, branches_1)", "branch0=branch0, branch1=branch1")
    old = old.replace("branches_", "branch")
    assert old.count("branch1") == 3
    manifest = {**json.loads(contents["manifest.json"]), "version": 1}
    contents["manifest.json"] = json.dumps(manifest)
    again = loaded(packed({**contents, "program.txt": old}))
    assert text_of(again) == text_of(program)
    for damaged in (old.replace("branch0=", "branch7="), old.replace("branch0=branch0, ", "")):
        assert attempt(packed({**contents, "program.txt": damaged})) is None


def test_a_newer_version_says_so():
    contents = members(saved(ft.make_ir(np.sin)(1.0)))
    manifest = {**json.loads(contents["manifest.json"]), "version": 3, "functrace": "9.1"}
    content = packed({**contents, "manifest.json": json.dumps(manifest)})
    with pytest.raises(LoadError, match=r"(?s)functrace 9\.1 in version 3 .*\n  Update functrace"):
        loaded(content)


def test_other_machines():
    def changed(program, **change):
        contents = members(saved(program))
        manifest = {**json.loads(contents["manifest.json"]), **change}
        return packed({**contents, "manifest.json": json.dumps(manifest)})

    program = ft.make_ir(lambda x: x * np.longdouble("1.1"))(np.longdouble(1))
    with pytest.raises(LoadError, match="another format on this machine"):
        loaded(changed(program, **{"long double": 99}))
    narrow = (
        "def program(a: int32[3]):\n    b: int32[3] = argsort(a, axis=0, kind=None)\n    return b"
    )
    contents = members(changed(ft.make_ir(np.sin)(1.0), integer="int32"))
    with pytest.raises(LoadError, match="NumPy's integers are int32, and does not fit"):
        loaded(with_text(narrow, contents))
    assert attempt(changed(ft.make_ir(np.sin)(1.0), integer="int32")) is not None


def in_program(line, inputs="a: float64[3]"):
    return f"def program({inputs}):\n    {line}\n    return a"


HOSTILE = [
    "import os", "", "pass", "a", "\x00", "def program(): pass", "lambda: 0",
    "def program(a: float64):\n    return a.real",
    "def program(a: float64):\n    return a\n\nx = 1",
    "@sin\ndef program(a: float64):\n    return a", "def program(*a: float64):\n    return a",
    "def program(a: float64 = 1.0):\n    return a", "def program(a: float64):\n  return a",
    "def program(a: float64): return a", "def program(a: float64):\n    return a; return a",
    "def program(a: float64):\n    return a\n    return a",
    "def program(a: float64):\n        return a",
    "def program(a: float64):\n    return a\ndef program(a: float64):\n    return a",
    "def program(a: float64):\n    def b(a: float64):\n    return a", "def program(a: float64):\n",
    "def program(a: float64, a: float64):\n    return a", "async def program():\n    return 1",
    "def program(a: float64[10000000000000000000000, 10000000000000000000000]):\n    return 1 +",
    in_program("b: float64[3] = sin(a); b: float64[3] = cos(a)"),
    in_program("a: float64[3] = sin(a)"),
    in_program("b: float64[3] = sin.__class__(a)"),
    in_program("b: float64[3] = __import__('os')"),
    in_program("b: float64[3] = eval('1')"),
    in_program("b: float64[3] = sin([x for x in a])"),
    in_program("b: float64[3] = sin((lambda: a)())"),
    in_program("b: float64[3] = sin(a, **a)"),
    in_program("b: float64[3] = sin(*a)"),
    in_program("b: float64[3] = sin(a, out=a)"),
    in_program("b: float64[3] = sin(f'{a}')"),
    in_program("b: float64[3] = sin(a if a else a)"),
    in_program("b: float64[3] = sin((b := a))"),
    in_program("b: float32[3] = sin(a)"),
    in_program("b: float64[4] = sin(a)"),
    in_program("b: float64[3] = copy(a, a=1, a=2)"),
    in_program("b: float64 = sum(a, axes=None, keepdims=False, dtype='object')"),
    in_program("b: float64[3] = cast(a, dtype='float64')"),
    in_program("b: float64[3] = cast(a, dtype=object)"),
    in_program("b: float64 = getitem(a, index='indices')"),
    in_program("b: float64 = getitem(a, index=('0); print(1',))"),
    in_program("b: float64[3] = cumsum(a, axis='0, out=print(1)', reverse=False)"),
    in_program("b: float64[3] = reshape(a, shape=(10000000000, 10000000000))"),
    in_program("b: float64[3] = reshape(a, shape=3)"),
    in_program("b: float64; (b,) = unstack(a, axis=0)", "a: float64[1000000000000]"),
    in_program("b: float64; (b,) = unstack(a, axis='0')", "a: float64[1]"),
    in_program("b: float64[3] = custom_call(a, function='f')"),
    in_program("b: float64[3] = jit(a, program=3)"),
    in_program("b: float64[3]; (b,) = switch(0, a, branches=())"),
    in_program("b: float64[3]; (b,) = switch(0, a, branches=(a, a))"),
    in_program("b: float64[3]; (b,) = switch(0, a, branches=3)"),
    in_program("b: float64; (b,) = pure_callback(a, callback='print', vmap_method=None)"),
    in_program("() = debug_callback(a, callback='print')"),
    in_program("b: float64[3] = multiply(a, array(..., float64[3]))"),
    in_program("b: float64[3] = multiply(a, captured(float64[3]))"),
    in_program("b: float64[3] = multiply(a, constant(0, float64[3]))"),
    in_program("b: float64[3] = multiply(a, constant(-1, float64[3]))"),
    in_program("b: float64[3] = multiply(a, scalar('0', float64))"),
    in_program("b: float64[3] = multiply(a, " + "9" * 5000 + ")"),
    in_program("b: float64[3] = multiply(a, " + "-" * 100000 + "1)"),
    in_program("b: float64[3] = multiply(a, 1" + " + 1" * 100000 + ")"),
    in_program("b: float64[3] = multiply(a, " + "(" * 100000 + "1" + ")" * 100000 + ")"),
    in_program("b: float64[3] = multiply(a, " + "(" * 100000),
    in_program("b: float64[3] = sin" + "(a)" * 100000),
    in_program("b: float64" + "[3]" * 100000 + " = sin(a)"),
    in_program("b: float64[3] = sin(a" + ".a" * 100000 + ")"),
    in_program("b: float64[3] = sin(" + "not " * 100000 + "a)"),
    in_program("b: float64[3] = sin(" + "lambda: " * 100000 + "a)"),
    in_program("b: float64[3] = sin(a, 'unfinished)"),
    in_program("b: float64[3] = sin(a) \\"),
    "\n".join("    " * n + f"def p{n}(a: float64):" for n in range(500)),
    "def program(a: float64[3]):\n    return (array(..., float64[30]), a)",
]  # fmt: skip


@pytest.mark.thinned
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[-60:])
def test_hostile_texts(text):
    assert attempt(with_text(text)) is None


BODIES = {
    "jit": "(b,) = jit(a, program=body)",
    "scan": "(b,) = scan(a, body=body, constants=0, carries=1, length=2, reverse=False)",
    "switch": "(b,) = switch(0, a, branches=(body,))",
    "while_loop": "(b,) = while_loop(a, condition=test, body=body, constants=0)",
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    ("taken", "made", "fitting"),
    [
        ("3", "3", ["jit", "switch", "scan", "while_loop"]),
        ("3", "1000", ["jit", "switch"]),
        ("1000", "1000", []),
        ("1000", "3", []),
    ],
)
def test_programs_within_are_given_what_they_take(name, taken, made, fitting):
    result = "x" if taken == made else "y"
    text = f"""def program(a: float64[3]):
    def test(t: float64[3]):
        s: float64 = sum(t, axes=None, keepdims=False, dtype=None)
        l: bool = less(s, 0.0)
        return l
    def body(x: float64[{taken}]):
        z: float64 = sum(x, axes=None, keepdims=False, dtype=None)
        y: float64[{made}] = broadcast_to(z, shape=({made},))
        return {result}
    b: float64[{made}]; {BODIES[name]}
    return b"""
    contents = members(
        saved(
            ft.make_ir(
                lambda x: (np.sin(x), x * 2, x + 2, -x, x / 2)  # as many equations
            )(1.0)
        )
    )
    assert (attempt(with_text(text, contents)) is not None) == (name in fitting)


@pytest.mark.parametrize("rows", ["float64", "float64[3]", "float64[2, 1]"])
def test_scans_have_as_many_rows_as_trips(rows):
    text = f"""def program(a: {rows}):
    def body(x: float64):
        y: float64 = sin(x)
        return y
    b: float64[2]; (b,) = scan(a, body=body, constants=0, carries=0, length=2, reverse=False)
    return b"""
    contents = members(saved(ft.make_ir(lambda x: np.sin(np.sin(x)))(1.0)))
    assert attempt(with_text(text, contents)) is None
    assert attempt(with_text(text.replace(f"a: {rows}", "a: float64[2]"), contents)) is not None


def test_programs_within_use_nothing_around_them():
    text = """def program(a: float64[3]):
    def program(x: float64[3]):
        y: float64[3] = multiply(x, a)
        return y
    b: float64[3]; (b,) = jit(a, program=program)
    return b"""
    with pytest.raises(LoadError, match="a is read before it is written"):
        loaded(with_text(text))
    assert ft.parse(text)


def test_bools_that_are_none():
    contents = members(saved(ft.make_ir(lambda x: np.where(np.array([True, False]), x, 1.0))(1.0)))
    name = next(n for n, v in contents.items() if b"|b1" in v)
    assert attempt(packed(contents)) is not None
    assert attempt(packed({**contents, name: contents[name][:-1] + b"\x07"})) is None


def test_objects_are_no_constants():
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([print], object), (1, 0), allow_pickle=True)
    contents = members(CONTENT[1])
    name = next(n for n in contents if n.endswith(".npy"))
    assert attempt(packed({**contents, name: file.getvalue()})) is None


def test_a_program_without_equations():
    program = Program([Variable(ArrayType((), np.dtype(float)))], [], [])
    assert text_of(loaded(saved(program))) == text_of(program)


@pytest.mark.parametrize("name", ["psum", "pmax", "pmin", "all_gather", "ppermute"])
@pytest.mark.parametrize("parameters", ["", ", axis_name='i'", ", axis_name='i', axis_size=2"])
def test_what_the_map_around_would_do_is_refused_in_a_file(name, parameters):
    contents = members(saved(ft.make_ir(np.sin)(1.0)))
    given = {"all_gather": ", axis=0", "ppermute": ", sources=(1, 0)"}.get(name, "")
    of = "float64[2]" if name == "all_gather" else "float64"
    call = f"{name}(a, b{parameters}{given})"
    text = f"def program(a: float64, b: int64):\n    c: {of} = {call}\n    return c\n"
    with pytest.raises(LoadError):
        loaded(packed({**contents, "program.txt": text.encode()}))
