"""From the text of an LLVM module to functions in memory, by llvmlite."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import llvmlite.binding as llvm

SPEED = 3
"""LLVM's level of optimisation."""


class Module:
    """Machine code in memory; it is freed with this object.

    Attributes:
        llvm_text: What was compiled, after optimisation.
    """

    def __init__(self, text: str, addresses: dict[str, int] | None = None) -> None:
        """Compile the text of a module.

        Args:
            text: The module.
            addresses: Where those of its globals are that are defined outside, by name.

        Raises:
            RuntimeError: LLVM cannot read the text.
        """
        self._target = _target()
        parsed = _optimized(text, self._target)
        self._module: Any = parsed
        self.llvm_text = str(parsed)
        self._engine = llvm.create_mcjit_compiler(parsed, self._target)
        for name, address in (addresses or {}).items():
            found = _global(parsed, name)
            if found is not None:
                self._engine.add_global_mapping(found, address)
        self._engine.finalize_object()

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return self._target.emit_assembly(self._module)

    def address(self, name: str) -> int:
        """Where a function of the module begins."""
        return self._engine.get_function_address(name)


def _global(module: Any, name: str) -> Any:
    """A global of a module, or a function; None where optimisation left no use of it."""
    for get in (module.get_global_variable, module.get_function):
        with suppress(NameError):
            return get(name)
    return None


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # Else short loops are done under masks, and what is computed in lanes that do not count sets
    # the flags by which NumPy's warnings are found.
    llvm.set_option("", "-vectorizer-min-trip-count=0")


@cache
def vector_bytes() -> int:
    """How many bytes a vector of this machine has."""
    features = llvm.get_host_cpu_features()
    sizes = {"avx512f": 64, "avx": 32}
    return max((size for name, size in sizes.items() if features.get(name)), default=16)


def _target() -> Any:
    """A description of this machine; an engine takes it as its own, so each has one."""
    _initialize()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=features,
        opt=SPEED,
        reloc="pic",
        codemodel="jitdefault",
    )


def _optimized(text: str, target: Any) -> Any:
    """A module that LLVM has optimized, and has found sound after that.

    What joins operations of straight lines to vectors now and then uses a value before it is there
    (LLVM 22). The process would end where that is turned into machine code, so it is done without.
    """
    module = _attempt(text, target, in_lines=True)
    try:
        module.verify()
    except RuntimeError:
        module = _attempt(text, target, in_lines=False)
        module.verify()
    return module


def _attempt(text: str, target: Any, *, in_lines: bool) -> Any:
    module = llvm.parse_assembly(text)
    module.triple = target.triple
    module.data_layout = str(target.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED)
    options.loop_vectorization = True
    options.slp_vectorization = in_lines
    options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return module
