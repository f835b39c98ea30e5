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


def test_readme_quotes_what_the_page_says_is_kept():
    root = Path(__file__).parents[1]
    page = (root / "docs" / "results.md").read_text(encoding="utf-8")
    table = page.split("<!-- retention: begin -->")[1].split("<!-- retention: end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    kept = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows}
    few, many, forest = (kept[f"{name}, 2,000"] for name in ("boosting, 1,000", "boosting, 20,000", "forest, 1,000"))
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert (
        f"With 1,000 rows and 2,000 parameters the median student of the search keeps {few['CV']} of its teacher's "
        f"accuracy above the majority class, with all rows, up to 20,000, {many['CV']}. Of a forest of 200 trees and "
        f"1,000 rows it keeps {forest['CV']}; KED's defaults keep {forest['KED']}, in {forest['bytes, KED']} of the "
        f"forest's bytes and {forest['one row, KED']} of its time for one row."
    ) in readme


def test_family_page_shows_what_was_measured():
    root = Path(__file__).parents[1]
    measured = json.loads((root / "benchmarks" / "results" / "family.json").read_text())
    assert render_family(measured) in (root / "docs" / "family.md").read_text(encoding="utf-8")
