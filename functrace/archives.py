"""Files of texts and arrays: zips without compression, which other programs can open too.

A file may come from anyone. Nothing is allocated that it does not have the bytes for, nothing in it
is executed, and its parts are read only into memory. What does not hold raises a ValueError that
says so; the callers, who know what the file should be, make their own error of it.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

File = str | PathLike[str] | BinaryIO

SUFFIX = ".npy"
"""What the names of arrays end with: `np.load` reads such a file too."""


def _zip() -> Any:
    import zipfile  # noqa: PLC0415  (it would take a third of the time that importing takes)

    return zipfile


def write(file: File, texts: Mapping[str, bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Write texts and arrays; a file that is named is there as a whole, or not changed at all.

    Args:
        file: The path of a file, or a binary stream.
        texts: Members of the file by their names.
        arrays: Arrays of numbers by their names, without the suffix.
    """
    if isinstance(file, str | PathLike):
        _replace(file, lambda stream: _write(stream, texts, arrays))
    else:
        _write(file, texts, arrays)


def _write(stream: BinaryIO, texts: Mapping[str, bytes], arrays: Mapping[str, np.ndarray]) -> None:
    zipfile = _zip()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in texts.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980: equal files for equals
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + SUFFIX)
            with archive.open(info, "w", force_zip64=array.nbytes > 2**30) as member:
                np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)


def _replace(file: str | PathLike[str], write: Callable[[BinaryIO], None]) -> None:
    """Write a file beside the one that is meant, and put it in its place when it is whole."""
    path = Path(file).resolve()  # of a link, what it points to is replaced
    temporary = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require(holds: bool, what: str) -> None:
    """Say what is wrong with a file, if something is.

    Raises:
        ValueError: It does not hold.
    """
    if not holds:
        raise ValueError(what)


def read(
    stream: BinaryIO, texts: Collection[str], longest: int
) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    """Read the texts and all arrays of a file.

    Args:
        stream: A binary stream that can be read anywhere.
        texts: The names of the texts: all others are arrays.
        longest: The most bytes that a text has.

    Returns:
        The texts by their names, and the arrays by theirs, without the suffix.

    Raises:
        ValueError: Something is wrong with the file; what a damaged zip raises is not known
            beforehand, so that other errors may come as well.
    """
    zipfile = _zip()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        arrays = {name.removesuffix(SUFFIX): name for name in infos if name not in texts}
        require(set(texts) <= set(infos), "it lacks a member")
        require(all(name.endswith(SUFFIX) for name in arrays.values()), "it has other members")
        require(len(infos) == len(archive.infolist()), "it has two members of one name")
        require(
            all(i.compress_type == zipfile.ZIP_STORED and i.file_size == i.compress_size
                for i in infos.values()),
            "it has compressed members",
        )  # fmt: skip
        require(sum(i.file_size for i in infos.values()) <= size, "it is larger than its file")
        for name in texts:
            require(infos[name].file_size <= longest, f"{name} is too long")
        return (
            {name: archive.read(name) for name in texts},
            {name: _array(archive, infos[member]) for name, member in arrays.items()},
        )


# The header of a .npy file of version 1, as NumPy has written it since there is this format.
HEADER = (
    rb"\x93NUMPY\x01\x00(?P<length>..)\{'descr': '(?P<dtype>[<>|][biufc][0-9]{1,2})', "
    rb"'fortran_order': (?P<order>True|False), 'shape': \((?P<shape>[0-9, ]*)\), \} *\n"
)


def _array(archive: Any, info: Any) -> np.ndarray:
    """An array; memory is taken only when the member is known to be as large."""
    with archive.open(info) as member:
        start = member.read(10)
        start += member.read(int.from_bytes(start[8:10], "little"))
        header = re.fullmatch(HEADER, start, re.DOTALL)
        require(header is not None, f"{info.filename} is no array of numbers")
        assert header is not None
        dtype = np.dtype(header["dtype"].decode())
        shape = tuple(int(length) for length in header["shape"].split(b",") if length.strip())
        count = 1
        for length in shape:
            count *= length
        require(
            dtype.kind in "biufc" and count * dtype.itemsize == info.file_size - len(start),
            f"{info.filename} is not as long as its shape says",
        )
        flat = np.empty(count, dtype)
        view, position = memoryview(flat.view(np.uint8).data), 0
        while chunk := member.read(2**20):
            view[position : position + len(chunk)] = chunk
            position += len(chunk)
        require(position == flat.nbytes, f"{info.filename} is too short")
    if dtype.kind == "b":  # a byte other than 0 and 1 is no bool of NumPy's
        require(not np.any(flat.view(np.uint8) > 1), f"{info.filename} has bools that are none")
    array = flat.reshape(shape, order="F" if header["order"] == b"True" else "C")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="), order="K")
