"""Loading and predicting in an environment that has skked without most of what it depends on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from skked import KEDClassifier, save

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long


def test_a_student_predicts_where_torch_shap_and_numba_are_not_installed(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), superfeatures=4, max_iter=5, random_state=0).fit(X, y)
    save(student, tmp_path / "student.skops")
    np.save(tmp_path / "X.npy", X)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, "numpy", "scipy", "pandas", "scikit-learn", "joblib", "skops"], check=True, timeout=600)
    subprocess.run([*install, "--no-deps", ROOT], check=True, timeout=300)
    code = """
import importlib.util, numpy, skked
assert not any(importlib.util.find_spec(name) for name in ("torch", "shap", "numba"))
student, X = skked.load("student.skops"), numpy.load("X.npy")
numpy.savez("said.npz", p=student.predict_proba(X), phi=student.contributions(X))
"""
    subprocess.run([python, "-c", code], cwd=tmp_path, check=True)
    said = np.load(tmp_path / "said.npz")
    np.testing.assert_array_equal(said["p"], student.predict_proba(X))
    np.testing.assert_array_equal(said["phi"], student.contributions(X))
