"""The code of the README and the guides runs as it stands, and the README's numbers are the benchmark's."""

import json
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
RESULTS = README.parent / "benchmarks" / "results"
PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S))
]


@pytest.mark.parametrize("code", SNIPPETS)
def test_code_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "snippet", "exec"), {})


def test_gain_is_what_the_benchmark_wrote():
    settings = json.loads((RESULTS / "scarce.json").read_text())["settings"]
    gain = settings["differences in points of accuracy"]["KED - KD"]
    words = f"{gain['mean']:+.1f} points of accuracy over KD, 95 % interval {gain['low']:+.1f} to {gain['high']:+.1f}"
    assert words in README.read_text(encoding="utf-8")


def test_table_is_what_the_benchmark_wrote():
    from benchmarks.tables.run import render

    table = render(json.loads((RESULTS / "tables.json").read_text()))
    assert table in README.read_text(encoding="utf-8")
