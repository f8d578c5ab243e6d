"""The floors of the house, from the lowest: what stands where, and why.

A file imports files of lower rooms, and in its own room those that are listed before it. Rooms of
one floor do not know each other. `tests/test_architecture.py` holds that. `docs/floors.md` and
the picture in `docs/architecture.md` are made from this list and from the first lines of the files:
``python -m tests.floors`` writes them anew.
"""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

import functrace

PACKAGE = Path(functrace.__file__).parent
DOCS = PACKAGE.parent / "docs"


class Room(NamedTuple):
    """A folder, or files of the package itself.

    Attributes:
        name: The folder; for files of the package itself, what they are together.
        why: Why it stands where it stands.
        files: From the lowest.
        is_folder: Whether it is a folder.
    """

    name: str
    why: str
    files: tuple[str, ...]
    is_folder: bool = True

    def modules(self) -> list[str]:
        """The files, as modules of the package."""
        return [f"{self.name}.{file}" if self.is_folder else file for file in self.files]


def room(name: str, why: str, files: str) -> Room:
    """A folder with these files."""
    return Room(name, why, tuple(files.split()))


def files(name: str, why: str, names: str) -> Room:
    """Files of the package itself."""
    return Room(name, why, tuple(names.split()), is_folder=False)


FLOORS: list[list[Room]] = [
    [
        files(
            "foundations",
            "everything may raise an error",
            "errors depth collecting factories tracebacks archives texts",
        )
    ],
    [
        room(
            "tree",
            "containers know nothing of what is in them",
            "keys kinds nodes registering differences sameness structures traversing mapping"
            " vectors saving showing",
        )
    ],
    [
        room(
            "ir",
            "a Program is data: it can be read, checked, printed and saved where nothing runs",
            "immutable types emission primitive program structure checking parsing saving",
        )
    ],
    [
        room(
            "tracing",
            "recording makes Programs out of Python, and knows no operation by name",
            "layouts places expressions numpy_warnings reaching creations draws tables twins"
            " refusals optional entrances traced_array operands wording conversions sharing"
            " recording tracer program_recording implementing views buffers reusing",
        )
    ],
    [
        room(
            "primitives",
            "operations on arrays have all their rules with them; rules bind operations",
            "linear requiring choosing shaping viewing windowing broadcasting"
            " zero_products elementwise parts special reducing"
            " contracting indexing cumulating fourier cosines signals filtering ordering"
            " scipy_ufuncs incomplete carlson series scipy_rules",
        )
    ],
    [
        room(
            "matrices",
            "operations of linear algebra have rules that are written with all others",
            "stacks systems determinants factoring least_squares spectral eigen roots"
            " pivoting tridiagonal equations functions banded toeplitz schurs sparse",
        )
    ],
    [
        room(
            "transforms",
            "a transformation is a loop over operations, and asks each for its rule",
            "transformed keeping calling arguments static_arguments evaluate shapes zeros"
            " transpose masks limits forward linear_functions tape repeating backward following"
            " reverse batch jacobian linearizing programs scratch comparing",
        )
    ],
    [
        room(
            "simplify",
            "passes rewrite Programs that are going to run, whatever will run them",
            "dead_code rewriting folding inlining subexpressions constants sums indices"
            " writes elements parts gathers algebra stacked loops steps adding stacking preparing"
            " trips nested repeats listing recognizing rerolling",
        )
    ],
    [
        room(
            "backends",
            "from a Program to what runs it; what holds Programs is known by its structure only",
            "settings memory classes names plan planner structures blocks runtime writer lines"
            " threads numpy_source backend numpy_passes assuming numpy_backend compiling",
        )
    ],
    [
        room(
            "backends.native",
            "machine code for what NumPy would run in many steps; llvmlite is there or it is not",
            "registers polynomials mathematics disk machine objects entry calling parallel sharing"
            " folding writing elementwise memory elements nests decomposing libraries products"
            " halves tiles joining lowering axes elimination blocked matrices operations tables"
            " clusters stored kernels backend",
        )
    ],
    [
        room(
            "control",
            "operations that hold Programs; they run these by the seam of the backends",
            "call collectives branching choices reversing looping checkpoint bodies loops mapping",
        )
    ],
    [
        room(
            "rules",
            "functions with derivatives of the user's own, or by a theorem",
            "ruleless solving callbacks custom_call custom_rules custom closures custom_batching"
            " implicit",
        ),
        room(
            "jitting",
            "compiled functions: kinds of calls, and what was made ready for each",
            "donating explaining slow_compiles guards tiers recordings profiling stages jit",
        ),
    ],
    [
        room(
            "numpy",
            "NumPy's functions are composed of operations, with NumPy's signatures",
            "subscripts calculus choosing contracting elementwise inspecting linear_algebra"
            " reducing reshaping making statistics classes cumulative indexing ufunc_methods"
            " ufunc_calls updating joining norms taking keywords lists vectorizing fourier signals"
            " interpolating quantiles sorting polynomials polynomial positions histograms sets"
            " sized bits extending linalg fft",
        )
    ],
    [
        room(
            "random",
            "numbers are functions of keys; shapes and derivatives are NumPy's",
            "philox streams drawing rejecting slopes tails keys requests continuous discrete",
        ),
        room(
            "solvers",
            "solvers find solutions on values; what they solve gives the derivatives",
            "functions solutions optima initial_values runge_kutta hosted quadrature",
        ),
    ],
    [
        room(
            "scipy",
            "functions of SciPy on traced values",
            "special optimize integrate bsplines interpolate signal fft ndimage",
        ),
        room(
            "scipy.linalg",
            "the names of scipy.linalg, composed of operations of linear algebra",
            "operands structured systems factoring functions equations",
        ),
        room(
            "scipy.sparse",
            "sparse matrices with traced elements, by the names of scipy.sparse",
            "arrays linalg",
        ),
        room(
            "lax",
            "the names of jax.lax, composed of NumPy's functions and of control",
            "elementwise shaping slicing products reductions windows convolutions gathering"
            " ordering fourier control linalg",
        ),
        room(
            "testing",
            "checks use the whole house, and nothing in it uses them",
            "comparing numerical suspects derivatives gradients traits rules",
        ),
        files(
            "names",
            "names of other libraries, and what users write primitives and programs with",
            "config math tree_util flatten_util custom_batching porting debug finding reporting"
            " holding remembering explaining extend ops",
        ),
    ],
    [
        room(
            "scipy.stats",
            "one distribution is one class of formulas; what they share is stated once",
            "tails families computed elementary circular normals gamma_like discrete multivariate"
            " samples",
        ),
        room(
            "scipy.spatial",
            "the names of scipy.spatial, composed of NumPy's functions",
            "distance",
        ),
        room(
            "scipy.cluster",
            "the names of scipy.cluster, composed of NumPy's functions",
            "vq",
        ),
        room(
            "nn",
            "the names of jax.nn and losses of optax, composed of NumPy's functions and of SciPy's",
            "activations normalizing attention initializers losses layers convolutions recurrent"
            " stax",
        ),
        room("experimental", "names of jax.experimental, by functrace's own solvers", "ode"),
        files("command", "it says what the whole house is", "__main__"),
        room(
            "drawing",
            "pictures are made of what tapes and Programs hold",
            "words layout dot graphs frames svg pictures",
        ),
    ],
    [
        room(
            "optim",
            "the names of optax: optimizers, schedules, and the losses of the floor below",
            "tree tree_utils base schedules transformations combining searching optimizers contrib "
            "projections perturbations triples",
        ),
        room(
            "exploring",
            "a page has all that a function becomes, on the way to machine code",
            "recording values listing pages",
        ),
    ],
]


