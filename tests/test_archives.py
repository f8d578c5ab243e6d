"""Files of texts and arrays: written as a whole, and read with suspicion."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from functrace import archives

TEXTS = {"manifest.json": b"{}"}
ARRAYS = {
    "a": np.arange(6.0).reshape(2, 3),
    "of/places": np.asfortranarray(np.arange(6, dtype=np.int8).reshape(2, 3)),
    "empty": np.zeros((0, 3), np.complex64),
    "one": np.array(True),
    "other order": np.arange(3, dtype=">f4"),
}


def written(texts=TEXTS, arrays=ARRAYS):
    stream = io.BytesIO()
    archives.write(stream, texts, arrays)
    return stream


def test_what_is_written_is_read():
    texts, arrays = archives.read(written(), list(TEXTS), 100)
    assert texts == TEXTS
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype.newbyteorder("=")
        assert arrays[name].flags.f_contiguous == array.flags.f_contiguous


def test_numpy_reads_it_and_equal_files_are_equal():
    with np.load(io.BytesIO(written().getvalue())) as found:
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
    assert written().getvalue() == written().getvalue()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "file"
    archives.write(path, TEXTS, ARRAYS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="pickle"):
        archives.write(path, TEXTS, {"a": np.array([object()])})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def changed(names=None, compressed=False, header=None):
    """A file like the one that is written, but for something."""
    stream = io.BytesIO()
    content = {"manifest.json": b"{}"}
    array = io.BytesIO()
    np.lib.format.write_array(array, np.arange(3.0), (1, 0))
    content["a.npy"] = array.getvalue() if header is None else header(array.getvalue())
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if compressed else 0) as archive:
        for old, new in (names or {name: name for name in content}).items():
            archive.writestr(new, content[old])
    return stream


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (changed({"a.npy": "a.npy"}), "lacks a member"),
        (changed({"manifest.json": "manifest.json", "a.npy": "a.exe"}), "other members"),
        (changed(compressed=True), "compressed"),
        (changed(header=lambda b: b.replace(b"(3,)", b"(9,)")), "not as long as its shape"),
        (changed(header=lambda b: b.replace(b"<f8", b"|O8")), "no array of numbers"),
        (changed(header=lambda b: b.replace(b"NUMPY\x01", b"NUMPY\x02")), "no array of numbers"),
        (changed(header=lambda b: b[:-1]), "not as long"),
    ],
)
def test_what_is_wrong_is_said(stream, message):
    with pytest.raises(ValueError, match=message):
        archives.read(stream, ["manifest.json"], 100)


def test_texts_have_a_limit():
    with pytest.raises(ValueError, match=r"manifest\.json is too long"):
        archives.read(written(), list(TEXTS), 1)
