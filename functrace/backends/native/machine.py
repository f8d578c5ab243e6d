"""From the text of an LLVM module to functions in memory, by llvmlite.

LLVM optimizes the text and makes an object file of it, which is then loaded. The object file is
kept on disk (`functrace.backends.native.disk`), so that LLVM sees a text once on a machine. No
address of the process is in it: what lies outside has names, and gets its addresses when that is
loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from functrace.backends.native import disk
from functrace.backends.settings import settings

SPEED = 3
"""LLVM's level of optimisation."""

_OPTIONS = (
    "-vectorizer-min-trip-count=0",
    "-disable-cgp-select2branch",
    "-unswitch-threshold=1",
)
"""What is said to LLVM for the sake of the flags by which NumPy's warnings are found. Short
loops are not done under masks: what is computed in lanes that do not count would set some.
And what `np.where` does not take is computed all the same, where LLVM would make branches
of choices."""


class Loaded:
    """Machine code in memory; it is freed with this object."""

    def __init__(self, code: bytes, addresses: Mapping[str, int]) -> None:
        """Load an object file.

        Args:
            code: The file.
            addresses: Where those of its globals are that are defined outside, by name.
        """
        self._engine = _loaded(code, addresses)

    def address(self, name: str) -> int:
        """Where a function begins."""
        return self._engine.get_function_address(name)


class Module(Loaded):
    """Machine code that was made of a text.

    Attributes:
        text: What was compiled.
        key: What the object file is kept under; empty where it is not.
    """

    def __init__(self, text: str, addresses: Mapping[str, int] | None = None) -> None:
        """Compile the text of a module, unless that was done before.

        Args:
            text: The module.
            addresses: Where those of its globals are that are defined outside, by name.

        Raises:
            RuntimeError: LLVM cannot read the text.
        """
        self.text = text
        self.key = disk.key_of([*machine(), text]) if settings.cache else ""
        super().__init__(_object_of(text, self.key), addresses or {})

    @property
    def llvm_text(self) -> str:
        """The module after optimisation."""
        return str(_optimized(self.text, _target()))

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        target = _target()
        return target.emit_assembly(_optimized(self.text, target))


def _object_of(text: str, key: str) -> bytes:
    """The object file of a module: from disk, or compiled now."""
    found = disk.load(key) if key else None
    if found is None:
        target = _target()
        found = target.emit_object(_optimized(text, target))
        if key:
            disk.save(key, found)
    return found


def _loaded(code: bytes, addresses: Mapping[str, int]) -> Any:
    """An engine that holds what an object file defines.

    An engine knows addresses of what modules declare, so it has one that does nothing else.
    """
    target = _target()
    declared = "\n".join([f"@{name} = external global i8" for name in addresses])
    module = _parsed(declared, target)
    engine = llvm.create_mcjit_compiler(module, target)
    for name, address in addresses.items():
        engine.add_global_mapping(module.get_global_variable(name), address)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for option in _OPTIONS:
        llvm.set_option("", option)


@cache
def vector_bytes() -> int:
    """How many bytes a vector of this machine has."""
    features = llvm.get_host_cpu_features()
    sizes = {"avx512f": 64, "avx": 32}
    return max((size for name, size in sizes.items() if features.get(name)), default=16)


@cache
def machine() -> tuple[str, ...]:
    """All that machine code depends on beside its text: this processor, and what compiles."""
    versions = sys.modules["functrace"].__version__, llvmlite.__version__, llvm.llvm_version_info
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return (
        *processor,
        llvm.get_default_triple(),
        *map(str, versions),
        f"{SPEED} {' '.join(_OPTIONS)}",
    )


def _target() -> Any:
    """A description of this machine; an engine takes it as its own, so each has one."""
    _initialize()
    processor, features, *_ = machine()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=processor,
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
    # In a context of its own: what LLVM keeps there goes with the module.
    module = _parsed(text, target, llvm.create_context())
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED)
    options.loop_vectorization = True
    options.slp_vectorization = in_lines
    options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(target, options)
    passes = builder.getModulePassManager()
    passes.run(module, builder)
    _free(passes)
    return module


def _parsed(text: str, target: Any, context: Any = None) -> Any:
    """A module for this machine."""
    module = llvm.parse_assembly(text, context)
    module.triple = target.triple
    module.data_layout = str(target.target_data)
    return module


def _free(passes: Any) -> None:
    """Free passes, which llvmlite does not (as of 0.50): they hold a hundred kilobytes and more."""
    found = next(cls for cls in type(passes).__mro__ if "_dispose" in vars(cls))
    if found is llvm.ffi.ObjectRef:  # what it does is nothing
        llvm.ffi.lib.LLVMPY_DisposeNewModulePassManger(passes)
        passes.detach()
