"""The ratchet: what we agreed on, held by the machine. Raise a number only with its reason."""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(60)
"""The first to ask parses every file."""

LINE_MAX = 100
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500
SCREEN_LINES_MAX = 250

CONSOLE = ("app.py", "actions", "link.py", "routes.py", "format.py", "widgets", "screens")

BUDGETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "core": (3_100, ("engine/core",)),
    "wire": (1_700, ("engine/wire",)),
    "market": (2_600, ("engine/market",)),
    "strategy": (1_800, ("engine/strategy",)),
    "decide": (4_300, ("engine/decide",)),
    "orders": (4_600, ("engine/orders",)),
    "portfolio": (2_000, ("engine/portfolio",)),
    "account": (2_600, ("engine/account",)),
    "sim": (9_200, ("engine/sim",)),
    "shell": (19_400, ("engine/shell",)),
    "console": (8_400, CONSOLE),
}
"""Code lines (no blanks, comments, docstrings) per package, with the places it lives in."""

CLOCK = "polytui/engine/shell/clock.py"
CLOCK_METHODS = {"now", "utcnow", "today", "time"}
"""Called on anything, these ask what time it is."""

RUNS_WHAT_IT_READS = {
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "pickle",
    "runpy",
    "shelve",
    "torch",
    "yaml",
}
"""Whoever writes the file that these read decides what is run."""
EVALUATES = {"eval", "exec", "compile", "__import__"}

IGNORE = re.compile(r"#\s*(?:noqa:\s*[A-Z0-9, ]+|type:\s*ignore\[[^]]*\])")
"""Matches an ignore; what follows it on the line must be its reason."""


