"""jit: record a function once, and run what was compiled from its recording from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from functrace.backends.backend import backend_named
from functrace.errors import ArgumentError
from functrace.jitting.guards import MISS
from functrace.jitting.recordings import CacheInfo, Reason, Recordings
from functrace.jitting.stages import Cost, Lowered, lower
from functrace.texts import escaped, html_table
from functrace.tracebacks import boundary, leave_out_own_frames
from functrace.transforms.static_arguments import named_parameters
from functrace.transforms.transformed import require_callable, transformed

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Self_ = TypeVar("Self_")
Rest = ParamSpec("Rest")


class Jitted(Protocol[P, R_co]):
    """A function under `jit`: a plain Python function, with these attributes.

    In the body of a class it is a method. Its first argument, ``self``, must then be a tree, or be
    static.
    """

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function."""
        ...

    @overload
    def __get__(
        self: Jitted[Concatenate[Self_, Rest], R_co], instance: Self_, owner: type[Self_], /
    ) -> Callable[Rest, R_co]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> Jitted[P, R_co]: ...

    def lower(self, *args: Any, **kwargs: Any) -> Lowered[R_co]:
        """Record the function for such arguments; `ShapeDtypeStruct` may stand for arrays."""
        ...

    def source(self, *args: Any, **kwargs: Any) -> str:
        """The text of what runs for such arguments."""
        ...

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """What computes such a call: machine code or NumPy, and why, by operation and line."""
        ...

    def llvm(self, *args: Any, **kwargs: Any) -> str:
        """The machine code for such arguments in LLVM's language, as it was optimized."""
        ...

    def assembly(self, *args: Any, **kwargs: Any) -> str:
        """The machine code for such arguments in the processor's language."""
        ...

    def cost(self, *args: Any, **kwargs: Any) -> Cost:
        """How many operations and bytes what runs for such arguments takes, by equation."""
        ...

    def cache_info(self) -> CacheInfo:
        """How many recordings there are, and how often one was made."""
        ...

    def why_recorded(self) -> list[Reason]:
        """Why it was recorded, each time: which shape, dtype or static value was another one."""
        ...

    def clear_cache(self) -> None:
        """Forget all recordings."""
        ...


@overload
def jit(
    f: Callable[P, R],
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    inline: bool = False,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
) -> Jitted[P, R]: ...
@overload
def jit(
    f: None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    inline: bool = False,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
) -> Callable[[Callable[P, R]], Jitted[P, R]]: ...
@boundary
def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    inline: bool = False,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
) -> Any:
    """Make a function that is recorded once, and run from its recording from then on.

    The function is called on tracers of which only shapes and dtypes are known, once for each tree
    structure and types of its arguments and each value of the static ones. Python code in it runs
    only then: printing, appending to lists, and reading the clock happen once. So does reading what
    is no argument: numbers and arrays from outside count as they are when the function is recorded,
    all of them, whatever is written into them later. What is to change from call to call is an
    argument; ``clear_cache()`` lets the function read the rest again.

    The 256 recordings that were used last are kept.

    Args:
        f: A function of trees of arrays. Without it, a decorator is returned.
        static_argnums: The positions of arguments that are not traced, but are plain Python
            values: options, shapes, functions. They must be hashable.
        static_argnames: The names of such arguments, where they are passed by keyword.
        donate_argnums: The positions of arguments that the caller will not use again. The memory
            of their arrays is reused, for results too: after the call their contents are undefined.
            Only an array that owns its memory, may be written, and shares it with no other argument
            is reused; any other is copied first.
        donate_argnames: The names of such arguments, where they are passed by keyword.
        inline: Taken for the sake of programs for JAX, as the following are. All calls are written
            in place.
        keep_unused: Taken.
        device: Taken; there is one.
        backend: The name of the backend that compiles it: ``"numpy"``, or ``"native"`` for machine
            code, which needs the extra ``functrace[native]``; or ``"auto"``: NumPy's source, and
            machine code when calls have taken as long as that takes to compile. By default it
            is what `functrace.config` says when the function is called, which is ``"auto"``.

    Returns:
        A function with the arguments and results of ``f``.

    Raises:
        UnknownValueError: ``f`` asks Python for the value of an array.
        ArgumentError: A static argument cannot be hashed, or another is no array; or there is no
            such backend.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> fast = ft.jit(lambda x: np.sin(x) ** 2)
        >>> fast(0.0)
        np.float64(0.0)
        >>> @ft.jit(static_argnames="n")
        ... def power(x, n):
        ...     return x**n
        >>> power(np.array([1.0, 2.0]), n=3)
        array([1., 8.])
    """
    if backend is not None:
        backend_named(backend)
    if f is None:

        def decorate(decorated: Callable[..., Any]) -> Any:
            return jit(
                decorated,
                static_argnums=static_argnums,
                static_argnames=static_argnames,
                donate_argnums=donate_argnums,
                donate_argnames=donate_argnames,
                backend=backend,
            )

        return decorate
    require_callable(f, "jit")
    static = named_parameters(f, static_argnums, static_argnames, "static_argnums")
    donated = named_parameters(f, donate_argnums, donate_argnames, "donate_argnums")
    if static.positions & donated.positions or static.names & donated.names:
        both = sorted(static.names & donated.names) or sorted(static.positions & donated.positions)
        raise ArgumentError(
            f"An argument cannot be static and donated, as {both[0]} is: what is static is no "
            "array."
        )
    recordings = Recordings(f, static, donated, backend)

    @transformed(
        f,
        jit,
        static_argnums=static_argnums,
        static_argnames=static_argnames,
        donate_argnums=donate_argnums,
        donate_argnames=donate_argnames,
        backend=backend,
    )
    def jitted(*args: Any, **kwargs: Any) -> Any:
        try:
            result = recordings.first(args, kwargs)
            return recordings.call(args, kwargs) if result is MISS else result
        except Exception as error:
            leave_out_own_frames(error)
            raise

    function = jitted
    lowered = boundary(lambda *args, **kwargs: lower(recordings, args, kwargs))
    function.lower = lowered
    function.source = boundary(lambda *args, **kwargs: lowered(*args, **kwargs).compile().source)
    for name, kind in _TEXTS.items():
        setattr(function, name, boundary(partial(_text, lowered, kind)))
    function.cost = boundary(lambda *args, **kwargs: lowered(*args, **kwargs).compile().cost())
    function.cache_info = recordings.info
    function.why_recorded = recordings.reasons
    function._repr_html_ = partial(_html, recordings)
    function.clear_cache = recordings.clear
    return function


def _html(recordings: Recordings) -> str:
    """What a notebook shows of a jitted function: its recordings."""
    rows = [
        (str(number), reason.why, reason.place)
        for number, reason in enumerate(recordings.reasons(), 1)
    ]
    table = html_table(("", "recording", "called at"), rows) if rows else "<p>not called yet</p>"
    name = getattr(recordings.function, "__name__", "a function")
    return f"<p>jit of {escaped(name)}</p>{table}"


_TEXTS = {"explain": "explanation", "llvm": "llvm", "assembly": "assembly"}


def _text(lowered: Callable[..., Lowered[Any]], kind: str, *args: Any, **kwargs: Any) -> str:
    return lowered(*args, **kwargs).compile().text(kind)
