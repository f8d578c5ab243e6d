"""What the package offers, and that asking it says so."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

import functrace as ft


def test_all_names_what_there_is():
    assert sorted(set(ft.__all__)) == sorted(ft.__all__)
    for name in ft.__all__:
        assert getattr(ft, name).__doc__
    assert set(ft.__all__) <= set(dir(ft))


def test_all_leaves_nothing_public_out():
    """Whatever the package holds is public, or a module, or Python's."""
    found = {
        name
        for name, value in vars(ft).items()
        if name[0] != "_" and not isinstance(value, ModuleType)
    }
    assert found - {"import_module", "TYPE_CHECKING", "Any"} <= set(ft.__all__)


def test_help_lists_the_functions():
    text = pydoc.render_doc(ft, renderer=pydoc.plaintext)
    for name in ("grad(", "value_and_grad(", "vmap(", "jit(", "cond(", "scan("):
        assert f"\n    {name}" in text


def test_modules_are_there_without_an_import():
    names = ["errors", "math", "scipy", "scipy.special", "testing"]
    code = "; ".join(["import functrace", *(f"functrace.{name}.__doc__[0]" for name in names)])
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'gard'"):
        _ = ft.gard


@pytest.mark.parametrize(
    "name",
    [
        "functrace",
        "functrace.extend",
        "functrace.flatten_util",
        "functrace.lax",
        "functrace.lax.linalg",
        "functrace.nn",
        "functrace.nn.initializers",
        "functrace.numpy",
        "functrace.numpy.fft",
        "functrace.numpy.linalg",
        "functrace.ops",
        "functrace.optim",
        "functrace.random",
        "functrace.scipy",
        "functrace.testing",
        "functrace.tree",
        "functrace.tree_util",
    ],
)
def test_a_module_shows_its_public_names_alone(name):
    """What it imports for itself is none of them."""
    module = import_module(name)
    assert dir(module) == sorted(set(module.__all__))
    assert not {"np", "Any", "Callable"} & set(dir(module))
