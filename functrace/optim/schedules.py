"""Numbers that change from step to step, by the names and formulas of ``optax``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from functrace.errors import ArgumentError
from functrace.factories import says_how_made
from functrace.optim.base import Schedule


@says_how_made
def constant_schedule(value: Any) -> Schedule:
    """The same number at each step.

    Example:
        >>> from functrace import optim
        >>> rate = optim.constant_schedule(0.5)
        >>> rate(0), rate(1000)
        (0.5, 0.5)
    """
    return lambda count: value


@says_how_made
def polynomial_schedule(
    init_value: Any, end_value: Any, power: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one number to another: ``(init - end) * (1 - step / steps)**power + end``.

    Args:
        init_value: The number before.
        end_value: The number after.
        power: The exponent.
        transition_steps: How many steps it takes; if not above 0 the first number stays.
        transition_begin: With which step it begins.

    Example:
        >>> from functrace import optim
        >>> optim.polynomial_schedule(1.0, 0.0, 2, 10)(5)
        np.float64(0.25)
    """
    if transition_steps <= 0:
        return constant_schedule(init_value)

    def schedule(count: Any) -> Any:
        step = np.clip(count - max(transition_begin, 0), 0, transition_steps)
        return (init_value - end_value) * (1 - step / transition_steps) ** power + end_value

    return schedule


@says_how_made
def linear_schedule(
    init_value: Any, end_value: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one number to another along a line: `polynomial_schedule` with power 1.

    Example:
        >>> from functrace import optim
        >>> rate = optim.linear_schedule(1.0, 0.0, transition_steps=4)
        >>> [float(rate(step)) for step in range(6)]
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


@says_how_made
def warmup_constant_schedule(init_value: Any, peak_value: Any, warmup_steps: int) -> Schedule:
    """Along a line to a number that stays.

    Example:
        >>> from functrace import optim
        >>> rate = optim.warmup_constant_schedule(0.0, 1.0, warmup_steps=4)
        >>> [float(rate(step)) for step in range(6)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return linear_schedule(init_value, peak_value, warmup_steps)


@says_how_made
def exponential_decay(
    init_value: Any,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """``init_value * decay_rate**(step / transition_steps)``.

    Args:
        init_value: The number before.
        transition_steps: In how many steps the rate is multiplied with; if not above 0 the first
            number stays.
        decay_rate: The rate; if it is 0 the first number stays.
        transition_begin: With which step it begins.
        staircase: Whether the exponent is rounded down.
        end_value: Where it ends.

    Example:
        >>> from functrace import optim
        >>> rate = optim.exponential_decay(1.0, transition_steps=10, decay_rate=0.5)
        >>> [float(rate(step)) for step in (0, 10, 20, 30)]
        [1.0, 0.5, 0.25, 0.125]
        >>> stairs = optim.exponential_decay(1.0, 10, 0.5, staircase=True)
        >>> [float(stairs(step)) for step in (0, 9, 10, 19)]
        [1.0, 1.0, 0.5, 0.5]
    """
    if transition_steps <= 0 or decay_rate == 0:
        return constant_schedule(init_value)

    def schedule(count: Any) -> Any:
        exponent = np.maximum(count - max(transition_begin, 0), 0) / transition_steps
        value = init_value * decay_rate ** (np.floor(exponent) if staircase else exponent)
        if end_value is None:
            return value
        return (np.maximum if decay_rate < 1 else np.minimum)(value, end_value)

    return schedule


@says_how_made
def cosine_decay_schedule(
    init_value: Any, decay_steps: int, alpha: Any = 0.0, exponent: Any = 1.0
) -> Schedule:
    """Half a wave down (Loshchilov and Hutter, SGDR, ICLR 2017).

    ``init_value * ((1 - alpha) * ((1 + cos(pi * step / decay_steps)) / 2)**exponent + alpha)``.

    Args:
        init_value: The number before.
        decay_steps: How many steps it takes.
        alpha: Which part is left.
        exponent: The exponent.

    Raises:
        ArgumentError: ``decay_steps`` is not above 0.

    Example:
        >>> from functrace import optim
        >>> rate = optim.cosine_decay_schedule(1.0, decay_steps=100)
        >>> [round(float(rate(step)), 3) for step in (0, 25, 50, 100, 200)]
        [1.0, 0.854, 0.5, 0.0, 0.0]
    """
    if not decay_steps > 0:
        raise ArgumentError(f"decay_steps={decay_steps!r} is not above 0.")

    def schedule(count: Any) -> Any:
        part = np.minimum(count, decay_steps) / decay_steps
        wave = (0.5 * (1 + np.cos(math.pi * part))) ** exponent
        return init_value * ((1 - alpha) * wave + alpha)

    return schedule


@says_how_made
def piecewise_constant_schedule(
    init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """A number that is multiplied with another one at each of some steps.

    Example:
        >>> from functrace import optim
        >>> rate = optim.piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.5})
        >>> [float(rate(step)) for step in (0, 9, 10, 20)]
        [1.0, 1.0, 0.5, 0.25]
    """
    steps = _positive(boundaries_and_scales)

    def schedule(count: Any) -> Any:
        value = init_value
        for boundary, scale in steps:
            value = np.where(np.less(count, boundary), value, value * scale)[()]
        return value

    return schedule


def _positive(boundaries_and_scales: Mapping[int, Any] | None) -> list[tuple[int, Any]]:
    steps = sorted((boundaries_and_scales or {}).items())
    if any(scale < 0 for _, scale in steps):
        raise ArgumentError("Numbers of steps are multiplied with what is not negative.")
    return steps


@says_how_made
def piecewise_interpolate_schedule(
    interpolate_type: Literal["linear", "cosine"],
    init_value: Any,
    boundaries_and_scales: Mapping[int, Any] | None = None,
) -> Schedule:
    """As `piecewise_constant_schedule`, by lines or half waves from one step to the next.

    Raises:
        ArgumentError: It is neither "linear" nor "cosine", or a number is negative.

    Example:
        >>> from functrace import optim
        >>> rate = optim.piecewise_interpolate_schedule("linear", 1.0, {10: 0.5, 20: 0.5})
        >>> [float(rate(step)) for step in (0, 5, 10, 20)]
        [1.0, 0.75, 0.5, 0.25]
    """
    if interpolate_type not in ("linear", "cosine"):
        raise ArgumentError(f"{interpolate_type!r} is neither 'linear' nor 'cosine'.")
    steps = _positive(boundaries_and_scales)

    def schedule(count: Any) -> Any:
        begin, value, result = 0, init_value, init_value
        for boundary, scale in steps:
            part = np.clip((count - begin) / max(boundary - begin, 1), 0, 1)
            if interpolate_type == "cosine":
                part = 0.5 * (1 - np.cos(math.pi * part))
            after = np.less(count, begin)
            moved = value + (value * scale - value) * part
            result = np.where(after, result, moved)[()]
            begin, value = boundary, value * scale
        return result

    return schedule


@says_how_made
def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up along a line, down, and further down (Smith and Topin, Super-convergence, 2018).

    Raises:
        ArgumentError: ``transition_steps`` is not above 0.

    Example:
        >>> from functrace import optim
        >>> rate = optim.linear_onecycle_schedule(100, 1.0)
        >>> [round(float(rate(step)), 3) for step in (0, 15, 30, 85, 100)]
        [0.04, 0.52, 1.0, 0.04, 0.0]
    """
    if transition_steps <= 0:
        raise ArgumentError(f"transition_steps={transition_steps!r} is not above 0.")
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(pct_final * transition_steps): 1 / div_factor,
        transition_steps: 1 / final_div_factor,
    }
    return piecewise_interpolate_schedule("linear", peak_value / div_factor, scales)


