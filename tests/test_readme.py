"""The code of the README and the guides runs as it stands, and the README's numbers are the benchmark's."""

import json
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
RESULTS = README.parent / "benchmarks" / "results"
PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]
SNIPPETS = {page.name: re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S) for page in PAGES}


@pytest.mark.parametrize("page", [page for page, snippets in SNIPPETS.items() if snippets])
def test_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "snippet"}
    for number, code in enumerate(SNIPPETS[page]):
        if "sklearn.callback" in code:
            pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
        exec(compile(code, f"{page}, snippet {number}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_shows_are_there(page):
    shown = re.findall(r"\]\((?!http)([\w./-]+)\)", page.read_text(encoding="utf-8"))
    assert [name for name in shown if not (page.parent / name).exists()] == []


def test_gain_is_what_the_benchmark_wrote():
    settings = json.loads((RESULTS / "scarce.json").read_text())["settings"]
    gain = settings["differences in points of accuracy"]["KED - KD"]
    words = f"{gain['mean']:+.1f} points of accuracy over KD, 95 % interval {gain['low']:+.1f} to {gain['high']:+.1f}"
    assert words in README.read_text(encoding="utf-8")


def test_caption_is_what_the_picture_was_drawn_from():
    from benchmarks.picture.run import PICTURE, caption

    assert PICTURE.exists()
    found = json.loads((RESULTS / "picture.json").read_text())["rows"]
    for page in (README, README.parent / "docs" / "index.md"):
        assert caption(found) in " ".join(page.read_text(encoding="utf-8").split())


def test_table_is_what_the_benchmark_wrote():
    from benchmarks.tables.run import render

    table = render(json.loads((RESULTS / "tables.json").read_text()))
    assert table in README.read_text(encoding="utf-8")


def test_latencies_are_what_the_benchmark_wrote():
    from benchmarks.latency.report import render_explanations, render_goals, render_times

    page = (README.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "latency.json").read_text())["rows"]
    for table in (render_times(rows), render_explanations(rows), render_goals(rows["goals"])):
        assert table in page, "write the tables of python -m benchmarks.latency.report into docs/deployment.md"
