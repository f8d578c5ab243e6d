"""What is written for contributors, beside what is there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

import functrace
from tests.test_docs import blocks

ROOT = Path(__file__).parent.parent
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
HOOKS = ROOT / ".pre-commit-config.yaml"
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
HELPERS = [ROOT / "tests" / "simplify" / "helpers.py"]

PART_OF_PYTHON = {"venv", "pip"}
PART_OF_THE_SHELL = {"."}

COMMANDS = [
    line
    for block in blocks(CONTRIBUTING)
    if block.language == "sh"
    for line in block.text.splitlines()
]


def packages(extra: str) -> set[str]:
    """The names of the packages that an extra installs, without versions."""
    return {re.split(r"[\[>=<]", requirement)[0] for requirement in EXTRAS[extra]}


def checks(text: str) -> set[tuple[str, ...]]:
    """The commands of ruff and pyright in a text, without where they are installed."""
    found = re.findall(
        r"""(?:"\$tools/bin/|python -m )(ruff|pyright)"?(?: --pythonpath \S+)?(.*)""", text
    )
    return {(tool, *options.split("#")[0].split()) for tool, options in found}


def test_the_version_is_one():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    version = PROJECT["project"]["version"]
    assert functrace.__version__ == version
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [version]
    assert re.findall(r"^license: (\S+)$", citation, re.MULTILINE) == [
        PROJECT["project"]["license"]
    ]


def test_hooks_and_workflow_check_what_ci_checks():
    expected = {("ruff", "check", "."), ("ruff", "format", "--check", "."), ("pyright",)}
    assert checks(CI) == expected
    assert checks(WORKFLOW.read_text(encoding="utf-8")) == expected
    assert checks(HOOKS.read_text(encoding="utf-8")) == expected


def test_hooks_take_the_tools_of_the_dev_extra():
    text = HOOKS.read_text(encoding="utf-8")
    assert set(re.findall(r"repo: (\S+)", text)) == {"local"}
    assert set(re.findall(r"language: (\S+)", text)) == {"system"}
    assert {tool for tool, *_ in checks(text)} | {"pre-commit"} <= packages("dev")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command(command):
    program, *arguments = shlex.split(command)
    if program in PART_OF_THE_SHELL:
        return
    if program.startswith("."):
        assert (ROOT / program).is_file()
        return
    if program.startswith("python"):
        assert arguments[0] == "-m"
        program, *arguments = arguments[1:]
    if program.startswith(("benchmarks.", "tests.")):
        assert (ROOT / f"{program.replace('.', '/')}.py").is_file()
    elif program not in PART_OF_PYTHON:
        assert program in packages("dev") | packages("test") | packages("docs")
    for argument in arguments:
        if argument.endswith(".py"):
            assert (ROOT / argument).is_file()
        if argument.startswith(".["):
            assert set(argument[2:-1].split(",")) <= set(EXTRAS)


def test_there_are_commands():
    assert len(COMMANDS) > 5


def test_coverage_is_measured_beside_the_tests_and_has_a_floor():
    assert 'PYTEST_ADDOPTS="-n auto --cov' in CI
    assert {"pytest-cov", "pytest-xdist"} <= packages("test")
    coverage = PROJECT["tool"]["coverage"]
    assert coverage["run"]["source"] == ["functrace"]
    assert coverage["report"]["fail_under"] > 90


def test_names_are_those_of_the_source():
    named = set(re.findall(r"`(\w+)`", CONTRIBUTING.read_text(encoding="utf-8")))
    files = [ROOT / "pyproject.toml", *(ROOT / "functrace").rglob("*.py"), *HELPERS]
    words = {word for file in files for word in re.findall(r"\w+", file.read_text("utf-8"))}
    assert len(named) > 10
    assert named <= words
