"""What Python calls: one piece of code for all machine functions, with a table for each.

It reads arrays and scalars straight from their objects, makes the arrays of the outputs, lets the
machine function fill them, and returns them. Where that is not for machine code it calls Python, as
`functrace.backends.native.calling` tells.
"""

from __future__ import annotations

import itertools
import platform
import re
import struct
from enum import IntEnum
from typing import Final

from functrace.backends.native.objects import (
    ARRAY,
    CHARACTERS,
    CLASS,
    DTYPE,
    FIT,
    HEADER,
    ITEMS,
    MACHINES,
    RUNTIME,
    SWAPPED,
)

ON_STACK: Final = 4096
"""Up to so many bytes of working memory lie on the stack; more is asked of the system once, and
kept: the first touch of a page takes ten times as long as arithmetic on it."""

ALIGNMENT: Final = 64
"""Of working memory, in bytes."""


# The table of one function


class Given(IntEnum):
    """What kind of input it is."""

    ARRAY = 0
    NUMBER = 1  # a scalar of NumPy's or Python's class, or an array without axes
    INTEGER = 2  # the same, but Python's number is to be converted
    TRUTH = 3


class Made(IntEnum):
    """What an output becomes."""

    ARRAY = 0
    SCALAR = 1
    NUMPY_TRUTH = 2
    TRUTH = 3
    FLOAT = 4
    INTEGER = 5
    COMPLEX = 6


INTERRUPTED: Final = -1
"""What a machine function returns where an error is set already."""

IS_SINGLE: Final = 1
IS_LONG: Final = 2

_TYPES: Final = """
; runtime, kernel, inputs, outputs, bytes of memory, options, name, where memory is kept; then a
; record for each input and output; then the lengths of their axes
%table = type { ptr, ptr, i64, i64, i64, i64, ptr, ptr }
; kind, number of the dtype, NumPy's object, Python's class, axes, where their lengths are
%record = type { i64, i64, ptr, ptr, i64, i64 }
"""
TABLE: Final = struct.Struct("8Q")
RECORD: Final = struct.Struct("6Q")


# What Python calls

_STATUS: Final = {
    "x86": """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

; The flags that NumPy warns of: invalid, divided by zero, overflow.
define internal i32 @raised() alwaysinline {
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %all = load i32, ptr %place
  %raised = and i32 %all, 13
  ret i32 %raised
}

define internal void @raise(i32 %flags) alwaysinline {
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %all = load i32, ptr %place
  %more = or i32 %all, %flags
  store i32 %more, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret void
}

define internal void @clear() alwaysinline {
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %all = load i32, ptr %place
  %raised = and i32 %all, 13
  %is_clear = icmp eq i32 %raised, 0
  br i1 %is_clear, label %done, label %clear
clear:
  %kept = xor i32 %all, %raised
  store i32 %kept, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  br label %done
done:
  ret void
}
""",
    "arm": """
declare i64 @llvm.aarch64.get.fpsr()
declare void @llvm.aarch64.set.fpsr(i64)

; The flags that NumPy warns of: invalid, divided by zero, overflow.
define internal i32 @raised() alwaysinline {
  %all = call i64 @llvm.aarch64.get.fpsr()
  %low = trunc i64 %all to i32
  %raised = and i32 %low, 7
  ret i32 %raised
}

define internal void @raise(i32 %flags) alwaysinline {
  %all = call i64 @llvm.aarch64.get.fpsr()
  %wide = zext i32 %flags to i64
  %more = or i64 %all, %wide
  call void @llvm.aarch64.set.fpsr(i64 %more)
  ret void
}

define internal void @clear() alwaysinline {
  %all = call i64 @llvm.aarch64.get.fpsr()
  %raised = and i64 %all, 7
  %is_clear = icmp eq i64 %raised, 0
  br i1 %is_clear, label %done, label %clear
clear:
  %kept = xor i64 %all, %raised
  call void @llvm.aarch64.set.fpsr(i64 %kept)
  br label %done
done:
  ret void
}
""",
}

