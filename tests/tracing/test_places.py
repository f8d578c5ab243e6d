"""Where in the user's code recorded operations stand, and in which scopes that have names."""

import cProfile
import io
import linecache
import pickle
import pstats
import threading

import numpy as np
import pytest

import functrace as ft
from functrace import errors, extend


def lines_of(program):
    """The text at which each equation stands."""
    return [linecache.getline(e.source.file, e.source.line) for e in program.equations]


def loss(x):
    y = np.tanh(x)  # the first line
    return np.sum(y * y)  # the second line


DERIVATIVES = {
    "grad": ft.grad(loss),
    "hvp": lambda x: ft.hvp(loss)(x, x),
    "grad of grad": ft.grad(lambda x: np.sum(ft.grad(loss)(x))),
    "grad of jvp": ft.grad(lambda x: ft.jvp(loss, (x,), (np.ones(3),))[1]),
    "pullback": lambda x: ft.vjp(loss, np.ones(3))[1](x[0])[0],
    "mapped": ft.vmap(lambda t: ft.jvp(loss, (np.ones(3) * t,), (np.ones(3),))[1]),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_what_rules_record_stands_where_the_operation_stands(name):
    found = lines_of(ft.make_ir(DERIVATIVES[name])(np.ones(3)))
    first = sum("first line" in line for line in found)
    second = sum("second line" in line for line in found)
    assert first >= 1
    assert second >= 1


class OfTheUser(extend.Elementwise):
    pass


def partial(t, output, x):
    return t * np.cos(x)  # in the rule


sine = OfTheUser("sine_of_places", np.sin, partial, run=np.sin)


@pytest.mark.parametrize(
    "derivative",
    [
        ft.grad(lambda x: extend.bind(sine, x)),
        lambda x: ft.jvp(lambda x: extend.bind(sine, x), (x,), (1.0,))[1],
        lambda x: ft.jvp(ft.grad(lambda x: extend.bind(sine, x)), (x,), (1.0,))[1],
        ft.grad(ft.grad(lambda x: extend.bind(sine, x))),
    ],
    ids=["grad", "jvp", "jvp of grad", "grad of grad"],
)
def test_what_a_rule_of_the_users_records_stands_in_the_rule(derivative):
    assert any("in the rule" in line for line in lines_of(ft.make_ir(derivative)(0.5)))


# Named scopes: names that stay beside equations, whatever is done with them


@ft.named_call
def encoder(x):
    """Encode."""
    with ft.named_scope("attention"):
        y = np.tanh(x)
    return y * 2


@ft.named_scope("head")
def head(x):
    return np.sum(x**2)


def named_loss(x):
    return head(encoder(x)) + np.exp(x[0])


X = np.ones(3)


def scopes_of(program):
    found = {}
    for equation in program.equations:
        for inside in equation.programs:
            found.update(scopes_of(inside))
        found.setdefault(equation.primitive.name, set()).add(equation.source.scope)
    return found


def test_names_stand_beside_equations():
    program = ft.make_ir(named_loss)(X)
    scopes = scopes_of(program)
    assert scopes["tanh"] == {"encoder/attention"}
    assert scopes["multiply"] == {"encoder"}
    assert scopes["sum"] == {"head"}
    assert scopes["exp"] == {""}
    line = encoder.__wrapped__.__code__.co_firstlineno + 4
    assert f".py:{line} in encoder/attention\n" in str(program)


def test_texts_files_and_pickles_keep_them():
    program = ft.make_ir(ft.grad(named_loss))(X)
    assert str(ft.parse(str(program))) == str(program)
    file = io.BytesIO()
    program.save(file)
    file.seek(0)
    for again in (ft.Program.load(file), pickle.loads(pickle.dumps(program))):
        assert str(again) == str(program)
        assert scopes_of(again) == scopes_of(program)


@pytest.mark.parametrize(
    "transform",
    [
        ft.grad,
        lambda f: ft.vmap(f, in_axes=None, axis_size=2),
        lambda f: lambda x: ft.vmap(f)(np.stack([x, x])),
        lambda f: lambda x: ft.vmap(ft.grad(f))(np.stack([x, x])),
        lambda f: lambda x: ft.jvp(f, (x,), (x,)),
        lambda f: ft.grad(ft.jit(f)),
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.checkpoint(f)),
        lambda f: lambda x: ft.vmap(ft.jit(f))(np.stack([x, x])),
        lambda f: ft.hessian(f),
        lambda f: ft.named_call(f, name="outer"),
    ],
)
def test_transformations_keep_them(transform):
    program = ft.make_ir(transform(named_loss))(X)
    found = {scope.removeprefix("outer/") for scope in scopes_of(program)["tanh"]}
    assert found == {"encoder/attention"}
    assert "outer" not in scopes_of(program)["tanh"]


