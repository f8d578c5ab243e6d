from __future__ import annotations

import platform
import re

import pytest

from functrace.backends.native import entry
from functrace.backends.native.objects import MACHINES, RUNTIME, is_supported, runtime
from tests.backends.native.compiled import llvm

pytestmark = pytest.mark.skipif(not is_supported(), reason="no machine code here")


def test_no_address_of_this_process_is_in_the_text():
    numbers = {int(number) for number in re.findall(r"\b\d{7,}\b", entry.text())}
    assert not numbers & set(runtime())
    assert "$" not in entry.text() + entry.poll_text()


def test_everything_that_is_asked_of_the_runtime_is_used():
    used = set(re.findall(r"%runtime, i64 (\d+)", entry.text() + entry.poll_text()))
    assert {int(number) for number in used} == set(range(len(RUNTIME)))


@pytest.mark.parametrize("machine", MACHINES)
def test_it_is_text_for_each_machine(machine, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = {"x86": "x86_64-unknown-linux-gnu", "arm": "aarch64-unknown-linux-gnu"}
    target = llvm.Target.from_triple(triple[MACHINES[machine]]).create_target_machine(opt=0)
    module = llvm.parse_assembly(entry.text())
    module.verify()
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options())
    builder.getModulePassManager().run(module, builder)
    assembly = target.emit_assembly(module)
    assert ("stmxcsr" if MACHINES[machine] == "x86" else "FPSR") in assembly
