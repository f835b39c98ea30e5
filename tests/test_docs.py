"""The reference is complete, and every page of the guide can be found."""

import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner

import skked
from skked import _cli

DOCS = Path(__file__).parents[1] / "docs"


def test_every_public_name_is_in_the_reference_once():
    listed = re.findall(r"^   (\w+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == list(skked.__all__)


def test_every_page_is_in_a_table_of_contents():
    contents = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("index.md", "guide.md"))
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", contents, re.S)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    entries = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
    lost = [page.stem for page in DOCS.glob("*.md") if not any(fnmatch(page.stem, entry) for entry in entries)]
    assert lost == ["index"]


def test_every_room_of_the_package_is_described():
    rooms = {path.stem for path in Path(skked.__file__).parent.iterdir() if path.suffix in (".py", "")}
    described = set(re.findall(r"`(_\w+)`", (DOCS / "inside.md").read_text(encoding="utf-8")))
    assert described == rooms - {"__init__", "__pycache__"}


def test_every_promise_names_tests_that_exist():
    tests = {path.name: path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py")}
    page, _, _ = (DOCS / "promises.md").read_text(encoding="utf-8").partition("## Large tables")
    lines = [line for line in page.splitlines() if line.startswith("| ") and line != "| promise | tests |"]
    assert len(lines) > 25
    for line in lines:
        named = re.findall(r"`(test_\w+)`", line)
        files = re.findall(r"`tests/(test_\w+\.py)`", line)
        assert named or files, line
        assert set(files) <= set(tests)
        for name in named:
            assert any(f"def {name}(" in text for text in tests.values()), name


def test_figures_of_large_tables_are_the_benchmarks():
    from benchmarks.scale.run import render

    document = json.loads((DOCS.parent / "benchmarks" / "results" / "scale.json").read_text())
    assert render(document) in (DOCS / "promises.md").read_text(encoding="utf-8")


def test_every_example_has_its_place():
    examples = [path.stem.removeprefix("plot_") for path in (DOCS / "examples").glob("*.py")]
    order = re.search(r"ORDER = \((.*?)\)", (DOCS / "gallery_setup.py").read_text(encoding="utf-8"), re.S)[1]
    assert sorted(examples) == sorted(re.findall(r'"(\w+)"', order))


def test_commands_run(tmp_path, monkeypatch):
    """The guide's commands, from top to bottom, on a small table of customers; with few epochs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    customers = pd.DataFrame({"age": rng.integers(18, 80, 160), "months": rng.integers(1, 60, 160)})
    customers["plan"] = rng.choice(["basic", "full", None], 160)
    customers["churn"] = np.where(customers.age + 2 * customers.months + rng.normal(0, 20, 160) < 110, "yes", "no")
    for name in ("customers", "new", "later"):
        customers.to_csv(f"{name}.csv", index=False)
    page = (DOCS / "command_line.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"```sh\n(.*?)```", page, re.S)).splitlines()
    for command in commands:
        run(command + " --epochs 3" * command.startswith("skked distill"))
    made = {path.name for path in Path().iterdir()} - {"customers.csv", "new.csv", "later.csv"}
    assert made == {"churn", "predicted.csv", "predicted.parquet", "why.csv", "later.html", "churn.onnx", "churn.py"}
    rows = re.findall(r"^\| `([\w.]+)`(?:, `([\w.]+)`)? \| ", page, re.M)
    assert {path.name for path in Path("churn").iterdir()} == {name for row in rows for name in row if name}
    for start in (DOCS.parent / "README.md", DOCS / "index.md", DOCS / "five_minutes.md"):
        assert commands[0] in start.read_text(encoding="utf-8").splitlines()


def run(command):
    """One line of a shell: ``[cat FILE |] skked ... [> FILE]``."""
    command, _, to_file = command.partition(" > ")
    from_file, _, command = command.rpartition(" | ")
    standard_input = Path(from_file.removeprefix("cat ")).read_text() if from_file else None
    done = CliRunner().invoke(_cli.app, shlex.split(command.removeprefix("skked ")), input=standard_input)
    assert done.exit_code == 0, done.output
    if to_file:
        Path(to_file).write_text(done.stdout)