def described(module: str) -> str:
    """The first line of a file, without its full stop."""
    path = PACKAGE / f"{module.replace('.', '/')}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].removesuffix(".")


def lines_of(room: Room) -> int:
    """How many lines of source a room has."""
    paths = [PACKAGE / f"{module.replace('.', '/')}.py" for module in room.modules()]
    return sum(path.read_text(encoding="utf-8").count("\n") for path in paths)


def page() -> str:
    """The page docs/floors.md."""
    rows = [
        "# The floors, from the lowest",
        "",
        "Imports point down: to a lower room, or within a room to a file that is listed above.",
        "Rooms of one floor do not know each other. This page is made by `python -m tests.floors`.",
    ]
    for room in (room for floor in FLOORS for room in floor):
        rows += ["", f"## {room.name}", "", f"{room.why[0].upper()}{room.why[1:]}.", ""]
        rows += ["| File | What it holds |", "|---|---|"]
        rows += [f"| `{m.replace('.', '/')}.py` | {described(m)} |" for m in room.modules()]
    return "\n".join(rows) + "\n"


WIDTH, HEIGHT, GAP, LETTER = 860, 54, 6, 5.6
"""Of the picture, in pixels: its width, the height of a floor, the gaps, the width of a letter."""


def picture() -> str:
    """The floors as an SVG picture, the lowest at the bottom."""
    height = len(FLOORS) * (HEIGHT + GAP) + GAP
    view = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, floor in enumerate(FLOORS):
        y = height - (number + 1) * (HEIGHT + GAP)
        width = (WIDTH - GAP) / len(floor) - GAP
        for place, room in enumerate(floor):
            x = GAP + place * (width + GAP)
            shape = f'x="{x:.0f}" y="{y}" width="{width:.0f}" height="{HEIGHT}" rx="3"'
            parts.append(f'<rect {shape} fill="#dbe7f5" stroke="#5b7fa6"/>')
            title = f'<tspan font-size="14" font-weight="bold">{room.name}</tspan>'
            parts.append(f'<text x="{x + 8:.0f}" y="{y + 18}">{title}</text>')
            for row, line in enumerate(wrap(room.why, int((width - 16) / LETTER))):
                parts.append(f'<text x="{x + 8:.0f}" y="{y + 33 + 13 * row}">{line}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    (DOCS / "floors.md").write_text(page(), encoding="utf-8")
    (DOCS / "floors.svg").write_text(picture(), encoding="utf-8")