_AGAIN: Final = 1 << 62  # in the count of arguments: they were prepared already

# It is what LLVM would make of it, so that LLVM need not: to optimize it takes ten times as long as
# to compile it, and a call gains a hundredth of a microsecond. A name after a $ is of the runtime,
# and stands for a load of its address.
_BODY: Final = f"""
define ptr @call(ptr %self, ptr %args, i64 %given) noinline optnone {{
  %overflow = alloca i32
  %table.at = getelementptr i8, ptr %self, i64 {ITEMS}
  %table.object = load ptr, ptr %table.at
  %table = getelementptr i8, ptr %table.object, i64 {CHARACTERS}
  %runtime = load ptr, ptr %table
  %inputs.at = getelementptr %table, ptr %table, i64 0, i32 2
  %inputs.count = load i64, ptr %inputs.at
  %outputs.at = getelementptr %table, ptr %table, i64 0, i32 3
  %outputs.count = load i64, ptr %outputs.at
  %count = and i64 %given, {_AGAIN - 1}
  %is_counted = icmp eq i64 %count, %inputs.count
  br i1 %is_counted, label %counted, label %miscounted

counted:
  %inputs = alloca ptr, i64 %inputs.count
  %converted = alloca i64, i64 %inputs.count
  %outputs = alloca ptr, i64 %outputs.count
  %numbers = alloca [16 x i8], i64 %outputs.count, align 16
  %made = alloca ptr, i64 %outputs.count
  %inputs.records = getelementptr %table, ptr %table, i64 1
  %outputs.records = getelementptr %record, ptr %inputs.records, i64 %inputs.count
  br label %input

; Where the data of each input is.

input:
  %i = phi i64 [ 0, %counted ], [ %i.next, %found ]
  %i.is_last = icmp eq i64 %i, %inputs.count
  br i1 %i.is_last, label %output, label %read

read:
  %x.at = getelementptr ptr, ptr %args, i64 %i
  %x = load ptr, ptr %x.at
  %class.at = getelementptr i8, ptr %x, i64 {CLASS}
  %class = load ptr, ptr %class.at
  %record = getelementptr %record, ptr %inputs.records, i64 %i
  %kind = load i64, ptr %record
  %is_array = icmp eq i64 %kind, {Given.ARRAY}
  br i1 %is_array, label %maybe_array, label %maybe_number

maybe_number:
  %numpy.at = getelementptr %record, ptr %record, i64 0, i32 2
  %numpy = load ptr, ptr %numpy.at
  %is_numpy = icmp eq ptr %class, %numpy
  %python.at = getelementptr %record, ptr %record, i64 0, i32 3
  %python = load ptr, ptr %python.at
  %is_python = icmp eq ptr %class, %python
  %is_value = or i1 %is_numpy, %is_python
  br i1 %is_value, label %take_value, label %other

take_value:
  %value = getelementptr i8, ptr %x, i64 {HEADER}
  br label %found

other:
  %converted.at = getelementptr i64, ptr %converted, i64 %i
  switch i64 %kind, label %maybe_array [
    i64 {Given.INTEGER}, label %maybe_int
    i64 {Given.TRUTH}, label %maybe_bool
  ]

maybe_int:
  %is_int = icmp eq ptr %class, $int
  br i1 %is_int, label %convert, label %maybe_array

convert:
  %integer = call i64 $PyLong_AsLongLongAndOverflow(ptr %x, ptr %overflow)
  store i64 %integer, ptr %converted.at
  %overflow.sign = load i32, ptr %overflow
  %int.fits = icmp eq i32 %overflow.sign, 0
  br i1 %int.fits, label %found, label %unfit

maybe_bool:
  %is_true = icmp eq ptr %x, $True
  %is_false = icmp eq ptr %x, $False
  %is_bool = or i1 %is_true, %is_false
  %truth = zext i1 %is_true to i64
  store i64 %truth, ptr %converted.at
  br i1 %is_bool, label %found, label %maybe_array

maybe_array:
  %is_ndarray = icmp eq ptr %class, $ndarray
  br i1 %is_ndarray, label %ndarray, label %unfit

ndarray:
  %dtype.at = getelementptr i8, ptr %x, i64 {ARRAY.dtype}
  %dtype = load ptr, ptr %dtype.at
  %dtype.number.at = getelementptr i8, ptr %dtype, i64 {DTYPE.number}
  %dtype.number = load i32, ptr %dtype.number.at
  %byteorder.at = getelementptr i8, ptr %dtype, i64 {DTYPE.byteorder}
  %byteorder = load i8, ptr %byteorder.at
  %ndim.at = getelementptr i8, ptr %x, i64 {ARRAY.ndim}
  %ndim = load i32, ptr %ndim.at
  %flags.at = getelementptr i8, ptr %x, i64 {ARRAY.flags}
  %flags = load i32, ptr %flags.at
  %wanted.number.at = getelementptr %record, ptr %record, i64 0, i32 1
  %wanted.number = load i32, ptr %wanted.number.at
  %wanted.ndim.at = getelementptr %record, ptr %record, i64 0, i32 4
  %wanted.ndim = load i32, ptr %wanted.ndim.at
  %flags.fit = and i32 %flags, {FIT}
  %lies = icmp eq i32 %flags.fit, {FIT}
  %is_native = icmp ne i8 %byteorder, {SWAPPED}
  %is_dtype = icmp eq i32 %dtype.number, %wanted.number
  %is_ndim = icmp eq i32 %ndim, %wanted.ndim
  %fits.1 = and i1 %lies, %is_native
  %fits.2 = and i1 %is_dtype, %is_ndim
  %fits = and i1 %fits.1, %fits.2
  br i1 %fits, label %shape, label %unfit

shape:
  %lengths.at = getelementptr i8, ptr %x, i64 {ARRAY.shape}
  %lengths = load ptr, ptr %lengths.at
  %wanted.offset.at = getelementptr %record, ptr %record, i64 0, i32 5
  %wanted.offset = load i64, ptr %wanted.offset.at
  %wanted.lengths = getelementptr i8, ptr %table, i64 %wanted.offset
  %axes = zext i32 %ndim to i64
  br label %next_axis

next_axis:
  %axis = phi i64 [ 0, %shape ], [ %axis.next, %compare_axis ]
  %axis.is_last = icmp eq i64 %axis, %axes
  br i1 %axis.is_last, label %take_data, label %compare_axis

compare_axis:
  %length.at = getelementptr i64, ptr %lengths, i64 %axis
  %length = load i64, ptr %length.at
  %wanted.length.at = getelementptr i64, ptr %wanted.lengths, i64 %axis
  %wanted.length = load i64, ptr %wanted.length.at
  %axis.next = add i64 %axis, 1
  %is_length = icmp eq i64 %length, %wanted.length
  br i1 %is_length, label %next_axis, label %unfit

take_data:
  %data.at = getelementptr i8, ptr %x, i64 {ARRAY.data}
  %data = load ptr, ptr %data.at
  br label %found

found:
  %address = phi ptr [ %value, %take_value ], [ %converted.at, %convert ],
                     [ %converted.at, %maybe_bool ], [ %data, %take_data ]
  %input.at = getelementptr ptr, ptr %inputs, i64 %i
  store ptr %address, ptr %input.at
  %i.next = add i64 %i, 1
  br label %input

; Where each output goes: an array that is made, or a place for a number.

output:
  %o = phi i64 [ 0, %input ], [ %o.next, %lend_it ]
  %o.is_last = icmp eq i64 %o, %outputs.count
  br i1 %o.is_last, label %remember, label %lend

lend:
  %o.record = getelementptr %record, ptr %outputs.records, i64 %o
  %o.kind = load i64, ptr %o.record
  %o.is_array = icmp eq i64 %o.kind, {Made.ARRAY}
  %place = getelementptr [16 x i8], ptr %numbers, i64 %o
  br i1 %o.is_array, label %make_array, label %lend_it

make_array:
  %o.dtype.at = getelementptr %record, ptr %o.record, i64 0, i32 2
  %o.dtype = load ptr, ptr %o.dtype.at
  %o.ndim.at = getelementptr %record, ptr %o.record, i64 0, i32 4
  %o.ndim = load i32, ptr %o.ndim.at
  %o.offset.at = getelementptr %record, ptr %o.record, i64 0, i32 5
  %o.offset = load i64, ptr %o.offset.at
  %o.lengths = getelementptr i8, ptr %table, i64 %o.offset
  call void $Py_IncRef(ptr %o.dtype)
  %new = call ptr $new_array(ptr $ndarray, ptr %o.dtype, i32 %o.ndim,
    ptr %o.lengths, ptr null, ptr null, i32 0, ptr null)
  %is_new = icmp ne ptr %new, null
  br i1 %is_new, label %arrived, label %failed

arrived:
  %new.data.at = getelementptr i8, ptr %new, i64 {ARRAY.data}
  %new.data = load ptr, ptr %new.data.at
  br label %lend_it

lend_it:
  %lent = phi ptr [ %place, %lend ], [ %new.data, %arrived ]
  %object = phi ptr [ null, %lend ], [ %new, %arrived ]
  %output.at = getelementptr ptr, ptr %outputs, i64 %o
  store ptr %lent, ptr %output.at
  %object.at = getelementptr ptr, ptr %made, i64 %o
  store ptr %object, ptr %object.at
  %o.next = add i64 %o, 1
  br label %output

; The call.

remember:
  %memory.at = getelementptr %table, ptr %table, i64 0, i32 4
  %memory.size = load i64, ptr %memory.at
  %kernel.at = getelementptr %table, ptr %table, i64 0, i32 1
  %kernel = load ptr, ptr %kernel.at
  %options.at = getelementptr %table, ptr %table, i64 0, i32 5
  %options = load i64, ptr %options.at
  %is_small = icmp ule i64 %memory.size, {ON_STACK}
  br i1 %is_small, label %on_stack, label %on_heap

on_stack:
  %memory.small = alloca i8, i64 %memory.size, align {ALIGNMENT}
  br label %ready

on_heap:
  %kept.at = getelementptr %table, ptr %table, i64 0, i32 7
  %kept = load ptr, ptr %kept.at
  %is_kept = icmp ne ptr %kept, null
  br i1 %is_kept, label %take_kept, label %allocate

take_kept:
  %kept.found = atomicrmw xchg ptr %kept, ptr null acquire
  %is_there = icmp ne ptr %kept.found, null
  br i1 %is_there, label %aligned, label %allocate

allocate:
  %memory.more = add i64 %memory.size, {ALIGNMENT - 1}
  %memory.new = call ptr $PyMem_RawMalloc(i64 %memory.more)
  %is_memory = icmp ne ptr %memory.new, null
  br i1 %is_memory, label %aligned, label %forgetful

aligned:
  %memory.large = phi ptr [ %kept.found, %take_kept ], [ %memory.new, %allocate ]
  %memory.begin = ptrtoint ptr %memory.large to i64
  %memory.end = add i64 %memory.begin, {ALIGNMENT - 1}
  %memory.aligned = and i64 %memory.end, {-ALIGNMENT}
  %memory.found = inttoptr i64 %memory.aligned to ptr
  br label %ready

forgetful:
  call ptr $PyErr_NoMemory()
  br label %failed

ready:
  %memory = phi ptr [ %memory.small, %on_stack ], [ %memory.found, %aligned ]
  %memory.owned = phi ptr [ null, %on_stack ], [ %memory.large, %aligned ]
  %keeper = phi ptr [ null, %on_stack ], [ %kept, %aligned ]
  %options.long = and i64 %options, {IS_LONG}
  %is_short = icmp eq i64 %options.long, 0
  br i1 %is_short, label %run, label %leave

leave:
  %thread.left = call ptr $PyEval_SaveThread()
  br label %run

run:
  %thread = phi ptr [ null, %ready ], [ %thread.left, %leave ]
  call void @clear()
  %code = call i32 %kernel(ptr %inputs, ptr %outputs, ptr %memory)
  %raised = call i32 @raised()
  br i1 %is_short, label %back, label %return

return:
  call void $PyEval_RestoreThread(ptr %thread)
  br label %back

back:
  br i1 %is_small, label %judge, label %give

give:
  %is_keeper = icmp ne ptr %keeper, null
  br i1 %is_keeper, label %keep, label %free

keep:
  %kept.pair = cmpxchg ptr %keeper, ptr null, ptr %memory.owned release monotonic
  %kept.done = extractvalue {{ ptr, i1 }} %kept.pair, 1
  br i1 %kept.done, label %judge, label %free

free:
  call void $PyMem_RawFree(ptr %memory.owned)
  br label %judge

judge:
  %is_interrupted = icmp eq i32 %code, {INTERRUPTED}
  br i1 %is_interrupted, label %interrupted, label %look

look:
  %outcome = or i32 %code, %raised
  %is_good = icmp eq i32 %outcome, 0
  br i1 %is_good, label %box, label %doubt

; Flags alone may be what nobody wants to hear of.

doubt:
  call void @clear()
  %is_flagged = icmp eq i32 %code, 0
  br i1 %is_flagged, label %ask, label %refused

ask:
  %silent.at = getelementptr i8, ptr %self, i64 {ITEMS + 24}
  %silent = load ptr, ptr %silent.at
  %noted = zext i32 %raised to i64
  %noted.object = call ptr $PyLong_FromLongLong(i64 %noted)
  %noted.slot = alloca ptr
  store ptr %noted.object, ptr %noted.slot
  %is_noted = icmp ne ptr %noted.object, null
  br i1 %is_noted, label %ask_python, label %failed

ask_python:
  %answer = call ptr $PyObject_Vectorcall(ptr %silent, ptr %noted.slot, i64 1, ptr null)
  call void $Py_DecRef(ptr %noted.object)
  %is_answer = icmp ne ptr %answer, null
  br i1 %is_answer, label %answered, label %failed

answered:
  call void $Py_DecRef(ptr %answer)
  %is_silent = icmp eq ptr %answer, $True
  br i1 %is_silent, label %box, label %refused

; The objects of numbers.

box:
  %b = phi i64 [ 0, %look ], [ 0, %answered ], [ %b.next, %boxed ]
  %b.is_last = icmp eq i64 %b, %outputs.count
  br i1 %b.is_last, label %finish, label %see_number

see_number:
  %b.record = getelementptr %record, ptr %outputs.records, i64 %b
  %b.kind = load i64, ptr %b.record
  %b.object.at = getelementptr ptr, ptr %made, i64 %b
  %b.value = getelementptr [16 x i8], ptr %numbers, i64 %b
  switch i64 %b.kind, label %boxed [
    i64 {Made.SCALAR}, label %make_scalar
    i64 {Made.NUMPY_TRUTH}, label %numpy_bool
    i64 {Made.TRUTH}, label %python_bool
    i64 {Made.FLOAT}, label %python_float
    i64 {Made.INTEGER}, label %python_int
    i64 {Made.COMPLEX}, label %python_complex
  ]

make_scalar:
  %scalar.class.at = getelementptr %record, ptr %b.record, i64 0, i32 2
  %scalar.class = load ptr, ptr %scalar.class.at
  %scalar.size.at = getelementptr %record, ptr %b.record, i64 0, i32 1
  %scalar.size = load i64, ptr %scalar.size.at
  %scalar = call ptr $new_scalar(ptr %scalar.class, i64 0)
  %is_scalar = icmp ne ptr %scalar, null
  br i1 %is_scalar, label %fill_scalar, label %failed

fill_scalar:
  %scalar.at = getelementptr i8, ptr %scalar, i64 {HEADER}
  %is_word = icmp eq i64 %scalar.size, 8
  br i1 %is_word, label %fill_word, label %fill_bytes

fill_word:
  %scalar.word = load i64, ptr %b.value
  store i64 %scalar.word, ptr %scalar.at
  br label %keep_object

fill_bytes:
  call void @llvm.memcpy.p0.p0.i64(ptr %scalar.at, ptr %b.value, i64 %scalar.size, i1 false)
  br label %keep_object

numpy_bool:
  %bool.value = load i8, ptr %b.value
  %bool.is_false = icmp eq i8 %bool.value, 0
  %bool = select i1 %bool.is_false, ptr $numpy.False, ptr $numpy.True
  call void $Py_IncRef(ptr %bool)
  br label %keep_object

python_bool:
  %python.bool.value = load i8, ptr %b.value
  %python.bool.is_false = icmp eq i8 %python.bool.value, 0
  %python.bool = select i1 %python.bool.is_false, ptr $False, ptr $True
  call void $Py_IncRef(ptr %python.bool)
  br label %keep_object

python_float:
  %float.value = load double, ptr %b.value
  %float = call ptr $PyFloat_FromDouble(double %float.value)
  br label %is_number_there

python_int:
  %int.value = load i64, ptr %b.value
  %int = call ptr $PyLong_FromLongLong(i64 %int.value)
  br label %is_number_there

python_complex:
  %real = load double, ptr %b.value
  %imag.at = getelementptr i8, ptr %b.value, i64 8
  %imag = load double, ptr %imag.at
  %complex = call ptr $PyComplex_FromDoubles(double %real, double %imag)
  br label %is_number_there

is_number_there:
  %new_number = phi ptr [ %float, %python_float ], [ %int, %python_int ],
                        [ %complex, %python_complex ]
  %is_number = icmp ne ptr %new_number, null
  br i1 %is_number, label %keep_object, label %failed

keep_object:
  %b.object = phi ptr [ %scalar, %fill_word ], [ %scalar, %fill_bytes ], [ %bool, %numpy_bool ],
                      [ %python.bool, %python_bool ], [ %new_number, %is_number_there ]
  store ptr %b.object, ptr %b.object.at
  br label %boxed

boxed:
  %b.next = add i64 %b, 1
  br label %box

; The result.

finish:
  %options.single = and i64 %options, {IS_SINGLE}
  %is_many = icmp eq i64 %options.single, 0
  br i1 %is_many, label %make_tuple, label %single

single:
  %only = load ptr, ptr %made
  ret ptr %only

make_tuple:
  %tuple = call ptr $PyTuple_New(i64 %outputs.count)
  %is_tuple = icmp ne ptr %tuple, null
  br i1 %is_tuple, label %fill, label %failed

fill:
  %t = phi i64 [ 0, %make_tuple ], [ %t.next, %fill_item ]
  %t.is_last = icmp eq i64 %t, %outputs.count
  br i1 %t.is_last, label %filled, label %fill_item

fill_item:
  %t.made.at = getelementptr ptr, ptr %made, i64 %t
  %t.made = load ptr, ptr %t.made.at
  %t.items = getelementptr i8, ptr %tuple, i64 {ITEMS}
  %t.item = getelementptr ptr, ptr %t.items, i64 %t
  store ptr %t.made, ptr %t.item
  %t.next = add i64 %t, 1
  br label %fill

filled:
  ret ptr %tuple

; Where something is not as it should.

failed:
  %failed.count = phi i64 [ %o, %make_array ], [ %outputs.count, %forgetful ],
                          [ %outputs.count, %interrupted ],
                          [ %outputs.count, %ask ], [ %outputs.count, %ask_python ],
                          [ %outputs.count, %make_scalar ], [ %outputs.count, %is_number_there ],
                          [ %outputs.count, %make_tuple ]
  call void @release(ptr %runtime, ptr %made, i64 %failed.count)
  ret ptr null

interrupted:
  br label %failed

refused:
  call void @release(ptr %runtime, ptr %made, i64 %outputs.count)
  %numpys = call ptr @fall_back(ptr %runtime, ptr %self, ptr %args, i64 %count)
  ret ptr %numpys

unfit:
  %again = call ptr @call_again(ptr %runtime, ptr %self, ptr %args, i64 %given)
  ret ptr %again

miscounted:
  %name.at = getelementptr %table, ptr %table, i64 0, i32 6
  %name = load ptr, ptr %name.at
  call ptr (ptr, ptr, ...) $PyErr_Format(ptr $TypeError, ptr @message,
    ptr %name, i64 %inputs.count, i64 %count)
  ret ptr null
}}

@message = private constant [42 x i8] c"%s takes %zd arguments, and was given %zd\\00"

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

; As `call`, with a tuple of arguments and a dict, as guards are given. The result is an object that
; means none where there are others than there should be, and while a list is not empty.
define ptr @guard(ptr %self, ptr %both, i64 %given) noinline optnone {{
  %table.at = getelementptr i8, ptr %self, i64 {ITEMS}
  %table.object = load ptr, ptr %table.at
  %table = getelementptr i8, ptr %table.object, i64 {CHARACTERS}
  %runtime = load ptr, ptr %table
  %inputs.at = getelementptr %table, ptr %table, i64 0, i32 2
  %inputs.count = load i64, ptr %inputs.at
  %list.at = getelementptr i8, ptr %self, i64 {ITEMS + 32}
  %list = load ptr, ptr %list.at
  %list.count.at = getelementptr i8, ptr %list, i64 {HEADER}
  %list.count = load i64, ptr %list.count.at
  %args = load ptr, ptr %both
  %count.at = getelementptr i8, ptr %args, i64 {HEADER}
  %count = load i64, ptr %count.at
  %keywords.at = getelementptr i8, ptr %both, i64 8
  %keywords = load ptr, ptr %keywords.at
  %keywords.count.at = getelementptr i8, ptr %keywords, i64 {HEADER}
  %keywords.count = load i64, ptr %keywords.count.at
  %more = sub i64 %count, %inputs.count
  %some = or i64 %list.count, %keywords.count
  %others = or i64 %more, %some
  %is_kind = icmp eq i64 %others, 0
  br i1 %is_kind, label %known, label %unknown
known:
  %items = getelementptr i8, ptr %args, i64 {ITEMS}
  %result = call ptr @call(ptr %self, ptr %items, i64 %count)
  ret ptr %result
unknown:
  %none.at = getelementptr i8, ptr %self, i64 {ITEMS + 40}
  %none = load ptr, ptr %none.at
  call void $Py_IncRef(ptr %none)
  ret ptr %none
}}

; Let go of objects; null is none.
define internal void @release(ptr %runtime, ptr %objects, i64 %count) noinline optnone {{
start:
  br label %head
head:
  %n = phi i64 [ 0, %start ], [ %n.next, %body ]
  %is_last = icmp eq i64 %n, %count
  br i1 %is_last, label %done, label %body
body:
  %object.at = getelementptr ptr, ptr %objects, i64 %n
  %object = load ptr, ptr %object.at
  call void $Py_DecRef(ptr %object)
  %n.next = add i64 %n, 1
  br label %head
done:
  ret void
}}

; What the function that NumPy runs makes of the arguments.
define internal ptr @fall_back(
    ptr %runtime, ptr %self, ptr %args, i64 %count) noinline optnone {{
  %function.at = getelementptr i8, ptr %self, i64 {ITEMS + 16}
  %function = load ptr, ptr %function.at
  %result = call ptr $PyObject_Vectorcall(ptr %function, ptr %args, i64 %count, ptr null)
  ret ptr %result
}}

; The same call with arguments that lie as they should, where they can be made so; what is no tuple
; is the result.
define internal ptr @call_again(
    ptr %runtime, ptr %self, ptr %args, i64 %given) noinline optnone {{
  %count = and i64 %given, {_AGAIN - 1}
  %is_first = icmp eq i64 %given, %count
  br i1 %is_first, label %first, label %last
first:
  %function.at = getelementptr i8, ptr %self, i64 {ITEMS + 8}
  %function = load ptr, ptr %function.at
  %prepared = call ptr $PyObject_Vectorcall(ptr %function, ptr %args, i64 %count, ptr null)
  %is_error = icmp eq ptr %prepared, null
  br i1 %is_error, label %error, label %known
known:
  %is_none = icmp eq ptr %prepared, $None
  br i1 %is_none, label %none, label %some
some:
  %class.at = getelementptr i8, ptr %prepared, i64 {CLASS}
  %class = load ptr, ptr %class.at
  %is_tuple = icmp eq ptr %class, $tuple
  br i1 %is_tuple, label %again, label %instead
again:
  %items = getelementptr i8, ptr %prepared, i64 {ITEMS}
  %marked = or i64 %count, {_AGAIN}
  %result = call ptr @call(ptr %self, ptr %items, i64 %marked)
  call void $Py_DecRef(ptr %prepared)
  ret ptr %result
none:
  call void $Py_DecRef(ptr %prepared)
  br label %last
instead:
  ret ptr %prepared
last:
  %numpys = call ptr @fall_back(ptr %runtime, ptr %self, ptr %args, i64 %count)
  ret ptr %numpys
error:
  ret ptr null
}}

!0 = !{{}}
"""


