"""Trees of arrays in files: parameters that are kept, sent or published.

A file is a zip without compression, as `np.savez` writes it: one ``.npy`` file for each array,
under the path of its leaf, and ``tree.json``, which says how the leaves hang together. There it is
written as JSON: a list as a list, ``null`` for None, numbers and strings as they are, and
everything else as an object of one or two entries:

- ``{"array": "layers/0/weight"}`` is the array of this name, ``{"scalar": ...}`` a NumPy scalar;
- ``{"complex": [re, im]}`` is a Python number, ``{"float": "nan"}`` one that JSON has no word for;
- ``{"dict": [[key, child], ...]}``, also ``"OrderedDict"``, ``{"tuple": [child, ...]}``;
- ``{"class": "Parameters", "children": [[key, child], ...]}`` is an object of a named tuple or of a
  registered class. Its class is not looked up: such a tree is loaded with another one like it.

Nothing in a file is executed, so that it may come from anyone.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from functrace import archives
from functrace.archives import File, require
from functrace.errors import LoadError, SaveError
from functrace.tree.differences import place_of
from functrace.tree.keys import KeyPath
from functrace.tree.kinds import open_with_keys
from functrace.tree.traversing import flatten_with_path

FORMAT, VERSION, MANIFEST = "functrace tree", 1, "tree.json"
LONGEST = 2**26
"""The most bytes of the manifest: a million leaves."""


def save(file: File, tree: Any) -> None:
    """Write a tree of arrays to a file: parameters, the state of an optimiser, a batch of data.

    Args:
        file: The path of a file, or a binary stream. A file is replaced when the new one is whole.
        tree: A tree whose leaves are arrays of numbers or booleans, numbers or strings.

    Raises:
        SaveError: A leaf is something else, such as a traced value or an array of objects; or a
            key is neither a string nor an integer.

    Example:
        >>> import io
        >>> import numpy as np
        >>> from functrace import tree
        >>> file = io.BytesIO()
        >>> tree.save(file, {"layers": [np.ones((2, 3)), np.zeros(2)], "rate": 0.1})
        >>> tree.load(file)["layers"][1]
        array([0., 0.])
        >>> _ = file.seek(0)
        >>> [name for name in np.load(file).files if name != "tree.json"]
        ['layers/0', 'layers/1']
    """
    arrays: dict[str, np.ndarray] = {}
    described = {"format": FORMAT, "version": VERSION, "tree": _described(tree, (), arrays)}
    text = json.dumps(described, allow_nan=False).encode()
    if len(text) > LONGEST:
        raise SaveError(
            f"The description of this tree has {len(text)} bytes; {LONGEST} are the limit.",
            advice="Stack arrays of one shape, or write several files.",
        )
    archives.write(file, {MANIFEST: text}, arrays)


def _described(tree: Any, path: KeyPath, arrays: dict[str, np.ndarray]) -> Any:
    """A tree as JSON; its arrays are put beside."""
    opened = open_with_keys(tree)
    if opened is None:
        return _leaf(tree, path, arrays)
    kind, _, children, keys = opened
    if tree is None:
        return None
    parts = [
        _described(child, (*path, key), arrays) for child, key in zip(children, keys, strict=True)
    ]
    if kind.cls is list:
        return parts
    if kind.cls is tuple and type(tree) is tuple:
        return {"tuple": parts}
    names: list[Any] = [_key(key) for key in keys]
    pairs = list(zip(names, parts, strict=True))
    if kind.cls in (dict, OrderedDict):
        for name in names:
            if type(name) not in (str, int):
                raise SaveError(
                    f"The dict at {place_of(path)} has the key {name!r}, which cannot be written.",
                    advice="Keys that are strings or integers can.",
                )
        return {kind.cls.__name__: pairs}
    return {"class": type(tree).__name__, "children": [[str(name), p] for name, p in pairs]}


def _key(entry: Any) -> Any:
    """What a step of a path stands for; a key of a registered class may be anything."""
    value = getattr(entry, "value", None)
    return value() if callable(value) else entry


def _leaf(leaf: Any, path: KeyPath, arrays: dict[str, np.ndarray]) -> Any:
    if leaf.__class__ in (bool, int, str) or (leaf.__class__ is float and math.isfinite(leaf)):
        return leaf
    if leaf.__class__ is float:
        return {"float": repr(leaf)}
    if leaf.__class__ is complex:
        return {"complex": [repr(leaf.real), repr(leaf.imag)]}
    # A mask would be lost, and a matrix is multiplied in another way.
    is_ordinary = not isinstance(leaf, np.ma.MaskedArray | np.matrix)
    is_array = is_ordinary and isinstance(leaf, np.ndarray | np.generic)
    if not is_array or leaf.dtype.kind not in "biufc" or leaf.dtype.char in "gG":
        what = f"an array of {leaf.dtype}" if is_array else f"of type {type(leaf).__qualname__}"
        raise SaveError(
            f"The leaf at {place_of(path)} is {what}, which cannot be written to a file.",
            advice="Leaves that can are arrays of booleans or of numbers up to 8 bytes (16 for "
            "complex ones), Python's numbers, and strings. Of a masked array that is "
            "x.filled(0), and np.asarray(x) of a matrix. A traced value has no numbers yet: "
            "return it from the function first.",
        )
    name = "/".join(str(_key(entry)) for entry in path) or "leaf"
    if name in arrays or name + archives.SUFFIX == MANIFEST or not name.isprintable():
        name = f"leaves/{len(arrays)}/{len(name)}"
    while name in arrays:
        name += "_"
    arrays[name] = np.asarray(leaf)
    return {"array" if isinstance(leaf, np.ndarray) else "scalar": name}


def load(file: File, like: Any = None) -> Any:
    """Read a tree that `save` has written.

    Args:
        file: The path of a file, or a binary stream.
        like: A tree with the structure, shapes and dtypes that are expected; its containers are
            built again with the leaves of the file. Trees that hold objects of named tuples or of
            registered classes need one. With None, dicts, lists and tuples are built as they were.

    Returns:
        The tree, with new arrays.

    Raises:
        LoadError: The file is no saved tree, or it is damaged, or it is not like the one given.

    Example:
        >>> import io
        >>> import numpy as np
        >>> import functrace as ft
        >>> file = io.BytesIO()
        >>> ft.tree.save(file, {"weights": np.ones(2), "step": 3})
        >>> _ = file.seek(0)
        >>> ft.tree.load(file)
        {'step': 3, 'weights': array([1., 1.])}
    """
    if isinstance(file, str | PathLike):
        with Path(file).open("rb") as stream:
            return _load(stream, str(file), like)
    return _load(file, str(getattr(file, "name", "The file")), like)


def _load(stream: Any, name: str, like: Any) -> Any:
    try:
        texts, arrays = archives.read(stream, (MANIFEST,), LONGEST)
        manifest = json.loads(texts[MANIFEST])
        require(manifest["format"] == FORMAT, f"{MANIFEST} is of another kind")
        if manifest["version"] != VERSION:
            raise LoadError(
                f"{name} was saved in version {manifest['version']!s:.20} of the format; this "
                f"functrace reads version {VERSION}.",
                advice="Update functrace: pip install --upgrade functrace.",
            )
        leaves = list(_leaves(manifest["tree"], arrays, ()))
        if like is None:
            return _built(manifest["tree"], (leaf for _, leaf in leaves))
    except LoadError:
        raise
    # What a damaged zip or text can raise is not known beforehand.
    except Exception as error:
        what = str(error).partition("\n")[0][:300] or type(error).__name__
        raise LoadError(
            f"{name} is no saved tree, or it is damaged: {what}",
            advice="Save the tree again, functrace.tree.save(path, tree), and copy the file as "
            "binary data.",
        ) from error
    return _alike(name, leaves, like)


def _content(node: Any) -> tuple[str, Any]:
    """The word that says what an object of JSON stands for, and what it holds."""
    require(node.__class__ is dict and len(node) in (1, 2), "a part of it is none")
    word = next(iter(node))
    return word, node["children" if word == "class" else word]


def _leaves(
    node: Any, arrays: Mapping[str, np.ndarray], path: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The leaves in order, each with the keys that lead to it."""
    if node is None:
        return
    if node.__class__ in (bool, int, float, str):
        yield path, node
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _leaves(child, arrays, (*path, index))
    else:
        word, content = _content(node)
        if word == "array":
            yield path, arrays[content]
        elif word == "scalar":
            yield path, arrays[content][()]
        elif word == "float":
            yield path, float(content)
        elif word == "complex":
            yield path, complex(*map(float, content))
        elif word == "tuple":
            yield from _leaves(content, arrays, path)
        else:
            require(word in ("dict", "OrderedDict", "class"), "a part of it is of no kind")
            for key, child in content:
                require(key.__class__ in (str, int), "a key is none")
                yield from _leaves(child, arrays, (*path, key))


