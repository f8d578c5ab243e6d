"""NumPy's warnings, at the user's own lines.

NumPy warns of overflow and of divisions by zero at the line of Python that calls it. Under a
transformation that line is one of functrace's, and since Python shows a warning once for each
place, all but the first would be swallowed. So while a transformation runs the user's function,
NumPy is told to hand over what it has to say, by the setting ``log`` of `numpy.errstate`, and it is
said again at the line of the user's. The other settings (ignore, raise, print, call) keep their
meaning, also those that the function makes itself.

A setting takes NumPy a microsecond to make, so what was made for the user's setting is kept.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Hashable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy._core import umath  # pyright: ignore[reportMissingTypeStubs]

from functrace.ir.program import DIVISION, HANDLINGS, NOTHING, Handling, handled_within
from functrace.tracing.places import LIBRARIES, OWN_FOLDER, source_in

R = TypeVar("R")

_setting: ContextVar[Any] = getattr(umath, "_extobj_contextvar")  # noqa: B009  (it has no type)
"""Where NumPy keeps what `numpy.errstate` was told: to restore it costs a tenth of a new context
manager. It is private, but has been there since NumPy 2.0, as long as ``numpy._core``."""

_get, _set, _reset = _setting.get, _setting.set, _setting.reset

_KINDS = {"divide by zero": "divide", "overflow": "over", "underflow": "under"}
"""NumPy's words for the settings of `numpy.errstate`; what is none of them is ``invalid``."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """What stands for a setting of the user's.

    Attributes:
        given: The setting; held, since it is found by its identity.
        placed: The same with warnings at the user's lines; None if it needs no change.
        silent: The same as that, but silent about division; None if it is that already.
        handling: What it says itself of each kind of errors.
        others: The same as `placed`, with some kinds of errors handled in another way, by that; and
            what calls a function in place of all that is said, by the function.
    """

    given: Any
    placed: Any
    silent: Any
    handling: Handling
    others: dict[Hashable, Any]


_known: dict[int, _Settings] = {}
_MOST_KNOWN = 64

_made: dict[int, Any] = {}
"""The settings that were made here, by their identity."""


class _Placed:
    """What NumPy calls, or writes to, in place of warning."""

    def __init__(self, modes: dict[str, Any], call: Any, handling: Handling = NOTHING) -> None:
        self.modes = modes
        self.call = call
        self.handling = handling

    def __call__(self, error: str, flag: int) -> None:
        self.call(error, flag)

    def write(self, message: str) -> None:
        """Warn as NumPy would, where its message was meant to be a warning."""
        text = message.removeprefix("Warning: ").removesuffix("\n")
        kind = _KINDS.get(text.partition(" encountered")[0], "invalid")
        if self.modes[kind] == "log":
            self.call.write(message)
        else:
            _warn(text, RuntimeWarning, 2)


def _settings() -> _Settings:
    """What stands for the setting that is in force."""
    return _known.get(id(_get())) or _learnt()


def _learnt() -> _Settings:
    """What stands for the setting that is in force, made now."""
    given, modes, call = _get(), np.geterr(), np.geterrcall()
    own = call if isinstance(call, _Placed) else _Placed(dict(modes), call)
    logged: Any = {kind: "log" for kind, mode in modes.items() if mode == "warn"}
    placed: Any = None
    if logged:
        with np.errstate(call=own, **logged):
            placed = _get()
    silent = _handling(DIVISION)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
        _made.clear()
    handled, others = _said(modes, call), dict[Hashable, Any]()
    settings = _known[id(given)] = _Settings(given, placed, silent, handled, others)
    for made in (placed, silent):
        if made is not None:
            _made[id(made)] = made
    if placed is not None:
        _known[id(placed)] = _Settings(placed, None, silent, handled, others)
    _known[id(silent)] = _Settings(silent, None, None, handled_within(handled, DIVISION), {})
    return settings


def _said(modes: Mapping[str, Any], call: Any) -> Handling:
    """How each kind of errors is handled; by a function of the user's is not said."""
    return HANDLINGS & {f"{kind}={mode}" for kind, mode in _told(modes, call).items()}


def _told(modes: Mapping[str, Any], call: Any) -> dict[str, Any]:
    """What the user told NumPy to do about each kind of errors."""
    is_ours = isinstance(call, _Placed)
    return {k: call.modes[k] if is_ours and mode == "log" else mode for k, mode in modes.items()}


def _handling(handling: Handling) -> Any:
    """The setting in force, with warnings at the user's lines, and some kinds handled like this."""
    modes, call = np.geterr(), np.geterrcall()
    own = call if isinstance(call, _Placed) else _Placed(dict(modes), call)
    told: Any = dict(how.split("=") for how in handling)
    changed: Any = {**modes, **told}
    logged: Any = {kind: "log" if mode == "warn" else mode for kind, mode in changed.items()}
    with np.errstate(call=_Placed({**own.modes, **told}, own.call, handling), **logged):
        return _get()


def begin() -> Token[Any] | None:
    """Let NumPy's warnings name the user's lines from now on, until `end`.

    Returns:
        What `end` takes.
    """
    found = _known.get(id(_get()))
    placed = (_learnt() if found is None else found).placed
    return None if placed is None else _set(placed)


in_force = _get
"""The setting in force; it is the same object as long as nobody says something else."""


