"""The results page says what the benchmark wrote."""

from pathlib import Path

from benchmarks.accuracy.summary import render


def test_page_shows_what_was_measured():
    root = Path(__file__).parents[1]
    tables = render(root / "benchmarks" / "results" / "accuracy.jsonl")
    assert tables in (root / "docs" / "results.md").read_text(encoding="utf-8")