@cache
def repository_files() -> tuple[str, ...]:
    """List the files that are, or are about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def sources(*places: str) -> list[str]:
    wanted = tuple(place if place.endswith(".py") else f"{place}/" for place in places)
    return [f for f in repository_files() if f.endswith(".py") and f.startswith(wanted)]


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(text_of(name), filename=name)


def nodes(name: str, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree_of(name)) if isinstance(node, kinds))


def code_lines(name: str) -> int:
    """Count lines that hold code: no blanks, no comments, no docstrings."""
    silent = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text_of(name)).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree_of(name)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


def imported(name: str) -> set[str]:
    """Collect the dotted names of everything a file imports."""
    found: set[str] = set()
    for node in ast.walk(tree_of(name)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} | {f"{module}.{alias.name}" for alias in names}
    return found


def test_code_lines_leave_out_blanks_comments_and_docstrings() -> None:
    assert code_lines("polytui/__init__.py") == 1


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name in sources("polytui", "tests", "bench")
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_file_is_longer_than_it_may_be() -> None:
    def limit(name: str) -> int:
        return SCREEN_LINES_MAX if name.startswith("polytui/screens/") else FILE_LINES_MAX

    lengths = {n: len(text_of(n).splitlines()) for n in sources("polytui", "tests", "bench")}
    assert {name: lines for name, lines in lengths.items() if lines > limit(name)} == {}


def test_no_line_is_wider_than_a_window() -> None:
    wide = [
        f"{name}:{number}"
        for name in sources("polytui", "tests", "bench")
        for number, line in enumerate(text_of(name).splitlines(), 1)
        if len(IGNORE.split(line)[0].rstrip()) > LINE_MAX
    ]
    assert wide == [], "the reason of an ignore may run over, nothing else"


@pytest.mark.parametrize("package", BUDGETS)
def test_a_package_stays_within_its_budget(package: str) -> None:
    budget, places = BUDGETS[package]
    used = sum(code_lines(name) for name in sources(*(f"polytui/{place}" for place in places)))
    assert used <= budget, f"{package} has {used} code lines and a budget of {budget}"


def test_every_engine_package_has_a_budget() -> None:
    packages = {n.split("/")[2] for n in sources("polytui/engine") if n.count("/") > 2}
    assert packages <= set(BUDGETS)


SUPERVISORS = ("polytui/engine/shell/", "polytui/screens/page.py")
"""Where a broad except may stand, once a file: who restarts a task, and what keeps the console
drawing when a panel is at fault."""


def test_broad_except_stands_once_in_a_supervisor_and_nowhere_else() -> None:
    broad: dict[str, int] = {}
    for name in sources("polytui", "tests", "bench"):
        for node in ast.walk(tree_of(name)):
            match node:
                case ast.ExceptHandler(type=None):
                    caught = "BaseException"
                case ast.ExceptHandler(type=ast.expr() as type_):
                    caught = ast.unparse(type_)
                case ast.Call(func=ast.Attribute(attr="suppress") | ast.Name(id="suppress")):
                    caught = ast.unparse(node)
                case _:
                    continue
            if re.search(r"\b(Base)?Exception\b", caught):
                broad[name] = broad.get(name, 0) + 1
    assert {
        name: count
        for name, count in broad.items()
        if count > 1 or not name.startswith(SUPERVISORS)
    } == {}


def test_only_the_command_line_prints() -> None:
    printing = {
        name
        for name in sources("polytui")
        for node in nodes(name, ast.Call)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    }
    assert printing <= {"polytui/cli.py", "polytui/__main__.py"}


def test_one_module_reads_clocks() -> None:
    importing = {n for n in sources("polytui") if "time" in imported(n)}
    asking = {
        name
        for name in sources("polytui")
        for node in nodes(name, ast.Call)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCK_METHODS
    }
    assert importing <= {CLOCK}
    assert asking <= {CLOCK}


def test_d20_no_file_that_is_code_is_ever_loaded() -> None:
    loaders = {
        name: sorted(found)
        for name in sources("polytui")
        if (found := RUNS_WHAT_IT_READS & {m.partition(".")[0] for m in imported(name)})
    }
    evaluators = [
        f"{name}:{node.lineno}"
        for name in sources("polytui")
        for node in nodes(name, ast.Call)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in EVALUATES
    ]
    assert loaders == {}
    assert evaluators == []


def test_only_settings_imports_pydantic() -> None:
    users = {
        name
        for name in sources("polytui")
        if any(module.startswith("pydantic") for module in imported(name))
    }
    assert users == {"polytui/settings.py"}


def test_every_lint_ignore_carries_its_reason() -> None:
    bare = [
        f"{name}:{number}"
        for name in sources("polytui", "tests", "bench")
        for number, line in enumerate(text_of(name).splitlines(), 1)
        if (ignore := IGNORE.search(line)) and len(re.findall(r"\w+", line[ignore.end() :])) < 3
    ]
    assert bare == []


def test_the_lock_names_no_host_and_hashes_every_package() -> None:
    lock = text_of("requirements.lock")
    assert re.findall(r"://|--index|--extra-index|--find-links|file:| @ ", lock) == []
    packages = re.split(r"\n(?=\S)", lock.strip())
    assert [p.split()[0] for p in packages if "--hash=sha256:" not in p] == []


def required() -> list[str]:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    entries = project["dependencies"] + project["optional-dependencies"]["dev"]
    return [re.split(r"[<>=!~ ;\[]", entry)[0] for entry in entries]


def test_the_lock_pins_every_requirement() -> None:
    pinned = set(re.findall(r"^([\w.-]+)==", text_of("requirements.lock"), re.MULTILINE))
    assert set(required()) <= pinned


def test_the_readme_gives_every_dependency_its_reason() -> None:
    rows = dict(re.findall(r"^\| `?([\w.-]+)`? \| (.+) \|$", text_of("README.md"), re.MULTILINE))
    assert [name for name in required() if len(rows.get(name, "")) < 10] == []


def test_the_readme_documents_every_make_target() -> None:
    targets = re.findall(r"^\.PHONY: (.+)$", text_of("Makefile"), re.MULTILINE)[0].split()
    assert [t for t in targets if f"`make {t}`" not in text_of("README.md")] == []


def test_the_repository_names_no_machine_paths() -> None:
    private = re.compile("/" + r"(?:work|root|home/\w+|Users/\w+)" + "/")
    named = []
    for name in repository_files():
        try:
            text = text_of(name)
        except UnicodeDecodeError:
            continue
        named += [name] if private.search(text) else []
    assert named == []


def modules_loaded_by(*arguments: str) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """Run Python in a process of its own and list what it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return set(re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE)), done


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("module", ["polytui.engine.shell.service", "polytui.cli"])
def test_the_engine_and_the_command_line_never_load_textual(module: str) -> None:
    path = Path("polytui", *module.split(".")[1:]).with_suffix(".py")
    if not (ROOT / path).exists():
        pytest.skip(f"{path} is not written yet")
    loaded, done = modules_loaded_by("-c", f"import {module}")
    assert done.returncode == 0, done.stderr[-1000:]
    assert module in loaded
    assert "textual" not in loaded


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("command", ["ctl", "serve"])
def test_a_headless_command_never_loads_textual(command: str) -> None:
    if not (ROOT / "polytui/__main__.py").exists():
        pytest.skip("polytui/__main__.py is not written yet")
    loaded, done = modules_loaded_by("-m", "polytui", command, "--help")
    if "No such command" in done.stderr:
        pytest.skip(f"polytui {command} is not written yet")
    assert done.returncode == 0, done.stderr[-1000:]
    assert "polytui.cli" in loaded
    assert "textual" not in loaded
