"""What is left of a function with rules of the user's when a Program is saved.

Rules are Python functions, which files do not hold. The function itself is recorded and saved; to
differentiate or map that instead of using the rule could give something else without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functrace.control.call import Call
from functrace.errors import MissingRuleError
from functrace.ir.primitive import Primitive, Values


class Ruleless(Call):
    """Run a Program that has no derivative. Parameters: ``program``; ``function``, its name."""

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """There is none."""
        raise _no_rule(params)

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """There is none."""
        raise _no_rule(params)

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """There is none."""
        raise _no_rule(params)


def _no_rule(params: dict[str, Any]) -> MissingRuleError:
    return MissingRuleError(
        f"{params['function']} has a derivative rule of its own, which is Python and was not saved "
        "with the Program.",
        advice="Save the Program of the derivative: functrace.make_ir(functrace.grad(f))(...).",
    )


ruleless = Ruleless("ruleless")


class Unmapped(Call):
    """Run a Program that cannot be mapped. Parameters: ``program``; ``function``, its name."""

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """There is no rule."""
        raise MissingRuleError(
            f"{params['function']} has a vmap rule of its own, which is Python and was not saved "
            "with the Program.",
            advice="Save the Program of the map: functrace.make_ir(functrace.vmap(f))(...).",
        )


unmapped = Unmapped("unmapped")