def placed_again() -> Any:
    """Let warnings that the user's function has asked for itself name the user's lines.

    Returns:
        The setting that is in force now. What the function has told NumPy ends where it ends.
    """
    given = _get()
    found = _known.get(id(given))
    if found is not None and found.placed is None:  # a transformation within this one has said it
        return given
    modes = np.geterr()
    if "warn" in modes.values():
        call = np.geterrcall()
        own = call if isinstance(call, _Placed) else _Placed(dict(modes), call)
        logged: Any = {kind: "log" for kind, mode in modes.items() if mode == "warn"}
        told = {**own.modes, **dict.fromkeys(logged, "warn")}
        with np.errstate(call=_Placed(told, own.call, own.handling), **logged):
            made = _get()
        _set(made)
    return _get()


def begin_silence() -> Token[Any] | None:
    """As `begin`; nothing is said of divisions by zero and invalid values."""
    last, silent = _last_silenced[0]
    given = _get()
    if given is not last:
        silent = _settings().silent
        _last_silenced[0] = given, silent
    return None if silent is None else _set(silent)


def end_silence(begun: Token[Any] | None) -> None:
    """End what `begin_silence` has begun, where nobody has changed a setting meanwhile."""
    if begun is not None:
        _reset(begun)


_last_silenced: list[tuple[Any, Any]] = [(None, None)]
"""The setting that was silenced last, and what stands for it: compiled functions ask for it."""


def begin_handling(handling: Handling) -> Token[Any] | None:
    """As `begin`; errors are handled as they were where an equation was recorded."""
    if handling is DIVISION:
        return begin_silence()
    settings = _settings()
    if handling <= settings.handling:
        return begin()
    made = settings.others.get(handling)
    if made is None:
        made = settings.others[handling] = _handling(handling)
    _made[id(made)] = made
    return _set(made)


def begin_calling(call: Callable[[str, int], Any]) -> Token[Any]:
    """Let NumPy call a function in place of all that it has to say, until `end_of_rule`."""
    given = _get()
    found = _known.get(id(given))
    made = None if found is None else found.others.get(call)
    return _set(_calling(call, given) if made is None else made)


_strange: list[Any] = [None]
"""The last setting for which `begin_calling` made another: what comes twice in a row is kept."""


def _calling(call: Callable[[str, int], Any], given: Any) -> Any:
    called: Any = {kind: "call" for kind, mode in np.geterr().items() if mode != "ignore"}
    with np.errstate(call=call, **called):
        made = _get()
    if id(given) in _known or given is _strange[0]:
        _settings().others[call] = made
    _strange[0] = given
    return made


def handling() -> Handling:
    """How NumPy is told to handle errors."""
    found = _known.get(id(_get()))
    return _said(np.geterr(), np.geterrcall()) if found is None else found.handling


def is_in_rule() -> bool:
    """Whether NumPy is told to say nothing of divisions as it is told around rules."""
    found = _known.get(id(_get()))
    return found is not None and found.silent is None


def end(begun: Token[Any] | None) -> None:
    """Restore what was in force, but for what `numpy.seterr` has changed since."""
    if begun is not None:
        left = _get()
        _reset(begun)
        if id(left) not in _made:
            _keep(left)


def _keep(left: Any) -> None:
    """Make the changes to the setting that the user's function left behind by `numpy.seterr`."""
    settings = _settings()
    after = _read(left)
    # What was made here, and forgotten since, is no change.
    is_ours = isinstance(after[1], _Placed)
    told = after[1].handling if is_ours else NOTHING
    begun = settings.silent if told == DIVISION else settings.others.get(told, settings.placed)
    before = _read(begun or settings.given)
    changed: Any = {kind: mode for kind, mode in after[0].items() if mode != before[0][kind]}
    np.seterr(**changed)
    if after[1] is not before[1] and not is_ours:
        np.seterrcall(after[1])


def _read(setting: Any) -> tuple[dict[str, Any], Any]:
    """What a setting says: what is done about each kind of error, and what is called."""
    token = _set(setting)
    try:
        call = np.geterrcall()
        return _told(np.geterr(), call), call
    finally:
        _reset(token)


end_of_rule = _reset
"""As `end`, after what changes no settings, as a rule; only where something was begun."""


def warning_at_users_lines(run: Callable[..., R]) -> Callable[..., R]:
    """The same function, whose warnings name the user's lines."""

    def placed(*inputs: Any) -> R:
        begun = begin()
        try:
            return run(*inputs)
        finally:
            end(begun)

    return placed


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the user's line for which functrace is at work."""
    _warn(message, category, 2)


def _warn(message: str, category: type[Warning], depth: int) -> None:
    frame: Any = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]
    caller, is_ours = frame, False
    while frame is not None:
        file = frame.f_code.co_filename
        source = source_in(frame)
        if source is not None:
            _warn_at(source.file, source.line, namespace_of(source.file), message, category)
            return
        if not file.startswith(LIBRARIES):
            break
        is_ours = is_ours or file.startswith(OWN_FOLDER)
        frame = frame.f_back
    if frame is None or not is_ours:  # functrace has no part in it: the place that NumPy gives
        frame = caller
    _warn_at(frame.f_code.co_filename, frame.f_lineno, frame.f_globals, message, category)


def _warn_at(
    file: str, line: int, namespace: dict[str, Any], message: str, category: type[Warning]
) -> None:
    registry = namespace.setdefault("__warningregistry__", {})
    module = namespace.get("__name__", "<string>")  # with None Python says nothing
    warnings.warn_explicit(message, category, file, line, module, registry)


_namespaces: dict[str, dict[str, Any]] = {}


def namespace_of(file: str) -> dict[str, Any]:
    """The namespace of the module of a file, in which Python counts its warnings."""
    if file not in _namespaces:
        modules = list(sys.modules.values())
        found = (vars(m) for m in modules if getattr(m, "__file__", None) == file)
        _namespaces[file] = next(found, {})
    return _namespaces[file]
