"""What drawings say in words, in the language that is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functrace.backends.settings import settings

SPANISH = {
    "f: forward value": "f: valor hacia adelante",
    "g: backward value, the derivative of the result by f": (
        "g: valor hacia atrás, la derivada del resultado respecto de f"
    ),
    "partial derivative of a box by its input": (
        "derivada parcial de una caja respecto de su entrada"
    ),
    "{} trips": "{} vueltas",
    "as long as it goes on": "mientras siga",
    "branch {}": "rama {}",
    "branch {}, which is taken": "rama {}, que es la elegida",
    "{} operations": "{} operaciones",
    "{} arrays": "{} arreglos",
    "others": "otros",
    "constant": "constante",
    "carry": "estado",
    "row": "fila",
    "empty": "vacío",
    "norm {}": "norma {}",
    "{} of {} true": "{} de {} verdaderos",
    "{} of {} not finite": "{} de {} no finitos",
}
WORDS: Mapping[str, Mapping[str, str]] = {"en": {}, "es": SPANISH}
"""By the language's code: what stands for the English words."""


def said(words: str, *values: Any) -> str:
    """Words in the language of ``functrace.config.language``, with values in their places."""
    return WORDS[settings.language].get(words, words).format(*values)
