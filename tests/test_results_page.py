"""The results page says what the benchmark wrote."""

import json
from pathlib import Path

from benchmarks.accuracy.summary import blocks, boosted, differences, interval, read
from benchmarks.sisters.family import render as render_family


def test_page_shows_what_was_measured():
    root = Path(__file__).parents[1]
    page = (root / "docs" / "results.md").read_text(encoding="utf-8")
    for tables in blocks(root / "benchmarks" / "results" / "accuracy.jsonl").values():
        assert tables in page


def test_readme_quotes_the_same_runs():
    root = Path(__file__).parents[1]
    scores, facts = boosted(*read(root / "benchmarks" / "results" / "accuracy.jsonl"))
    ahead = differences(scores, "CV")
    low, high = interval(ahead)
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert (
        f"in {len(ahead)} settings on {ahead.groupby('table').ngroups} tables, {facts['runs'].sum():,} runs in all, it "
        f"was ahead of KD in {(ahead > 0.25).sum()} and behind in {(ahead < -0.25).sum()}, by {ahead.mean():+.1f} "
        f"points on average (95 % interval {low:+.1f} to {high:+.1f})"
    ) in readme


def test_readme_says_how_long_a_search_takes():
    root = Path(__file__).parents[1]
    one, search = json.loads((root / "benchmarks" / "results" / "training-search.json").read_text())["rows"]
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    times = search["cpu_seconds"] / one["cpu_seconds"]
    assert f"{search['candidates']} candidates on 5 folds take {times:.1f} times as long as one fit" in readme


def test_family_page_shows_what_was_measured():
    root = Path(__file__).parents[1]
    measured = json.loads((root / "benchmarks" / "results" / "family.json").read_text())
    assert render_family(measured) in (root / "docs" / "family.md").read_text(encoding="utf-8")
