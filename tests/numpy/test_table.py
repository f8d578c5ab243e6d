"""The table of NumPy's names in docs/numpy.md: complete, up to date, and true.

What the rows say of functions is tried by ``test_all.py``; here, what is said of the others.
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest

import functrace as ft
import functrace.numpy
from tests.functions import decisions
from tests.functions.decisions import ALIASES, PLAIN, REFUSED, SOME_VERSIONS, value_named
from tests.functions.rows import ROWS, load

load()


def test_every_name_is_decided_on():
    undecided = set(decisions.names()) - decisions.decided().keys()
    assert not undecided, "add a row for it in tests/functions, or say in others.py what it is"


def test_no_name_is_decided_on_twice():
    tables = [set(ROWS), set(ALIASES), set(REFUSED), set(PLAIN)]
    for number, names in enumerate(tables):
        for others in tables[number + 1 :]:
            assert not names & others


def test_names_are_of_numpy():
    strange = {name for name in decisions.decided() if value_named(name) is None}
    assert strange - SOME_VERSIONS <= {"np.newaxis"}


@pytest.mark.parametrize("name", ALIASES)
def test_an_alias_is_the_function_that_has_a_row(name):
    assert ALIASES[name] in ROWS
    if name not in SOME_VERSIONS:
        assert value_named(name) is value_named(ALIASES[name])


def test_the_page_is_up_to_date():
    written = decisions.PAGE.read_text(encoding="utf-8")
    assert written == decisions.page(), "run python -m tests.functions.decisions"


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """A module with a function for each call, since messages quote the user's line."""
    path = tmp_path_factory.mktemp("refused") / "refused.py"
    calls = [f"lambda t, k: {decision.call}" for decision in REFUSED.values()]
    path.write_text("import numpy as np\n\nCALLS = [\n" + ",\n".join(calls) + ",\n]\n")
    spec = spec_from_file_location("refused", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("namespace", [np, ft.numpy])
def test_refusals_say_what_to_write_instead(refused, monkeypatch, name, namespace):
    decision = REFUSED[name]
    monkeypatch.setattr(refused, "np", namespace)
    f = refused.CALLS[list(REFUSED).index(name)]
    t, k = np.array([0.5, 1.5]), 1.5
    with pytest.raises(decision.error) as eager:
        ft.vjp(f, t, k)
    assert decision.words in str(eager.value)
    error, words = decision.compiled
    with pytest.raises(error) as compiled:
        ft.jit(f)(t, k)
    assert words in str(compiled.value)
