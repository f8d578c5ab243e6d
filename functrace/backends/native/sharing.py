"""Parts of a function that are written as functions of their own, each once.

LLVM takes longer for one long function than for as many lines in several, and where trips of a loop
were recorded one by one, they are the same loops over elements, of other arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_NAME = re.compile(r"%v\d+")
_TAG = re.compile(r"!tbaa !(\d+)")
_LOOP = re.compile(r"!llvm\.loop !(\d+)")
_LABEL = re.compile(r"\bb\d+\b")
_FLAGS = frozenset(
    {"contract", "reassoc", "nsw", "nuw", "exact", "nnan", "ninf", "nsz", "disjoint", "volatile"}
)


class Shared:
    """The functions that were written so far.

    Attributes:
        functions: Their text.
    """

    def __init__(self, name: str, loop: Callable[[], int]) -> None:
        """Begin with none.

        Args:
            name: What their names begin with.
            loop: Gives a number to a loop, for what is said of it.
        """
        self.functions: list[str] = []
        self._name = name
        self._loop = loop
        self._known: dict[str, str] = {}

    def call(
        self, allocations: Sequence[str], lines: Sequence[str], types: Callable[[str], str]
    ) -> str:
        """What does the same as some lines that make no value for others.

        Args:
            allocations: The memory on the stack that only these lines use.
            lines: The lines.
            types: Tells the type of a register that was written before.

        Returns:
            A call of a function.
        """
        body = "\n".join(
            ["entry:", *allocations, "  br label %start", "start:", *lines, "  ret void"]
        )
        names = _numbered(body)
        given = names_given(allocations, lines)
        labels: dict[str, str] = {}
        tags: dict[str, int] = {}
        body = _NAME.sub(lambda found: names[found[0]], body)
        body = _LABEL.sub(lambda found: labels.setdefault(found[0], f"b{len(labels)}"), body)
        body = _TAG.sub(
            lambda found: f"!tbaa !{2 * tags.setdefault(found[1], len(tags) + 1) + 1}", body
        )
        kinds = [types(name) for name in given]
        parameters = ", ".join(f"{kind} {names[n]}" for kind, n in zip(kinds, given, strict=True))
        key = f"{parameters}\n{_LOOP.sub('!llvm.loop', body)}"
        if key not in self._known:
            function = self._known[key] = f"@{self._name}.{len(self._known)}"
            body = _LOOP.sub(lambda _: f"!llvm.loop !{self._loop()}", body)
            self.functions.append(
                f"define internal void {function}({parameters}) noinline {{\n{body}\n}}"
            )
        arguments = ", ".join(f"{kind} {name}" for kind, name in zip(kinds, given, strict=True))
        return f"call void {self._known[key]}({arguments})"

    def task(
        self, call: str, own: Sequence[str], given: Sequence[str], types: Callable[[str], str]
    ) -> str:
        """What `functrace.backends.native.parallel.PARALLEL` calls for a piece.

        Args:
            call: What does it.
            own: The names of the first number and that after the last one, of the memory, and of
                where it is noted that NumPy is to be asked.
            given: What else it is given, out of the context.
            types: Tells the type of a register that was written before.

        Returns:
            The name of the function.
        """
        first, last, memory, failed = own
        whole = context_type(map(types, given))
        lines = [
            f"(ptr %context, ptr {memory}, i64 {first}, i64 {last}) noinline {{",
            f"  {failed} = alloca i32",
            f"  store i32 0, ptr {failed}",
        ]
        for number, name in enumerate(given):
            lines.append(
                f"  %at{number} = getelementptr {whole}, ptr %context, i64 0, i32 {number}"
            )
            lines.append(f"  {name} = load {types(name)}, ptr %at{number}")
        lines += [f"  {call}", f"  %failed = load i32, ptr {failed}", "  ret i32 %failed", "}"]
        text = "\n".join(lines)
        names = _numbered(text)
        text = _NAME.sub(lambda found: names[found[0]], text)
        if text not in self._known:
            self._known[text] = f"@{self._name}.{len(self._known)}"
            self.functions.append(f"define internal i32 {self._known[text]}{text}")
        return self._known[text]


def _numbered(text: str) -> dict[str, str]:
    """Names for registers in the order of their use, in which loops that are alike agree."""
    names: dict[str, str] = {}
    for name in _NAME.findall(text):
        names.setdefault(name, f"%v{len(names)}")
    return names


def context_type(kinds: Iterable[str]) -> str:
    """The type of what a task is given."""
    return f"{{ {', '.join(kinds)} }}"


def names_given(allocations: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The registers that some lines read and others have made, in the order of their use."""
    body = "\n".join([*allocations, *lines])
    made = set(re.findall(r"^\s+(%v\d+) = ", body, re.MULTILINE))
    return [name for name in dict.fromkeys(_NAME.findall(body)) if name not in made]


def type_of_value(instruction: str) -> str:
    """The type of what an instruction makes, by its text."""
    word, _, rest = instruction.partition(" ")
    if word in ("alloca", "getelementptr"):
        return "ptr"
    if word in ("icmp", "fcmp"):
        return "i1"
    if " to " in rest and word.endswith(("ext", "trunc", "fp", "si", "ui", "cast")):
        return rest.rpartition(" to ")[2]
    if word == "select":
        rest = rest.partition(", ")[2]
    if word == "call":
        rest = " ".join(part for part in rest.split(" ") if part not in _FLAGS)
    if rest.startswith("{"):  # what is made of several, or is one of them
        whole = rest[: rest.index("}") + 1]
        parts = whole.strip("{ }").split(", ")
        return parts[int(rest.rpartition(", ")[2])] if word == "extractvalue" else whole
    words = [part for part in rest.split(" ") if part not in _FLAGS]
    return words[0].rstrip(",")
