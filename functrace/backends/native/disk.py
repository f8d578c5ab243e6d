"""Machine code on disk, by what it was made from: in the user's own folder of caches.

What is read here is run. So nothing is taken that another user could have written, or that is not
whole: the folder and the file belong to the user, nobody else may open them, and the file begins
with a checksum of its key and all that follows. What is damaged or foreign is as if it were not
there, and so is a folder that cannot be read or written: nothing here raises an OSError.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1 << 26
"""How many bytes are kept; beyond these, what was not read for the longest time goes."""

_MAGIC: Final = b"functrace 1\n"
_SUM: Final = hashlib.sha256().digest_size
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def folder() -> Path:
    """Where machine code lies: a folder in that of the user's caches, as the system has it."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        caches = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        given = Path(os.environ.get("XDG_CACHE_HOME", ""))
        caches = given if given.is_absolute() else Path.home() / ".cache"
    return caches / "functrace"


def key_of(parts: Iterable[str]) -> str:
    """A name for what is made from these texts, and from nothing else."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d " % len(part))
        whole.update(part.encode())
    return whole.hexdigest()


def load(key: str) -> bytes | None:
    """What was saved under a key; None if that is not there, or not to be trusted."""
    with suppress(OSError, RuntimeError):
        if not _is_own(os.lstat(folder()), stat.S_ISDIR):
            return None
        path = folder() / key
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _BINARY)
        with os.fdopen(handle, "rb") as file:
            if not _is_own(os.fstat(handle), stat.S_ISREG):
                return None
            content = file.read()
        begin = len(_MAGIC) + _SUM
        body = content[begin:]
        if content[:begin] != _MAGIC + _checksum(key, body):
            return None
        with suppress(OSError):  # where nothing can be written, nothing goes
            os.utime(path)
        return body
    return None


def save(key: str, body: bytes) -> None:
    """Keep something under a key, if it can be kept."""
    with suppress(OSError, RuntimeError):
        where = folder()
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_own(os.lstat(where), stat.S_ISDIR):
            return
        # Whoever reads meanwhile finds all of it or nothing.
        path = where / f"{key}.{os.urandom(8).hex()}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _checksum(key, body) + body)
            path.replace(where / key)
        except BaseException:
            path.unlink()
            raise
        if key[0] == "0":  # which is now and then: it is as random as anything
            _tidy(where)


_BINARY: Final[int] = getattr(os, "O_BINARY", 0)


def _checksum(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + body).digest()


def _is_own(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Whether something is of a kind, belongs to the user, and is closed to all others."""
    if not is_kind(status.st_mode):
        return False
    if sys.platform == "win32":  # where the folder above has the rights
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS


def _tidy(where: Path) -> None:
    """Let go of what was not read for the longest time, if there is too much."""
    with os.scandir(where) as entries:
        found = [(entry, entry.stat(follow_symlinks=False)) for entry in entries]
    size = sum(status.st_size for _, status in found)
    for entry, status in sorted(found, key=lambda pair: pair[1].st_mtime):
        if size <= MOST_BYTES:
            break
        os.unlink(entry)  # noqa: PTH108  (it is no Path)
        size -= status.st_size