def _built(node: Any, leaves: Iterator[Any]) -> Any:
    """The containers of a tree around its leaves."""
    if node is None:
        return None
    if isinstance(node, list):
        return [_built(child, leaves) for child in node]
    if not isinstance(node, dict):
        return next(leaves)
    word, content = _content(node)
    if word == "tuple":
        return tuple(_built(child, leaves) for child in content)
    if word in ("dict", "OrderedDict"):
        container = dict if word == "dict" else OrderedDict[Any, Any]
        return container((key, _built(child, leaves)) for key, child in content)
    if word == "class":
        raise LoadError(
            f"The tree holds an object of the class {node['class']!s:.80}, which a file does not "
            "say how to build.",
            advice="Give a tree of the same structure: functrace.tree.load(file, like=params).",
        )
    return next(leaves)


def _alike(name: str, found: list[tuple[tuple[Any, ...], Any]], like: Any) -> Any:
    """The leaves of a file in the containers of another tree, which must be as the file's."""
    expected, structure = flatten_with_path(like)
    for (path, own), (keys, leaf) in zip_longest(expected, found, fillvalue=((), None)):
        place, steps = place_of(path), tuple(map(_key, path))
        if len(expected) != len(found) or tuple(map(str, steps)) != tuple(map(str, keys)):
            raise LoadError(
                f"{name} holds {len(found)} leaves, the tree that it should be like has "
                f"{len(expected)}; the first that differs is "
                f"{'/'.join(map(str, keys))!r} in the file and {place} in the tree.",
                advice="Give a tree of the structure that was saved.",
            )
        types = [(a.shape, a.dtype) for a in map(np.asarray, (own, leaf))]
        if types[0] != types[1]:
            raise LoadError(
                f"{name} holds for {place} an array of shape {types[1][0]} and {types[1][1]}, not "
                f"of shape {types[0][0]} and {types[0][1]}.",
                advice="Load it without `like`, and convert it as you mean it.",
            )
    return structure.unflatten(leaf for _, leaf in found)
