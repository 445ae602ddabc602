"""The layering of the project and the rules of its files, as tests. docs/architecture.md gives the reasons."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python/fastnn"

# ---- Python: who may import whom ---------------------------------------------------------------------------------

#: Each may import what stands above it, never what stands below. The longest name that fits counts.
LAYERS = [
    "errors",
    "arrays",
    "dtype_policies",
    "structure",
    "masks",
    "custom_objects",
    "registry",
    "config",
    "backend",
    "recording",
    "operators",
    "random",
    "symbolic",
    "autograd",
    "ops",
    "testing",
    "storage",
    "data",
    "text",
    "vision",
    "audio",
    "activations",
    "initializers",
    "regularizers",
    "constraints",
    "classic",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "io",
    "training",
    "callbacks",
    "models",
    "applications",
    "distributed",
    "sklearn",
    "demo",
    "info",
    "cli",
    "__main__",
    "saving",
    "utils",
    "__init__",
]

#: Imports of a lower layer, each inside a function: (importer, imported).
UPWARD: set[tuple[str, str]] = set()

#: What may be imported when a module is loaded. Everything else is imported where it is used.
EAGER = {"numpy"}

#: Modules that are themselves imported only when asked for, and what they may need to load.
LATE = {"sklearn": {"sklearn"}}

#: Compiled modules and array libraries, and who may import them.
ONLY_BACKEND = {"fastnn._core", "fastnn._cuda", "cupy"}


#: Keras's names for what lives elsewhere.
FACADES = ["callbacks", "utils"]


class Import(NamedTuple):
    importer: str  # module names without the leading "fastnn."
    name: str  # as imported, in full
    late: bool  # inside a function, or for type checkers alone


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_names(node: ast.AST, importer: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{importer}: expected absolute imports, got a relative one in line {node.lineno}"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            is_module = inner.removeprefix("fastnn.") in MODULES or inner in ONLY_BACKEND
            yield inner if is_module else str(node.module)


def imports_of(importer: str, path: Path) -> Iterator[Import]:
    def visit(node: ast.AST, late: bool) -> Iterator[Import]:
        yield from (Import(importer, name, late) for name in imported_names(node, importer))
        types_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        late = late or types_only or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late)

    yield from visit(ast.parse(path.read_text()), False)


IMPORTS = [found for name, path in MODULES.items() for found in imports_of(name, path)]
OURS = [
    Import(i.importer, "__init__" if i.name == "fastnn" else i.name.removeprefix("fastnn."), i.late)
    for i in IMPORTS
    if i.name == "fastnn" or i.name.startswith("fastnn.")
]


def layer(module: str) -> int:
    while module not in LAYERS and "." in module:
        module = module.rpartition(".")[0]
    assert module in LAYERS, f"expected every module to have its place in LAYERS, got {module}"
    return LAYERS.index(module)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_up_the_list(module: str) -> None:
    for found in OURS:
        if found.importer != module or f"fastnn.{found.name}" in ONLY_BACKEND or (module, found.name) in UPWARD:
            continue
        assert layer(found.name) <= layer(module), f"{module} imports {found.name}, which stands below it"


def test_upward_imports_exist_and_hide_in_functions() -> None:
    assert all(found.late for found in OURS if (found.importer, found.name) in UPWARD)
    assert {(found.importer, found.name) for found in OURS} >= UPWARD


def test_modules_form_no_cycle() -> None:
    needs: dict[str, set[str]] = {name: set() for name in MODULES}
    for found in OURS:
        if not found.late and found.name in MODULES:
            needs[found.importer].add(found.name)
    while free := [name for name, wanted in needs.items() if not wanted & needs.keys()]:
        for name in free:
            del needs[name]
    assert not needs, f"these import each other: {needs}"


@pytest.mark.parametrize("module", MODULES)
def test_only_backend_knows_compiled_modules(module: str) -> None:
    known = {i.name for i in IMPORTS if i.importer == module} & ONLY_BACKEND
    assert module == "backend" or not known, f"{module} imports {known}"


@pytest.mark.parametrize("module", MODULES)
def test_other_packages_are_imported_where_they_are_used(module: str) -> None:
    allowed = EAGER | LATE.get(module.partition(".")[0], set()) | sys.stdlib_module_names | {"fastnn"}
    eager = {i.name.partition(".")[0] for i in IMPORTS if i.importer == module and not i.late}
    assert eager <= allowed, f"{module} loads {eager - allowed}"


@pytest.mark.parametrize("module", FACADES)
def test_facades_hold_no_code(module: str) -> None:
    docstring, *body = ast.parse(MODULES[module].read_text()).body
    assert isinstance(docstring, ast.Expr)
    for node in body:
        names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert names or isinstance(node, ast.ImportFrom), f"line {node.lineno}: {ast.unparse(node)}"


def test_importing_fastnn_loads_little_else() -> None:
    code = "import sys, numpy; before = set(sys.modules); import fastnn; print('\\nloaded', *set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.splitlines()[-1].split()[1:]} - sys.stdlib_module_names
    assert {name for name in loaded if not name.startswith("_")} <= {"fastnn", "numpy"}  # _: an editable install


# ---- C++: what a file may hold ------------------------------------------------------------------------------------

CORE = sorted(path for folder in ("include", "src") for path in (ROOT / "cpp" / folder).rglob("*.*"))
BINDINGS = sorted((ROOT / "cpp/bindings").glob("*.cpp"))


def without_comments(path: Path) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_core_knows_no_python(path: Path) -> None:
    assert not re.search(r"#include\s*[<\"](Python|pybind11|numpy)|\bPyObject\b", path.read_text())


@pytest.mark.parametrize("path", CORE + BINDINGS, ids=name_of)
def test_openmp_pragmas_are_in_workers_openmp_cpp(path: Path) -> None:
    assert path.name == "workers_openmp.cpp" or not re.search(r"#pragma\s+omp|_Pragma", without_comments(path))


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_throws_in_check_cpp(path: Path) -> None:
    """Except that memory.cpp says std::bad_alloc, as its contract does."""
    thrown = re.findall(r"\bthrow\b\s*([^;(]*)", without_comments(path))
    if path.name == "memory.cpp":
        thrown = [what for what in thrown if what not in ("std::bad_alloc", "")]
    assert path.name == "check.cpp" or not thrown


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_macros_outlive_their_file_in_kernel_hpp_alone(path: Path) -> None:
    """Elsewhere a file undefines what it defines: the rows of a .def table above all."""
    text = without_comments(path)
    if path.name != "kernel.hpp":
        assert sorted(re.findall(r"#\s*define (\w+)", text)) == sorted(re.findall(r"#\s*undef (\w+)", text))


@pytest.mark.parametrize("path", BINDINGS, ids=name_of)
def test_bindings_hand_entry_points_to_invoke(path: Path) -> None:
    assert not re.search(r"(?<!&fastnn::)(?<!&)\bcpu::(?!template)\w+(<[\w()]+>)?\(", without_comments(path))


@pytest.mark.parametrize("path", sorted((ROOT / "cpp/include").rglob("*.hpp")), ids=name_of)
def test_public_headers_stand_alone(path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        cannot("needs a C++ compiler")
    flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "cpp/include")]
    source = f'#include "{path.relative_to(ROOT / "cpp/include")}"\n'
    run = subprocess.run([compiler, *flags, "-x", "c++", "-"], input=source, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


# ---- one stem per primitive ---------------------------------------------------------------------------------------


def cmake_list(file: str, name: str) -> list[str]:
    found = re.search(rf"set\({name}([^)]*)\)", (ROOT / file).read_text())
    assert found, f"expected set({name} ...) in {file}"
    return found[1].split()


OPS = cmake_list("CMakeLists.txt", "FASTNN_OPS")

#: Where the Python file or the test of a stem has another name than the stem.
PYTHON_OF = {
    "adam": "python/fastnn/optimizers/adam.py",
    "averages": "python/fastnn/optimizers/optimizer.py",
    "clipping": "python/fastnn/optimizers/optimizer.py",
    "copy": "python/fastnn/ops/transpose.py",
    "global_max_pool": "python/fastnn/ops/pool2d.py",
    "optimizers": "python/fastnn/optimizers/optimizer.py",
}
TEST_OF = {"adam": "tests/ops/test_update_rules.py", "optimizers": "tests/ops/test_update_rules.py"}


@pytest.mark.parametrize("op", OPS)
def test_an_op_has_contract_kernels_binding_rule_and_test(op: str) -> None:
    places = [f"cpp/include/fastnn/{op}.hpp", f"cpp/src/ops/{op}.cpp", f"cpp/bindings/{op}.cpp"]
    places += [PYTHON_OF.get(op, f"python/fastnn/ops/{op}.py"), TEST_OF.get(op, f"tests/ops/test_{op}.py")]
    missing = [place for place in places if not (ROOT / place).is_file()]
    assert not missing


def test_no_kernels_beside_the_list() -> None:
    for folder in ("cpp/include/fastnn/*.hpp", "cpp/src/ops/*.cpp"):
        assert {path.stem for path in ROOT.glob(folder)} == set(OPS)


# ---- objects: no instruction set leaks into the rest of the program -----------------------------------------------


def cannot(reason: str) -> None:
    """Skips, except where everything has to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def kernel_objects() -> dict[tuple[str, str], Path]:
    """(instruction set, op) -> object, of FASTNN_BUILD_DIR or the tree under build/ with the newest plain extension."""
    named = os.environ.get("FASTNN_BUILD_DIR")
    built = sorted((ROOT / "build").glob("*/_core*.so"), key=lambda path: path.stat().st_mtime, reverse=True)
    plain = [so.parent for so in built if "FASTNN_SANITIZE:STRING=\n" in (so.parent / "CMakeCache.txt").read_text()]
    for tree in [Path(named)] if named else plain:
        found = tree.glob("CMakeFiles/fastnn_core_kernels_*.dir/**/*.o")
        objects = {
            (o.relative_to(tree).parts[1].split(".")[0].rpartition("_")[2], o.name.split(".")[0]): o for o in found
        }
        if objects:
            return objects
    return {}