@says_how_made
def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up half a wave and down another (Smith and Topin, Super-convergence, 2018).

    Raises:
        ArgumentError: ``transition_steps`` is not above 0.

    Example:
        >>> from functrace import optim
        >>> rate = optim.cosine_onecycle_schedule(100, 1.0)
        >>> [round(float(rate(step)), 3) for step in (0, 15, 30, 65, 100)]
        [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if transition_steps <= 0:
        raise ArgumentError(f"transition_steps={transition_steps!r} is not above 0.")
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(transition_steps): 1 / (div_factor * final_div_factor),
    }
    return piecewise_interpolate_schedule("cosine", peak_value / div_factor, scales)


@says_how_made
def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after the other, each of which counts its own steps.

    Args:
        schedules: The schedules.
        boundaries: The step with which each but the first begins.

    Example:
        >>> from functrace import optim
        >>> up = optim.linear_schedule(0.0, 1.0, 2)
        >>> rate = optim.join_schedules([up, optim.constant_schedule(0.5)], [3])
        >>> [float(rate(step)) for step in range(5)]
        [0.0, 0.5, 1.0, 0.5, 0.5]
    """

    def joined(count: Any) -> Any:
        value = schedules[0](count)
        for boundary, schedule in zip(boundaries, schedules[1:], strict=False):
            value = np.where(np.less(count, boundary), value, schedule(count - boundary))[()]
        return value

    return joined


@says_how_made
def warmup_cosine_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    decay_steps: int,
    end_value: Any = 0.0,
    exponent: Any = 1.0,
) -> Schedule:
    """Up along a line, and down half a wave.

    Args:
        init_value: Where it begins.
        peak_value: Where the line ends.
        warmup_steps: How many steps that takes.
        decay_steps: How many steps all takes.
        end_value: Where it ends.
        exponent: Of the wave, see `cosine_decay_schedule`.

    Example:
        >>> from functrace import optim
        >>> rate = optim.warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=10, decay_steps=110)
        >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    alpha = 0.0 if peak_value == 0 else end_value / peak_value
    decay = cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent)
    return join_schedules(
        [linear_schedule(init_value, peak_value, warmup_steps), decay], [warmup_steps]
    )


@says_how_made
def warmup_exponential_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """Up along a line, and down as `exponential_decay`, whose arguments follow.

    Example:
        >>> from functrace import optim
        >>> rate = optim.warmup_exponential_decay_schedule(0.0, 1.0, 10, 20, decay_rate=0.5)
        >>> [float(rate(step)) for step in (0, 5, 10, 30, 50)]
        [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    decay = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    return join_schedules(
        [linear_schedule(init_value, peak_value, warmup_steps), decay], [warmup_steps]
    )


@says_how_made
def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Schedules of `warmup_cosine_decay_schedule` one after the other, by their keywords.

    Example:
        >>> from functrace import optim
        >>> cycle = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 2, "decay_steps": 4}
        >>> rate = optim.sgdr_schedule([cycle, {**cycle, "peak_value": 0.5}])
        >>> [round(float(rate(step)), 3) for step in range(8)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
    """
    each = [dict(options) for options in cosine_kwargs]
    ends = np.cumsum([options["decay_steps"] for options in each]).tolist()
    return join_schedules([warmup_cosine_decay_schedule(**options) for options in each], ends[:-1])
