"""Arguments by position, names as the user would write them, and what fits where."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace import errors, tree
from functrace.ir.types import ArrayType, type_of
from functrace.transforms import arguments
from functrace.transforms.arguments import SelectedArguments, parameter_name
from tests.tree.strategies import trees


def plain(a, b, c=3.0, *rest, key=None):
    return a, b, c, rest, key


def positional_only(a, b=2, /, c=3):
    return a, b, c


def only_rest(*values, **others):
    return values, others


FUNCTIONS = [plain, positional_only, only_rest]


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("position", range(5))
def test_a_parameter_has_the_name_to_which_python_binds_it(f, position):
    signature = inspect.signature(f)
    marker = object()
    try:
        bound = signature.bind(*[None] * position, marker, *[None] * (2 - position))
    except TypeError:
        assert parameter_name(f, position) == f"argument {position}"
        return
    name = parameter_name(f, position)
    assert eval(name, dict(bound.arguments)) is marker
    assert parameter_name(max, 0) == "argument 0"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2), st.lists(st.integers(-4, 3), min_size=1, max_size=3))
def test_arguments_are_replaced_where_they_stood(count, by_name, argnums):
    values = [f"value {n}" for n in range(count)]
    names = ["key", "b"][: by_name if count == 1 else min(by_name, 1)]
    kwargs = {name: name.upper() for name in names}
    args = tuple(values)

    def f(*args, **kwargs):
        return args, kwargs

    f.__signature__ = inspect.signature(plain)
    places = []
    for n in argnums:
        if -count <= n < count:
            places.append(n % count)
        elif n >= 0 and ["a", "b", "c"][n : n + 1] and ["a", "b", "c"][n] in kwargs:
            places.append(["a", "b", "c"][n])
        else:
            places = None
            break
    if places is None or len(set(places)) < len(places):
        with pytest.raises(errors.ArgumentError, match=r"did not get|twice"):
            SelectedArguments(f, tuple(argnums), args, kwargs)
        return
    selected = SelectedArguments(f, tuple(argnums), args, kwargs)
    assert selected.selected == tuple(args[p] if isinstance(p, int) else kwargs[p] for p in places)
    replaced = selected.call(tuple(range(len(places))))
    expected = dict(enumerate(args)) | kwargs | dict(zip(places, range(len(places)), strict=True))
    assert replaced[0] == tuple(expected[n] for n in range(count))
    assert replaced[1] == {name: expected[name] for name in kwargs}
    single = SelectedArguments(f, argnums[0], args, kwargs)
    assert single.selected == selected.selected[0]
    assert single.call("new") == SelectedArguments(f, (argnums[0],), args, kwargs).call(("new",))


@pytest.mark.parametrize("argnums", [True, "0", 1.0, None, (0, True), (0, "1"), [0, 0], (1, 1)])
def test_positions_that_are_none(argnums):
    with pytest.raises(errors.ArgumentError, match="argnums"):
        arguments.checked_argnums(argnums)


SEVERAL = [(0, 2), [1], range(2), (np.int8(2),), np.array([1])]


@pytest.mark.parametrize("argnums", [0, -1, np.int64(1), *SEVERAL])
def test_positions(argnums):
    found = arguments.checked_argnums(argnums)
    assert np.array_equal(found, argnums)
    assert type(found) is (tuple if np.ndim(argnums) else int)


@settings(max_examples=40, deadline=None)
@given(trees(st.integers()), trees(st.integers()))
def test_leaves_are_named_as_python_finds_them(first, key):
    structure = tree.structure(((first, 2), {"key": key}))
    leaves = tree.leaves(((first, 2), {"key": key}))
    names = arguments.leaf_names(plain, structure)
    for name, leaf in zip(names, leaves, strict=True):
        if "flattened" not in name and "<" not in name:  # of some classes there are numbers only
            assert eval(name, {"a": first, "b": 2, "key": key}) == leaf


TYPES = [
    ArrayType(shape, np.dtype(code), weak)
    for shape in ((), (2,))
    for code in "fdD"
    for weak in (False, True)
    if not (weak and (shape or code == "f"))
]


@pytest.mark.parametrize("expected", [t for t in TYPES if not t.weak])
@pytest.mark.parametrize("given_", TYPES)
def test_what_fits_is_what_numpy_would_not_change(given_, expected):
    """A Python number takes on the dtype of an array, if NumPy lets it do so."""
    example = np.zeros(given_.shape, given_.dtype)
    example = example[()].item() if given_.weak else example
    sum_ = example + np.zeros(expected.shape, expected.dtype)
    is_kept = (sum_.shape, sum_.dtype) == (expected.shape, expected.dtype)
    is_same = given_.shape == expected.shape and (given_.weak or given_.dtype == expected.dtype)
    assert arguments.fits(given_, expected) == (is_kept and is_same)


def test_zeros_may_be_left_out_of_cotangents_and_tangents():
    output = {"a": np.ones(2), "n": 3, "b": [np.float32(1)]}
    structure, types = tree.structure(output), [*map(type_of, tree.leaves(output))]
    given_ = {"a": None, "n": None, "b": [2]}
    found = arguments.checked_cotangents(given_, structure, types)
    assert found == [None, np.float32(2), None]
    assert type(found[1]) is np.float32
    assert arguments.checked_tangents(given_, structure, types) == found
    for wrong, message in (
        ({"a": np.ones(3), "n": None, "b": [None]}, r"float64\[3\]"),
        ({"a": np.ones(2), "n": None, "b": (None,)}, r"At \['b'\], a list"),
        ({"a": "text", "n": None, "b": [None]}, "str"),
        ({"a": np.ones(2, "f"), "n": None, "b": [None]}, r"float32\[2\]"),
    ):
        with pytest.raises(errors.CotangentError, match=message):
            arguments.checked_cotangents(wrong, structure, types)
        with pytest.raises(errors.TangentError, match=message):
            arguments.checked_tangents(wrong, structure, types)
    with pytest.raises(errors.TangentError, match="takes none"):
        arguments.checked_tangents({"a": None, "n": 1, "b": [None]}, structure, types)


@pytest.mark.parametrize(
    ("value", "holomorphic", "expected"),
    [
        (np.float64(3), False, np.float64(1)),
        (np.float32(3), False, np.float32(1)),
        (2.0, False, np.float64(1)),
        (np.array(2.0), False, np.float64(1)),
        (1j, True, np.complex128(1)),
        (np.complex64(1), True, np.complex64(1)),
        (1j, False, errors.OutputTypeError),
        (2.0, True, errors.OutputTypeError),
        (3, False, errors.OutputTypeError),
        (np.ones(1), False, errors.NonScalarOutputError),
        ("1", False, errors.NonScalarOutputError),
        ([1.0], False, errors.NonScalarOutputError),
    ],
)
def test_the_seed_of_a_gradient(value, holomorphic, expected):
    if isinstance(expected, type):
        with pytest.raises(expected, match=r"plain|holomorphic"):
            arguments.seed_of(value, plain, holomorphic)
    else:
        found = arguments.seed_of(value, plain, holomorphic)
        assert (found, type(found)) == (1, type(expected))
