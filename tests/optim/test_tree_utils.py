"""Names with ``tree_`` in front are those of `functrace.optim.tree`."""

from functrace.optim import tree, tree_utils


def test_each_name_is_the_one_without_tree():
    names = [name for name in vars(tree_utils) if name.startswith("tree_")]
    others = {
        "tree_l2_norm": "norm",
        "tree_scalar_mul": "scale",
        "tree_add_scalar_mul": "add_scale",
    }
    assert len(names) > 25
    for name in names:
        own = others.get(name, name.removeprefix("tree_"))
        assert getattr(tree_utils, name) is getattr(tree, own)
