"""The package's face: light to import, complete, and without private surprises."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import skked


def _run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_is_light():
    loaded = _run("import skked, sys; dir(skked); print(*sys.modules)")
    assert not {"torch", "shap", "numba", "sklearn", "pandas", "matplotlib"} & set(loaded)


def test_every_public_name_resolves_and_is_listed():
    for name in skked.__all__:
        assert getattr(skked, name).__doc__
        assert name in dir(skked)


def test_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match="KEDClassifier"):
        skked.KEDClasifier  # noqa: B018


def test_prediction_imports_no_torch(tmp_path):
    import pickle

    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    student = skked.KEDClassifier(superfeatures=3, max_iter=5, random_state=0).fit(X, y)
    path = tmp_path / "student.pkl"
    path.write_bytes(pickle.dumps(student))
    assert path.stat().st_size < 40_000
    loaded = _run(
        f"""
import pickle, sys, numpy
student = pickle.load(open({str(path)!r}, "rb"))
row = numpy.arange(30.0)[None]
student.predict_proba(row), student.contributions(row)
print(*sys.modules)
"""
    )
    assert not {"torch", "shap", "numba"} & set(loaded)


def test_lower_bounds_are_the_oldest_versions_that_were_tested():
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [
        *project["dependencies"],
        *(line for name in ("parquet", "plot", "onnx", "skops") for line in extras[name]),
    ]
    tested = dict(line.split("==") for line in (root / "tests" / "oldest.txt").read_text().splitlines() if "==" in line)
    for name, bound in (line.split(">=") for line in needed):
        assert tested[name] == bound or tested[name].startswith(f"{bound}."), name
