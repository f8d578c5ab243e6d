"""Which backend runs a function that names none: NumPy's, until machine code is worth compiling.

Machine code takes ten times as long to compile as the source for NumPy does, which nobody should
wait for who calls a function a few times. So the source runs first, and is watched: a call that no
guard lets pass is timed, and guards count the others, up to a number that is allowed them. When as
much time went by in the source as compiling will take, the function is compiled to machine code. At
worst that takes twice the time that the better of the two would have taken.

Machine code is on trial for its first calls, and again when NumPy has to run in its place often.
Where it is not faster than the source was, the source comes back, for good. In the end nothing is
watched: guards are as if the backend had been named.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol
from weakref import ref

from functrace.backends.backend import NATIVE, Executable, backend_named
from functrace.backends.compiling import simplified
from functrace.ir.program import Program
from functrace.jitting.guards import Allowance

_logger = logging.getLogger("functrace")

TRIALS = 5
"""Of so many calls the median counts."""

LEAST_SAVED = 0.03
"""What machine code must save, as a share of the source's time, before it is compiled. It is an
estimate, and a machine that does much else makes the source's time longer: trials decide."""

MOST_COST = 5.0
"""What would take more seconds to compile stays with NumPy: somebody may be waiting."""

SLOWER = 1.0
"""So much of the source's time machine code may take."""

REFUSALS = 64
"""After so many runs that were NumPy's after all there is another trial."""


def cost_of(program: Program) -> float:
    """About how many seconds it takes to compile a Program to machine code.

    From the gradients of ``benchmarks/native.py``, of which nine in ten take between a third and
    twice of that.
    """
    simple = simplified(program, "numpy")
    count = sum(len(part.equations) for part in (simple, *simple.nested()))
    importing = 0.0 if "functrace.backends.native.backend" in sys.modules else 0.15
    return importing + 0.02 + 0.0015 * count


class Recording(Protocol):
    """What is run."""

    @property
    def program(self) -> Program:
        """The Program."""
        ...

    def compiled_by(self, backend: str) -> Executable:
        """What a backend makes of it."""
        ...

    def use(self, executable: Executable) -> None:
        """Run this from now on."""
        ...


class Tier:
    """Watches the calls of one recording.

    Attributes:
        allowance: How many calls guards let pass unseen.
        is_settled: Whether it is decided what runs, so that nothing is to be watched.
        is_on_trial: Whether all calls are to be seen.
        spent: How many seconds were spent in the source.
    """

    def __init__(self) -> None:
        self.allowance = Allowance()
        self.is_settled = False
        self.is_on_trial = False
        self.spent = 0.0
        self._recent: deque[float] = deque(maxlen=TRIALS)
        self._by_source = 0.0  # seconds of a call
        self._by_machine = 0.0
        self._is_native = False
        self._refusals = 0
        self._most_refusals = REFUSALS
        self._why = ""
        self._lock = threading.Lock()

    def ran(self, recording: Recording, seconds: float) -> None:
        """Take note of a call, and of those that guards let pass before."""
        if not self._lock.acquire(blocking=False):
            return  # another thread may be compiling
        try:
            self._recent.append(seconds)
            if self.is_settled:
                pass  # by another thread, meanwhile
            elif not self.is_on_trial:
                self._watch(recording)
            elif len(self._recent) == TRIALS:
                self._judge(recording)
        finally:
            self._lock.release()

    def _watch(self, recording: Recording) -> None:
        self._by_source = median(self._recent)
        self.spent += (1 + self.allowance.renew(0)) * self._by_source
        cost = cost_of(recording.program)
        if cost > MOST_COST:
            self._settle("to compile machine code would take too long")
            recording.use(recording.compiled_by("numpy"))
        elif self.spent < cost:
            # Calls may come to take longer, so all that is left is not given at once.
            share = max((cost - self.spent) / 4, cost / 16)
            self.allowance.renew(int(share / max(self._by_source, 1e-9)))
        else:
            self._compile(recording)

    def _compile(self, recording: Recording) -> None:
        why = "machine code would save little"
        found = None
        try:
            native = backend_named(NATIVE)
            if native.saved(recording.program) >= LEAST_SAVED * self._by_source:
                found = recording.compiled_by(NATIVE)
        except Exception as error:
            # Nobody asked for machine code.
            _logger.info("There is no machine code, as something went wrong.", exc_info=True)
            why = f"there is no machine code, as something went wrong: {error!r}"
        if found is None:
            self._settle(why)
            recording.use(recording.compiled_by("numpy"))
            return
        if found.refusing is not None:
            found.refusing(self._teller(recording))
        self._try(recording, found)

    def _try(self, recording: Recording, executable: Executable) -> None:
        self._recent.clear()
        self.is_settled, self.is_on_trial = False, True
        recording.use(executable)

    def _teller(self, recording: Recording) -> Callable[[], None]:
        """What is called when NumPy runs in place of machine code; it keeps nothing alive."""
        tier, watched = ref(self), ref(recording)

        def tell() -> None:
            this, recording = tier(), watched()
            if this is not None and recording is not None and this.is_settled:
                this._refused(recording)

        return tell

    def _refused(self, recording: Recording) -> None:
        self._refusals += 1
        if self._refusals >= self._most_refusals and self._is_native:
            self._refusals = 0
            self._most_refusals *= 2
            self._try(recording, recording.compiled_by(NATIVE))

    def _judge(self, recording: Recording) -> None:
        self._by_machine = median(self._recent)
        took = f"{1e6 * self._by_machine:,.1f} and {1e6 * self._by_source:,.1f} microseconds"
        self._is_native = self._by_machine <= SLOWER * self._by_source
        name = NATIVE if self._is_native else "numpy"
        self._settle(f"machine code and NumPy took {took} a call, and the faster one runs")
        recording.use(recording.compiled_by(name))

    def _settle(self, why: str) -> None:
        self.is_settled, self.is_on_trial, self._why = True, False, why

    def explained(self, program: Program) -> str:
        """What runs, and why, in a line."""
        if self.is_on_trial:
            return "Machine code is on trial: its first calls are compared with those before."
        if self.is_settled:
            return f"This stays as it is: {self._why}."
        return (
            f"{1e3 * self.spent:,.1f} milliseconds were spent in this so far; it is compiled to "
            f"machine code from {1e3 * cost_of(program):,.0f} on, about what that takes."
        )


def median(seconds: Iterable[float]) -> float:
    """The one in the middle, or the smaller one of two."""
    found = sorted(seconds)
    return found[(len(found) - 1) // 2]
