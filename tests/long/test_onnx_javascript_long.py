"""The script of the guide in Node, with onnxruntime-web from the npm registry."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from skked import KEDClassifier, export_onnx

SCRIPT = Path(__file__).parents[2] / "docs" / "onnx_in_javascript.mjs"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node and npm"),
]


def test_javascript_says_the_same(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    X[3, 1] = np.nan
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), superfeatures=4, max_iter=5, random_state=0).fit(X, y)
    export_onnx(student, tmp_path / "student.onnx")
    shutil.copy(SCRIPT, tmp_path)
    subprocess.run(["npm", "install", "--ignore-scripts", "onnxruntime-web"], cwd=tmp_path, check=True, timeout=300)
    for row in X[[0, 3]]:
        command = ["node", SCRIPT.name, "student.onnx", *map(str, row)]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
        said = {line.split()[0]: np.array(line.split()[1:], dtype=float) for line in done.stdout.splitlines()}
        assert said["label"] == student.predict(row[None])
        np.testing.assert_allclose(said["probabilities"], student.predict_proba(row[None])[0], atol=1e-5)
        np.testing.assert_allclose(said["contributions"], student.contributions(row[None])[0], atol=1e-5)
        np.testing.assert_allclose(said["base"], student.explanation_base_, atol=1e-5)
