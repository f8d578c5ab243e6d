"""Trees: nested containers whose leaves are arrays, numbers or anything else.

A tree is a dict, list, tuple, named tuple, ``None`` (an empty tree), ``OrderedDict``,
``defaultdict`` or an object of a registered class, whose children are trees. Everything else is a
leaf. Containers are recognised by their exact class: a subclass of ``list`` that nobody registered
is a leaf.

>>> from functrace import tree
>>> leaves, structure = tree.flatten({"b": [1.0, None], "W": 2.0})
>>> leaves
[2.0, 1.0]
>>> structure
Structure({'W': *, 'b': [*, None]})
>>> structure.unflatten([20.0, 10.0])
{'W': 20.0, 'b': [10.0, None]}

The names and their meaning are those of ``jax.tree``.
"""

from functrace.tree.keys import DictKey as DictKey
from functrace.tree.keys import FlattenedIndexKey as FlattenedIndexKey
from functrace.tree.keys import GetAttrKey as GetAttrKey
from functrace.tree.keys import KeyPath as KeyPath
from functrace.tree.keys import SequenceKey as SequenceKey
from functrace.tree.keys import keystr as keystr
from functrace.tree.mapping import all as all
from functrace.tree.mapping import broadcast as broadcast
from functrace.tree.mapping import broadcast_prefix as broadcast_prefix
from functrace.tree.mapping import first_difference as first_difference
from functrace.tree.mapping import map as map
from functrace.tree.mapping import map_with_path as map_with_path
from functrace.tree.mapping import reduce as reduce
from functrace.tree.mapping import reduce_associative as reduce_associative
from functrace.tree.mapping import transpose as transpose
from functrace.tree.registering import assume_leaf as assume_leaf
from functrace.tree.registering import register as register
from functrace.tree.registering import register_dataclass as register_dataclass
from functrace.tree.registering import static as static
from functrace.tree.saving import load as load
from functrace.tree.saving import save as save
from functrace.tree.showing import show as show
from functrace.tree.structures import LEAF as LEAF
from functrace.tree.structures import Structure as Structure
from functrace.tree.traversing import flatten as flatten
from functrace.tree.traversing import flatten_one_level as flatten_one_level
from functrace.tree.traversing import flatten_one_level_with_keys as flatten_one_level_with_keys
from functrace.tree.traversing import flatten_with_path as flatten_with_path
from functrace.tree.traversing import is_tree_node as is_tree_node
from functrace.tree.traversing import leaves as leaves
from functrace.tree.traversing import leaves_with_path as leaves_with_path
from functrace.tree.traversing import structure as structure
from functrace.tree.traversing import unflatten as unflatten
from functrace.tree.vectors import ravel as ravel

__all__ = [
    "LEAF",
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyPath",
    "SequenceKey",
    "Structure",
    "all",
    "assume_leaf",
    "broadcast",
    "broadcast_prefix",
    "first_difference",
    "flatten",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "flatten_with_path",
    "is_tree_node",
    "keystr",
    "leaves",
    "leaves_with_path",
    "load",
    "map",
    "map_with_path",
    "ravel",
    "reduce",
    "reduce_associative",
    "register",
    "register_dataclass",
    "save",
    "show",
    "static",
    "structure",
    "transpose",
    "unflatten",
]


def __dir__() -> list[str]:
    return sorted(__all__)
