"""Loops over many elements, on several cores.

What is done for some of the elements is a function of its own::

    i32 task(ptr context, ptr memory, i64 first, i64 last)

It returns 0, or another number where NumPy is to do what it is part of. It is handed to threads in
pieces, which are taken by whoever is free. The threads are made for one loop, and end with it: that
takes some twenty microseconds, where a loop that is divided takes hundreds. So there is no thread
that waits for work, none that a fork could lose, and none to be stopped in the end.

A core may be busy with something else, and a thread come late: nobody waits for one that has taken
no piece. It finds none any more and ends. What it looks at then, and the code that it runs, is not
of the caller, who may be gone. Where one has taken a piece and cannot go on, the next loops are not
divided. What a piece computes is the same in any thread, so that results do not depend on who
computed what.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

from functrace.backends.native.entry import status_text
from functrace.backends.native.machine import Module
from functrace.backends.settings import settings

PARALLEL = "parallel"
"""The function that divides a loop.

``i32 parallel(ptr task, ptr context, i64 length, i64 piece, ptr memory, i64 size)`` returns 0, or
another number where a task did. Floating point flags that other threads have raised are raised. The
memory is the caller's; other threads make their own, of this size.
"""

MOST = 64
"""So many threads there are at most."""

REST = 32
"""So many loops are not divided after one in which another thread took longer than all the rest."""

PIECES = 64
"""So many pieces there are at most. They are the same by any number of threads: how an element is
rounded may depend on its place in a piece, as LLVM computes the last ones in another way."""

WHOLE = 16
"""Pieces of long loops are a multiple of so many numbers, which vectors are made of."""

CODES = 8
"""So many bits has what a task returns."""

LINE = 64
"""The bytes of a line of the cache, at whose begin memory begins."""

_OUTSIDE = ("pthread_create", "pthread_detach", "sched_yield", "gettimeofday", "malloc", "free")


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


def piece_of(length: int) -> int:
    """How long the pieces of a loop are."""
    piece = -(-length // PIECES)
    return piece if piece < WHOLE else -(-piece // WHOLE) * WHOLE


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
declare i32 @gettimeofday(ptr, ptr)
declare ptr @malloc(i64)
declare void @free(ptr)
{status_text()}
@rest = internal global i64 0

; the time in microseconds
define internal i64 @now() noinline {{
  %time = alloca [2 x i64]
  %code = call i32 @gettimeofday(ptr %time, ptr null)
  %seconds = load i64, ptr %time
  %more.at = getelementptr i64, ptr %time, i64 1
  %more = load i32, ptr %more.at
  %more.wide = zext i32 %more to i64
  %whole = mul i64 %seconds, 1000000
  %sum = add i64 %whole, %more.wide
  ret i64 %sum
}}

; the task, its context, its length, the length of a piece; the next one, how much is done, who may
; still look here, flags, and the bytes of a thread's memory
%team = type {{ ptr, ptr, i64, i64, i64, i64, i64, i32, i64 }}

define internal void @share(ptr %team, ptr %memory) noinline {{
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
  %code = call i32 %task(ptr %context, ptr %memory, i64 %first, i64 %last)
  %raised = call i32 @raised()
  %raised.high = shl i32 %raised, {CODES}
  %found = or i32 %code, %raised.high
  %flags = atomicrmw or ptr %flags.at, i32 %found monotonic
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
  %size.at = getelementptr %team, ptr %team, i64 0, i32 8
  %size = load i64, ptr %size.at
  %needs.none = icmp eq i64 %size, 0
  br i1 %needs.none, label %help, label %allocate
allocate:
  %more = add i64 %size, {LINE - 1}
  %memory = call ptr @malloc(i64 %more)
  %is.memory = icmp ne ptr %memory, null
  br i1 %is.memory, label %align, label %end
align:
  %begin = ptrtoint ptr %memory to i64
  %up = add i64 %begin, {LINE - 1}
  %down = and i64 %up, {-LINE}
  %aligned = inttoptr i64 %down to ptr
  call void @share(ptr %team, ptr %aligned)
  call void @free(ptr %memory)
  br label %end
help:
  call void @share(ptr %team, ptr null)
  br label %end
end:
  call void @leave(ptr %team)
  ret ptr null
}}

define i32 @{PARALLEL}(
    ptr %task, ptr %context, i64 %length, i64 %piece, ptr %memory, i64 %size) noinline {{
start:
  %member = alloca i64
  %wanted = load i64, ptr @threads
  %is_most = icmp sgt i64 %wanted, {MOST}
  %count = select i1 %is_most, i64 {MOST}, i64 %wanted
  %is_several = icmp sgt i64 %count, 1
  br i1 %is_several, label %look, label %alone
look:
  %rest = load atomic i64, ptr @rest monotonic, align 8
  %is_rested = icmp sle i64 %rest, 0
  br i1 %is_rested, label %several, label %not.yet
not.yet:
  %rest.before = atomicrmw sub ptr @rest, i64 1 monotonic
  br label %alone
alone:
  br label %one
one:
  %first = phi i64 [ 0, %alone ], [ %last, %one ]
  %found = phi i32 [ 0, %alone ], [ %found.next, %one ]
  %whole = add i64 %first, %piece
  %is_whole = icmp slt i64 %whole, %length
  %last = select i1 %is_whole, i64 %whole, i64 %length
  %code = call i32 %task(ptr %context, ptr %memory, i64 %first, i64 %last)
  %found.next = or i32 %found, %code
  br i1 %is_whole, label %one, label %returned
returned:
  ret i32 %found.next
several:
  %team = call ptr @malloc(i64 128)
  %is_team = icmp ne ptr %team, null
  br i1 %is_team, label %divide, label %alone
divide:
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
  %size.at = getelementptr %team, ptr %team, i64 0, i32 8
  store i64 %size, ptr %size.at
  br label %make
make:
  %made = phi i64 [ 1, %divide ], [ %made.next, %release ]
  %more = atomicrmw add ptr %holders.at, i64 1 monotonic
  %outcome = call i32 @pthread_create(ptr %member, ptr null, ptr @member, ptr %team)
  %is_made = icmp eq i32 %outcome, 0
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
  %begun = call i64 @now()
  call void @share(ptr %team, ptr %memory)
  %helped = call i64 @now()
  br label %wait
wait:
  %done = load atomic i64, ptr %done.at acquire, align 8
  %is_done = icmp sge i64 %done, %length
  br i1 %is_done, label %judge, label %yield
yield:
  %yielded = call i32 @sched_yield()
  br label %wait
judge:
  %ended = call i64 @now()
  %waited = sub i64 %ended, %helped
  %worked = sub i64 %helped, %begun
  %is_late = icmp sgt i64 %waited, %worked
  br i1 %is_late, label %busy, label %end
busy:
  store atomic i64 {REST}, ptr @rest monotonic, align 8
  br label %end
end:
  %found.all = load i32, ptr %flags.at
  call void @leave(ptr %team)
  %raised = lshr i32 %found.all, {CODES}
  call void @raise(i32 %raised)
  %found.codes = and i32 %found.all, {(1 << CODES) - 1}
  ret i32 %found.codes
}}
"""
