"""Copy a word by attention: a small transformer (Vaswani et al., 2017).

It reads random letters and then a sign, and is to write the letters again. For that, each place
must look back by the length of the word: the picture of the weights of attention shows that it has
learnt to.

    python examples/copying.py

The loss, and the weights with which each place reads those before it, are drawn to `copying.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import functrace as ft
from functrace import nn, optim

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

LETTERS, LENGTH, FEATURES, HEADS = 8, 6, 32, 2
SIGN = LETTERS  # the letter that means: now write
Block = dict[str, Any]


def words(key: Any, count: int) -> Any:
    """Draw words, each followed by the sign and by itself: of shape (count, 2 LENGTH + 1)."""
    drawn = ft.random.randint(key, (count, LENGTH), 0, LETTERS)
    sign = np.full((count, 1), SIGN)
    return np.concatenate([drawn, sign, drawn], axis=1)


def init_block(key: Any) -> Block:
    """Draw the parameters of a block: attention, and a network for each place."""
    keys = ft.random.split(key, 3)
    return {
        "first": nn.init_layer_norm(FEATURES),
        "attention": nn.init_attention(keys[0], FEATURES, HEADS),
        "second": nn.init_layer_norm(FEATURES),
        "wide": nn.init_dense(keys[1], FEATURES, 4 * FEATURES),
        "narrow": nn.init_dense(keys[2], 4 * FEATURES, FEATURES),
    }


def block(params: Block, x: Any) -> Any:
    """Add what the places before tell, and then what a network makes of it."""
    x = x + nn.attention(params["attention"], nn.layer_norm(params["first"], x), is_causal=True)
    wide = nn.gelu(nn.dense(params["wide"], nn.layer_norm(params["second"], x)))
    return x + nn.dense(params["narrow"], wide)


def initialise(key: Any) -> dict[str, Any]:
    """Draw all parameters."""
    keys = ft.random.split(key, 4)
    return {
        "letters": nn.init_embedding(keys[0], LETTERS + 1, FEATURES),
        "places": nn.init_embedding(keys[1], 2 * LENGTH, FEATURES),
        "block": init_block(keys[2]),
        "scores": nn.init_dense(keys[3], FEATURES, LETTERS + 1),
    }


def read(params: dict[str, Any], text: Any) -> Any:
    """Give the features of each letter at its place."""
    places = nn.embedding(params["places"], np.arange(text.shape[-1]))
    return nn.embedding(params["letters"], text) + places


def predict(params: dict[str, Any], text: Any) -> Any:
    """Give the scores of the letter after each place."""
    return nn.dense(params["scores"], block(params["block"], read(params, text)))


def loss(params: dict[str, Any], text: Any) -> Any:
    """Give the mean cross-entropy of the letters that are to be copied."""
    scores = predict(params, text[:, :-1])[:, LENGTH:]
    return np.mean(nn.softmax_cross_entropy_with_integer_labels(scores, text[:, LENGTH + 1 :]))


def weights(params: dict[str, Any], text: Any) -> Any:
    """Give the weights of attention, of each head: (heads, places, places)."""
    own = params["block"]
    x = nn.layer_norm(own["first"], read(params, text))
    query, key = (
        np.einsum("pf,fhs->hps", x, own["attention"][name]["weight"])
        + own["attention"][name]["bias"][:, np.newaxis]
        for name in ("query", "key")
    )
    products = query @ key.transpose(0, 2, 1) / np.sqrt(key.shape[-1])
    return nn.softmax(products, where=np.tri(len(text), dtype=bool))


def draw(curve: list[float], seen: Any, text: Any, path: Path) -> None:
    """Draw the loss and the weights of both heads."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, *others = figure.subplots(1, 1 + HEADS)
    left.semilogy(curve)
    left.set(xlabel="step", ylabel="mean cross-entropy", title="loss")
    left.grid(alpha=0.3, which="both")
    signs = ["abcdefgh?"[letter] for letter in text]
    for number, axes in enumerate(others):
        axes.imshow(seen[number], cmap="Blues", vmin=0, vmax=1)
        axes.set(title=f"head {number + 1}: who reads whom", xlabel="is read", ylabel="reads")
        axes.set_xticks(range(len(text)), signs)
        axes.set_yticks(range(len(text)), signs)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, copy and draw; give the share of new words that are copied without a mistake."""
    parser = argparse.ArgumentParser(description="A small transformer that copies words.")
    parser.add_argument("--steps", type=int, default=300, help="of Adam, each on 64 new words")
    parser.add_argument("--seed", type=int, default=0, help="of the parameters and the words")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    key = ft.random.key(options.seed)
    params = initialise(ft.random.fold_in(key, 0))
    optimiser = optim.adam(3e-3)
    state = optimiser.init(params)

    @ft.jit
    def step(params: Any, state: Any, key: Any) -> Any:
        value, gradient = ft.value_and_grad(loss)(params, words(key, 64))
        updates, state = optimiser.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    curve: list[float] = []
    for number in tqdm(range(options.steps), desc="training", unit="step"):
        params, state, value = step(params, state, ft.random.fold_in(key, number + 1))
        curve.append(float(value))

    text = words(ft.random.fold_in(key, options.steps + 1), 500)
    written = np.argmax(predict(params, text[:, :-1])[:, LENGTH:], axis=-1)
    right = float(np.mean(np.all(written == text[:, LENGTH + 1 :], axis=1)))
    print(f"words copied without a mistake: {right:.1%}")

    picture = options.out / "copying.png"
    draw(curve, weights(params, text[0, :-1]), text[0, :-1], picture)
    print(f"the loss, and who reads whom: {picture}")
    return right


if __name__ == "__main__":
    main()
