"""The results page says what the benchmark wrote."""

import json
from pathlib import Path

import pytest

from benchmarks.accuracy.summary import CELL, blocks, boosted, cells_of, differences, interval, read_runs
from benchmarks.common import RESULTS
from benchmarks.sisters.family import render as render_family

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def measured():
    """Scores of all runs, and all lines, as of `read_runs`."""
    return read_runs(RESULTS / "accuracy.jsonl")


def test_page_shows_what_was_measured():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for tables in blocks(RESULTS / "accuracy.jsonl").values():
        assert tables in page


def test_readme_quotes_the_same_runs(measured):
    scores, facts = boosted(*cells_of(*measured))
    ahead, defaults = (differences(scores, model) for model in ("CV", "KED"))
    low, high = interval(ahead)
    assert (
        f"in {len(ahead)} settings on {ahead.groupby('table').ngroups} tables, {facts['runs'].sum():,} runs in all, it "
        f"was ahead of KD in {(ahead > 0.25).sum()} and behind in {(ahead < -0.25).sum()}, by {ahead.mean():+.1f} "
        f"points on average (95 % interval {low:+.1f} to {high:+.1f})"
    ) in README
    low, high = interval(defaults)
    assert (
        f"KED with its defaults in {(defaults > 0.25).sum()} and {(defaults < -0.25).sum()}, by {defaults.mean():+.1f} "
        f"({low:+.1f} to {high:+.1f})"
    ) in README


def test_readme_quotes_other_teachers(measured):
    scores, facts = (table.xs((300, 500), level=["rows", "budget"]) for table in cells_of(*measured))
    words = []
    for teacher in ("forest", "network", "stack"):
        ahead = differences(scores.xs(teacher, level="teacher"), "CV")
        low, high = interval(ahead)
        splits = facts["runs"].xs(teacher, level="teacher").unique().item()
        words.append(f"{ahead.mean():+.1f} with a {teacher} ({low:+.1f} to {high:+.1f}; splits: {splits})")
    assert f"With 300 rows, 500 parameters and other teachers the search was ahead by {', '.join(words)}." in README


def test_readme_quotes_how_far_the_search_is_ahead_of_others(measured):
    (runs,) = boosted(measured[0])
    words = {
        "small boosting": "a boosting of about the same size it was ahead by {:+.1f} points ({:+.1f} to {:+.1f})",
        "MLP": "beside an `MLPClassifier` or `MLPRegressor` by {:+.1f} ({:+.1f} to {:+.1f})",
    }
    for model, quoted in words.items():
        ahead = differences(runs, "CV", model).dropna().groupby(CELL).mean()
        assert quoted.format(ahead.mean(), *interval(ahead)) in README


def test_readme_says_how_long_a_search_takes():
    one, search = json.loads((RESULTS / "training-search.json").read_text())["rows"]
    times = search["cpu_seconds"] / one["cpu_seconds"]
    assert f"{search['candidates']} candidates on 5 folds take {times:.1f} times as long as one fit" in README


def test_readme_quotes_what_the_page_says_is_kept():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    table = page.split("<!-- retention: begin -->")[1].split("<!-- retention: end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    kept = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows}
    few, many, forest = (kept[f"{name}, 2,000"] for name in ("boosting, 1,000", "boosting, 20,000", "forest, 1,000"))
    assert (
        f"With 1,000 rows and 2,000 parameters the median student of the search keeps {few['CV']} of its teacher's "
        f"accuracy above the majority class, with all rows, up to 20,000, {many['CV']}. Of a forest of 200 trees and "
        f"1,000 rows it keeps {forest['CV']}; KED's defaults keep {forest['KED']}, in {forest['bytes, KED']} of the "
        f"forest's bytes and {forest['one row, KED']} of its time for one row."
    ) in README


def test_family_page_shows_what_was_measured():
    family = json.loads((RESULTS / "family.json").read_text())
    assert render_family(family) in (ROOT / "docs" / "family.md").read_text(encoding="utf-8")
