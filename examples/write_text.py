"""Learn to write, letter by letter: a long short-term memory reads the Zen of Python.

At each letter the network of `functrace.nn` gives a score to every letter that could be next; the
loss is the cross-entropy with the one that is. It goes through eight parts of the text side by
side, by a loop that is one operation, `functrace.scan`, and Adam goes down its gradient. Then it is
given "The" and writes on: each letter is drawn by its scores, and read as the next one.

    python examples/write_text.py
    python examples/write_text.py --steps 500 --size 128

The loss is drawn to `write_text.png`, with how sure the network is of each letter that it writes.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
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

PARTS = 8


def zen() -> str:
    """The text that Python prints when one imports ``this``."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this  # noqa: PLC0415  (importing it is what prints)

    return codecs.decode(this.s, "rot13")


def initialise(key: Any, letters: int, size: int) -> dict[str, Any]:
    """Draw the parameters: of the letters, of the memory, and of the scores."""
    keys = ft.random.split(key, 3)
    return {
        "letters": nn.init_embedding(keys[0], letters, 16, dtype=np.float32),
        "memory": nn.init_lstm(keys[1], 16, size, dtype=np.float32),
        "scores": nn.init_dense(keys[2], size, letters, dtype=np.float32),
    }


def loss(params: dict[str, Any], text: np.ndarray) -> Any:
    """Give the mean cross-entropy of each letter of some texts, (time, texts), by those before."""
    seen, _ = nn.lstm(params["memory"], nn.embedding(params["letters"], text[:-1]))
    scores = nn.dense(params["scores"], seen)
    return np.mean(nn.softmax_cross_entropy_with_integer_labels(scores, text[1:]))


def write(params: dict[str, Any], key: Any, start: np.ndarray, length: int) -> tuple[Any, Any]:
    """Go on from a start: the letters that are drawn, and how likely each of them was."""
    _, state = nn.lstm(params["memory"], nn.embedding(params["letters"], start[:-1]))

    def step(carry: Any, key: Any) -> Any:
        state, letter = carry
        state, seen = nn.lstm_step(params["memory"], state, nn.embedding(params["letters"], letter))
        scores = nn.dense(params["scores"], seen)
        letter = ft.random.categorical(key, scores)
        return (state, letter), (letter, nn.softmax(scores)[letter])

    keys = ft.random.split(key, length)
    _, (letters, likely) = ft.scan(step, (state, start[-1]), keys)
    return letters, likely


def draw(curve: list[float], text: str, likely: np.ndarray, path: Path) -> None:
    """Draw the loss, and the text in the colours of its probabilities."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.4])
    left.semilogy(curve)
    left.set(xlabel="step", ylabel="mean cross-entropy", title="loss")
    left.grid(alpha=0.3, which="both")
    right.set_axis_off()
    right.set_title("what it writes: the paler, the less sure", loc="left")
    x, y = 0.0, 0.0
    for letter, chance in zip(text, likely, strict=True):
        if letter == "\n" or x > 62:
            x, y = 0.0, y - 1
        if letter != "\n":
            colour = (0.1, 0.2, 0.5, 0.15 + 0.85 * float(chance))
            right.text(x, y, letter, color=colour, family="monospace", fontsize=8)
            x += 1
    right.set(xlim=(0, 63), ylim=(y - 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, write and draw; give the last loss."""
    parser = argparse.ArgumentParser(description="Write text with a long short-term memory.")
    parser.add_argument("--steps", type=int, default=400, help="of Adam, over the whole text")
    parser.add_argument("--size", type=int, default=96, help="of the memory")
    parser.add_argument("--seed", type=int, default=0, help="of the parameters and the text")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    text = zen()
    alphabet = sorted(set(text))
    numbers = np.array([alphabet.index(letter) for letter in text])
    length = len(text) // PARTS
    starts = np.arange(PARTS) * length
    parts = numbers[(starts + np.arange(length)[:, np.newaxis])]
    first, second = ft.random.split(ft.random.key(options.seed))
    params = initialise(first, len(alphabet), options.size)
    optimiser = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(1e-2))
    state = optimiser.init(params)

    @ft.jit
    def step(params: Any, state: Any) -> Any:
        value, gradient = ft.value_and_grad(loss)(params, parts)
        updates, state = optimiser.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    curve: list[float] = []
    for _ in tqdm(range(options.steps), desc="training", unit="step"):
        params, state, value = step(params, state)
        curve.append(float(value))

    letters, likely = ft.jit(write, static_argnums=3)(params, second, numbers[:3], 380)
    written = text[:3] + "".join(alphabet[letter] for letter in letters)
    print(f"cross-entropy of a letter: {curve[0]:.2f} at first, {curve[-1]:.3f} at last\n")
    print(written)

    picture = options.out / "write_text.png"
    draw(curve, written, np.concatenate([np.ones(3), likely]), picture)
    print(f"\nthe loss, and what it writes: {picture}")
    return curve[-1]


if __name__ == "__main__":
    main()