def test_kernels_export_only_their_own_namespace() -> None:
    """A shared inline function compiled for AVX-512 could replace its baseline twin and crash older machines."""
    objects = kernel_objects()
    if not objects or not shutil.which("nm"):
        cannot("needs a build tree and nm")
    isas = {isa for isa, _ in objects}
    assert set(objects) >= {(isa, op) for isa in isas for op in OPS}
    for (isa, op), path in objects.items():
        symbols = subprocess.run(["nm", "-C", "--defined-only", "--extern-only", path], capture_output=True, text=True)
        lines = symbols.stdout.splitlines()
        kernels = "#if FASTNN_KERNELS" in (ROOT / f"cpp/src/ops/{op}.cpp").read_text()  # some borrow another op's
        assert bool(lines) == kernels, f"{path.name} ({isa}) exports {len(lines)} symbols"
        for line in lines:
            symbol = line.split(maxsplit=2)[2]
            assert f"fastnn::cpu::{isa}::" in symbol, f"{path.name} ({isa}) exports {symbol}"


# ---- the repository -----------------------------------------------------------------------------------------------


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_nothing_that_was_built_is_tracked() -> None:
    files = tracked_files()
    if not files:
        cannot("needs a git checkout")
    built = [str(p.relative_to(ROOT)) for p in files if p.suffix != ".png" and b"\0" in p.read_bytes()]
    assert not built, f"expected text and pictures alone, got {built}"


def test_files_hold_no_leftovers_and_no_machine_paths() -> None:
    files = tracked_files()
    if not files:
        cannot("needs a git checkout")
    unwanted = re.compile(rb"\b(TO" rb"DO|FIX" rb"ME|X" rb"XX)\b|/(work|root)/|/t" rb"mp/w")
    for path in files:
        if path.suffix == ".png":  # compressed: three letters appear by chance
            continue
        found = unwanted.search(path.read_bytes())
        assert not found, f"{path.relative_to(ROOT)}: {found[0]!r}"
