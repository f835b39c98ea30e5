"""Who may import whom: down the flow's layers, never up; torch at one place only."""

import ast
from pathlib import Path

import pytest

import skked

ROOT = Path(skked.__file__).parent
LAYERS = [
    ["_validation", "_progress", "_memory", "_parallel", "_writing"],
    ["_table"],
    ["_teachers", "_forward", "_image_forward"],
    ["_torch"],
    ["_superfeatures", "_explanations", "_chimera"],
    ["_students"],
    ["_metrics"],
    ["_displays", "_export"],
    ["_report_page"],
    ["_report"],
    ["_cli"],
]
LAYER_OF = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def _imports(path, *, top_only):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            yield node.module


def _room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    room = _room(path)
    for module in _imports(path, top_only=False):
        if module.startswith("skked._"):
            other = module.split(".")[1]
            assert other == room or LAYER_OF[other] < LAYER_OF[room], (
                f"{path.relative_to(ROOT)} imports {module}: imports go down the layers"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_imports_stay_in_their_rooms(path):
    heavy = {"torch", "shap", "numba", "matplotlib", "onnx", "skl2onnx", "skops"}
    allowed = {"torch"} if _room(path) == "_torch" else set()
    found = {module.split(".")[0] for module in _imports(path, top_only=True)} & heavy
    if path.name.startswith("_tree_") and "_explanations" in path.parts:
        found -= {"numba"}  # loaded only when a tree is explained
    assert found <= allowed, f"{path.relative_to(ROOT)} imports {found} at its top"


@pytest.mark.parametrize("path", [path for path in FILES if _room(path) == "_torch"], ids=lambda path: path.name)
def test_torch_room_knows_numpy_and_torch_only(path):
    standard = {"dataclasses", "functools", "itertools", "contextlib", "math", "threading", "warnings"}
    found = {module.split(".")[0] for module in _imports(path, top_only=False)}
    assert found <= standard | {"numpy", "torch", "skked"}
