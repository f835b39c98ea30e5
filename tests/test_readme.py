"""The README's code runs as it stands, and its numbers are the benchmark's."""

import json
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
RESULTS = README.parent / "benchmarks" / "results" / "tables.json"


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S))
def test_code_runs(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert "student" in capsys.readouterr().out


def test_table_is_what_the_benchmark_wrote():
    from benchmarks.tables.run import render

    table = render(json.loads(RESULTS.read_text()))
    assert table in README.read_text(encoding="utf-8")
