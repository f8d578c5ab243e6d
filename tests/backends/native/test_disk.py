"""Machine code on disk: found by others, and never taken where it could be somebody else's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from functrace.backends.native import disk

BODY = b"code" * 1000
KEY = disk.key_of(["text", "processor"])

posix = pytest.mark.skipif(sys.platform == "win32", reason="where rights are of another kind")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of caches with nothing in it."""
    monkeypatch.setattr(disk, "folder", lambda: tmp_path / "caches" / "functrace")
    return disk.folder()


def saved() -> Path:
    disk.save(KEY, BODY)
    return disk.folder() / KEY


def test_what_is_saved_is_found():
    assert disk.load(KEY) is None
    saved()
    assert disk.load(KEY) == BODY
    disk.save(KEY, b"")
    assert disk.load(KEY) == b""
    assert [path.name for path in disk.folder().iterdir()] == [KEY]


def test_keys_tell_texts_apart():
    assert disk.key_of(["ab", "c"]) != disk.key_of(["a", "bc"])
    assert disk.key_of(["ab"]) == disk.key_of(["ab"])


@posix
def test_only_the_user_may_look_at_it():
    path = saved()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(disk.folder().stat().st_mode) == 0o700


DAMAGES = {
    "cut short": lambda content: content[:-1],
    "cut in its head": lambda content: content[:20],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"x",
    "one bit": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "the checksum": lambda content: content[:13] + b"x" + content[14:],
    "of another format": lambda content: b"functrace 0\n" + content[12:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_is_damaged_is_not_there(damage):
    path = saved()
    path.write_bytes(damage(path.read_bytes()))
    assert disk.load(KEY) is None
    saved()
    assert disk.load(KEY) == BODY


def test_what_was_saved_under_another_key_is_not_taken():
    other = disk.key_of(["other"])
    saved().rename(disk.folder() / other)
    assert disk.load(other) is None


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o640, 0o604])
def test_a_file_that_others_may_open_is_not_taken(mode):
    saved().chmod(mode)
    assert disk.load(KEY) is None


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755])
def test_a_folder_that_others_may_enter_is_not_used(mode):
    path = saved()
    disk.folder().chmod(mode)
    assert disk.load(KEY) is None
    path.unlink()
    disk.save(KEY, BODY)
    assert not path.exists()


@posix
def test_what_belongs_to_somebody_else_is_not_taken(monkeypatch):
    saved()
    user = os.geteuid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: user + 1)
        assert disk.load(KEY) is None
        disk.save(KEY, b"other")
    assert disk.load(KEY) == BODY


@posix
def test_links_are_not_followed(tmp_path):
    path = saved()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert disk.load(KEY) is None
    disk.folder().rename(tmp_path / "real")
    disk.folder().symlink_to(tmp_path / "real")
    assert disk.load(KEY) is None


def test_no_folder_can_be_made(folder):
    folder.parent.parent.joinpath("caches").write_bytes(b"a file")
    disk.save(KEY, BODY)
    assert disk.load(KEY) is None


@posix
def test_a_folder_is_read_only(monkeypatch, folder):
    saved()
    folder.chmod(0o500)

    def refused(*args, **kwargs):  # as a superuser is not
        raise PermissionError

    for name in ("utime", "unlink"):
        monkeypatch.setattr(os, name, refused)
    assert disk.load(KEY) == BODY
    monkeypatch.setattr(os, "open", refused)
    disk.save(disk.key_of(["more"]), BODY)
    monkeypatch.undo()
    folder.chmod(0o700)
    assert [path.name for path in folder.iterdir()] == [KEY]


def test_many_write_at_a_time():
    def write(number):
        for _ in range(20):
            disk.save(KEY, BODY)
            assert disk.load(KEY) == BODY

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.load(KEY) == BODY
    assert [path.name for path in disk.folder().iterdir()] == [KEY]


def test_what_was_not_read_for_long_goes_first(monkeypatch, folder):
    monkeypatch.setattr(disk, "MOST_BYTES", 10 * len(BODY))
    keys = [f"0{number:063x}" for number in range(14)]
    for number, key in enumerate(keys):
        disk.save(key, BODY)
        os.utime(folder / key, (number + 1, number + 1))
        disk.load(keys[0])
    there = {path.name for path in folder.iterdir()}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= disk.MOST_BYTES
    assert {keys[0], keys[-1]} <= there
    assert keys[1] not in there


def test_the_folder_is_that_of_the_system(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert disk.folder() == tmp_path / "functrace"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert disk.folder() == Path.home() / ".cache" / "functrace"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert disk.folder() == Path.home() / "Library" / "Caches" / "functrace"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert disk.folder() == tmp_path / "local" / "functrace"


PROGRAM = """
import sys
import numpy as np
import functrace as ft
from functrace.backends.native import disk, machine
compiled = []
optimized = machine._optimized
def counting(text, target):
    compiled.append(text)
    return optimized(text, target)
machine._optimized = counting
if sys.argv[1] == "off":
    ft.config.cache = False
fast = ft.jit(ft.grad(lambda x: np.sum(np.exp(x) @ np.ones((3, 3)))), backend="native")
x = np.arange(12.0).reshape(4, 3)
np.testing.assert_allclose(fast(x), 3 * np.exp(x), rtol=1e-12)
print(len(compiled))
"""


@posix
def test_another_process_finds_what_one_compiled(tmp_path):
    pytest.importorskip("llvmlite")
    if sys.platform == "darwin":
        pytest.skip("where the folder is not to be chosen")

    def compiles(switch: str = "on", **environment: str) -> int:
        kept = {name: x for name, x in os.environ.items() if name != "FUNCTRACE_CACHE"}
        variables = {**kept, "XDG_CACHE_HOME": str(tmp_path), **environment}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, switch],
            env=variables,
            check=True,
            capture_output=True,
            text=True,
        )
        return int(done.stdout)

    assert compiles("off") > 0
    assert not (tmp_path / "functrace").exists()
    assert compiles(PYTHONHASHSEED="1") > 0
    assert compiles(PYTHONHASHSEED="2") == 0