def text() -> str:
    """The text of LLVM IR of what Python calls, ``@call`` and ``@guard``.

    No address of this process is in it.
    """
    return _TYPES + status_text() + _with_loads(_BODY)


def status_text() -> str:
    """The text of ``i32 raised()``, ``void raise(i32)`` and ``void clear()``, of NumPy's flags."""
    return _STATUS[MACHINES[platform.machine().lower()]]


def kinds_of(flags: int) -> list[str]:
    """What `numpy.errstate` calls what some of the processor's flags are of."""
    bits = _BITS[MACHINES[platform.machine().lower()]]
    return [kind for kind, bit in bits.items() if flags & bit]


_BITS: Final = {
    "x86": {"invalid": 1, "divide": 4, "over": 8},
    "arm": {"invalid": 1, "divide": 2, "over": 4},
}


POLL: Final = "poll"
"""The name of what a machine function calls now and then, if it may run for long."""


def poll_text() -> str:
    """The text of `POLL`, for the module of a machine function.

    It lets Python handle signals, and other threads run. It returns whether there is an error now,
    such as a KeyboardInterrupt. ``@runtime`` is `functrace.backends.native.objects.runtime`.
    """
    return _with_loads(f"""
@runtime = external global ptr
define internal i1 @{POLL}() noinline cold {{
  %runtime = getelementptr ptr, ptr @runtime, i64 0
  %state = call i32 $PyGILState_Ensure()
  %result = call i32 $PyErr_CheckSignals()
  %thread = call ptr $PyEval_SaveThread()
  call void $PyEval_RestoreThread(ptr %thread)
  call void $PyGILState_Release(i32 %state)
  %is_error = icmp ne i32 %result, 0
  ret i1 %is_error
}}
""").replace(", !invariant.load !0", "")


def _with_loads(body: str) -> str:
    """The text in which each name of the runtime is a register, loaded just before."""
    statements: list[str] = []
    count = itertools.count()
    for line in body.split("\n"):

        def loaded(name: re.Match[str]) -> str:
            register = f"%load.{next(count)}"
            place = f"getelementptr ptr, ptr %runtime, i64 {RUNTIME.index(name[1])}"
            statements.append(f"  {register}.at = {place}")
            statements.append(f"  {register} = load ptr, ptr {register}.at, !invariant.load !0")
            return register

        statements.append(_NAME.sub(loaded, line))
    return "\n".join(statements)


_NAME: Final = re.compile(r"\$([\w.]+)")