def test_the_way_back_is_named_as_the_way_forward():
    text = str(ft.make_ir(ft.grad(named_loss))(X))
    after_head = text[text.index("sum(") :]
    assert "in head" in after_head
    assert "in encoder/attention" in after_head


def test_scopes_in_loops_and_choices():
    def f(x):
        def step(c, _):
            with ft.named_scope("step"):
                return np.sin(c), None

        with ft.named_scope("loop"):
            x, _ = ft.scan(step, x, None, length=3)
        return ft.cond(np.sum(x) > 0, ft.named_call(np.cos, name="yes"), np.tan, x)

    scopes = scopes_of(ft.make_ir(f)(X))
    assert scopes["sin"] == {"loop/step"}
    assert scopes["scan"] == {"loop"}
    assert scopes["cos"] == {"yes"}
    assert scopes["tan"] == {""}


@pytest.mark.numpy_backend
def test_generated_source_and_costs_show_them():
    fast = ft.jit(ft.grad(named_loss))
    assert "in encoder/attention" in fast.source(X)
    assert "in head" in str(ft.jit(named_loss).cost(X))
    assert "in encoder" in str(fast.lower(X).cost())


def test_they_change_no_program_but_its_places():
    def plain(x):
        y = np.tanh(x)
        return np.sum((y * 2) ** 2) + np.exp(x[0])

    for transform in (lambda f: f, ft.grad, ft.hessian):
        named, other = (ft.jit(transform(f)).lower(X).compile() for f in (named_loss, plain))
        texts = [ft.to_text(compiled.program, sources=False) for compiled in (named, other)]
        assert texts[0] == texts[1]
    same = ft.jit(lambda x: ft.named_call(np.sin, name="a")(x) + ft.named_call(np.sin, name="b")(x))
    assert str(same.lower(X).compile().program).count("sin(") == 1


def test_profiles_of_python_name_the_calls():
    profile = cProfile.Profile()
    named = ft.named_call(lambda x: np.sin(x), name="attention 1")
    profile.runcall(lambda: ft.grad(lambda x: named(x))(1.0))
    assert "(attention 1)" in _shown(profile)


def _shown(profile):
    stream = io.StringIO()
    pstats.Stats(profile, stream=stream).print_stats()
    return stream.getvalue()


def test_names_end_with_their_block():
    with pytest.raises(KeyError), ft.named_scope("a"):
        raise KeyError
    scope = ft.named_scope("b")

    def f(x):
        with scope, scope:
            x = np.sin(x)
        return np.cos(x)

    scopes = scopes_of(ft.make_ir(f)(1.0))
    assert scopes == {"sin": {"b/b"}, "cos": {""}}


def test_threads_have_scopes_of_their_own():
    found = []
    thread = threading.Thread(target=lambda: found.append(scopes_of(ft.make_ir(np.sin)(1.0))))
    with ft.named_scope("here"):
        thread.start()
        thread.join()
        assert scopes_of(ft.make_ir(np.sin)(1.0)) == {"sin": {"here"}}
    assert found == [{"sin": {""}}]


def test_a_recursive_function_and_its_attributes():
    @ft.named_call
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    assert scopes_of(ft.make_ir(lambda x: power(x, 3))(1.0)) == {
        "multiply": {"power", "power/power"}
    }
    assert encoder.__name__ == "encoder"
    assert encoder.__doc__ == "Encode."
    assert pickle.loads(pickle.dumps(encoder)) is encoder


def test_names_that_are_none():
    for name in ("", None, 3):
        with pytest.raises(errors.ArgumentError, match="must be a text"):
            ft.named_scope(name)
    with ft.named_scope("a\nb = 1"):
        program = ft.make_ir(np.sin)(1.0)
    assert str(ft.parse(str(program))) == str(program)
    assert len(str(program).splitlines()) == 3


def test_tracers_and_errors_know_their_places_in_scopes():
    def f(x):
        with ft.named_scope("a"):
            return np.zeros(3)[int(x)] if x > 0 else x

    for transform in (ft.grad, ft.jit):
        with pytest.raises((errors.FunctraceError, IndexError)):
            transform(f)(1.0 if transform is ft.jit else 7.0)

    def g(x):
        with ft.named_scope("a"):
            y = np.zeros(3)
            y[0] = x
            return y

    with pytest.raises((errors.FunctraceError, ValueError)):
        ft.jit(g)(1.0)


def test_numpys_refusals_are_explained_within_a_scope():
    @ft.jit
    def f(n):
        with ft.named_scope("a"):
            return np.zeros(n)

    with pytest.raises(errors.FunctraceError, match="static_argnums"):
        f(3)


def test_scopes_say_their_name():
    assert repr(ft.named_scope("encoder")) == "<named scope encoder>"
