"""Loops over many elements, on several cores.

What is done for some of the elements is a function of its own::

    void task(ptr context, i64 first, i64 last)

It is handed to threads in pieces, which are taken by whoever is free. The threads are made for one
loop, and end with it: that takes some twenty microseconds, where a loop that is divided takes
hundreds. So there is no thread that waits for work, none that a fork could lose, and none to be
stopped in the end.

A core may be busy with something else, and a thread come late: nobody waits for one that has taken
no piece. It finds none any more and ends. What it looks at then, and the code that it runs, is not
of the caller, who may be gone. What a piece computes is the same in any thread, so that results do
not depend on who computed what.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

from functrace.backends.native.entry import status_text
from functrace.backends.native.machine import Module
from functrace.backends.settings import settings

PARALLEL = "parallel"
"""The function that divides a loop: ``i32 parallel(ptr task, ptr context, i64 length)``.

It returns the floating point flags that other threads have raised.
"""

MOST = 64
"""So many threads there are at most."""

PIECES = 4
"""So many pieces there are for each thread."""

_OUTSIDE = ("pthread_create", "pthread_detach", "sched_yield", "malloc", "free")


@cache
def _addresses() -> dict[str, int]:
    """Where that function finds what makes threads, and how many there should be."""
    process = ctypes.CDLL(None)
    found = {
        name: ctypes.cast(getattr(process, name), ctypes.c_void_p).value or 0 for name in _OUTSIDE
    }
    return {**found, "threads": settings.address_of_threads}


@cache
def is_there() -> bool:
    """Whether there are threads that machine code can make."""
    try:
        return sys.platform != "win32" and all(_addresses().values())
    except (AttributeError, OSError):
        return False


@cache
def _module() -> Module:
    """It lives as long as the process: a thread that comes late runs it."""
    return Module(text(), _addresses())


def address() -> int:
    """The address of `PARALLEL`."""
    return _module().address(PARALLEL)


def text() -> str:
    """The text of the module of `PARALLEL`."""
    return f"""
@threads = external global i64
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @sched_yield()
declare ptr @malloc(i64)
declare void @free(ptr)
{status_text()}
; the task, its context, its length, the length of a piece; the next one, how much is done, who may
; still look here, and flags
%team = type {{ ptr, ptr, i64, i64, i64, i64, i64, i32 }}

define internal void @share(ptr %team) noinline {{
start:
  %length.at = getelementptr %team, ptr %team, i64 0, i32 2
  %length = load i64, ptr %length.at
  %piece.at = getelementptr %team, ptr %team, i64 0, i32 3
  %piece = load i64, ptr %piece.at
  %next.at = getelementptr %team, ptr %team, i64 0, i32 4
  %done.at = getelementptr %team, ptr %team, i64 0, i32 5
  %flags.at = getelementptr %team, ptr %team, i64 0, i32 7
  br label %take
take:
  %first = atomicrmw add ptr %next.at, i64 %piece monotonic
  %is_one = icmp slt i64 %first, %length
  br i1 %is_one, label %run, label %end
run:
  %whole = add i64 %first, %piece
  %is_whole = icmp slt i64 %whole, %length
  %last = select i1 %is_whole, i64 %whole, i64 %length
  %task = load ptr, ptr %team
  %context.at = getelementptr %team, ptr %team, i64 0, i32 1
  %context = load ptr, ptr %context.at
  call void %task(ptr %context, i64 %first, i64 %last)
  %raised = call i32 @raised()
  %flags = atomicrmw or ptr %flags.at, i32 %raised monotonic
  %count = sub i64 %last, %first
  %before = atomicrmw add ptr %done.at, i64 %count release
  br label %take
end:
  ret void
}}

define internal void @leave(ptr %team) noinline {{
  %holders.at = getelementptr %team, ptr %team, i64 0, i32 6
  %holders = atomicrmw sub ptr %holders.at, i64 1 acq_rel
  %is_last = icmp eq i64 %holders, 1
  br i1 %is_last, label %free, label %end
free:
  call void @free(ptr %team)
  ret void
end:
  ret void
}}

define internal ptr @member(ptr %team) noinline {{
  call void @clear()
  call void @share(ptr %team)
  call void @leave(ptr %team)
  ret ptr null
}}

define i32 @{PARALLEL}(ptr %task, ptr %context, i64 %length) noinline {{
start:
  %member = alloca i64
  %wanted = load i64, ptr @threads
  %is_most = icmp sgt i64 %wanted, {MOST}
  %count = select i1 %is_most, i64 {MOST}, i64 %wanted
  %is_several = icmp sgt i64 %count, 1
  br i1 %is_several, label %several, label %alone
alone:
  call void %task(ptr %context, i64 0, i64 %length)
  ret i32 0
several:
  %team = call ptr @malloc(i64 64)
  %is_team = icmp ne ptr %team, null
  br i1 %is_team, label %divide, label %alone
divide:
  %pieces = mul i64 %count, {PIECES}
  %rounded = add i64 %length, %pieces
  %rounded.down = sub i64 %rounded, 1
  %piece = sdiv i64 %rounded.down, %pieces
  store ptr %task, ptr %team
  %context.at = getelementptr %team, ptr %team, i64 0, i32 1
  store ptr %context, ptr %context.at
  %length.at = getelementptr %team, ptr %team, i64 0, i32 2
  store i64 %length, ptr %length.at
  %piece.at = getelementptr %team, ptr %team, i64 0, i32 3
  store i64 %piece, ptr %piece.at
  %next.at = getelementptr %team, ptr %team, i64 0, i32 4
  store i64 0, ptr %next.at
  %done.at = getelementptr %team, ptr %team, i64 0, i32 5
  store i64 0, ptr %done.at
  %holders.at = getelementptr %team, ptr %team, i64 0, i32 6
  store i64 1, ptr %holders.at
  %flags.at = getelementptr %team, ptr %team, i64 0, i32 7
  store i32 0, ptr %flags.at
  br label %make
make:
  %made = phi i64 [ 1, %divide ], [ %made.next, %release ]
  %more = atomicrmw add ptr %holders.at, i64 1 monotonic
  %code = call i32 @pthread_create(ptr %member, ptr null, ptr @member, ptr %team)
  %is_made = icmp eq i32 %code, 0
  br i1 %is_made, label %release, label %none
release:
  %id = load i64, ptr %member
  %detached = call i32 @pthread_detach(i64 %id)
  %made.next = add i64 %made, 1
  %is_missing = icmp slt i64 %made.next, %count
  br i1 %is_missing, label %make, label %help
none:
  %fewer = atomicrmw sub ptr %holders.at, i64 1 monotonic
  br label %help
help:
  call void @share(ptr %team)
  br label %wait
wait:
  %done = load atomic i64, ptr %done.at acquire, align 8
  %is_done = icmp sge i64 %done, %length
  br i1 %is_done, label %end, label %yield
yield:
  %yielded = call i32 @sched_yield()
  br label %wait
end:
  %raised = load i32, ptr %flags.at
  call void @leave(ptr %team)
  ret i32 %raised
}}
"""
