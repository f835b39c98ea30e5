"""ONNX and Python files on the benchmark tables, with their missing cells, and levels that no student has seen."""

import json
import os
import runpy
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from benchmarks.common import read_table
from skked import KEDClassifier, KEDRegressor, export_numpy, export_onnx

DATA = Path(os.environ.get("SKKED_DATA", "no tables"))
TABLES = sorted(json.loads((DATA / "meta.json").read_text())) if (DATA / "meta.json").exists() else []
N_ROWS = 2000

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not TABLES, reason="needs the benchmark tables in SKKED_DATA"),
]


@pytest.mark.parametrize("name", TABLES)
def test_files_say_what_the_student_says(name, tmp_path):
    X, y, task = read_table(DATA, name)
    order = np.random.RandomState(0).permutation(len(X))
    train, test = order[:N_ROWS], X.iloc[order[-3 * N_ROWS :]].reset_index(drop=True)
    kind = KEDRegressor if task == "regression" else KEDClassifier
    student = kind(superfeatures=4, max_iter=10, chimeric=False, n_explanations=100, random_state=0)
    student.fit(X.iloc[train].reset_index(drop=True), y[train])
    texts = [X.columns[j] for j in student.encoder_.category_columns_]
    test.loc[::7, texts] = "a level that nobody has seen"
    gaps = np.random.RandomState(1).rand(*test.shape) < 0.02
    test = test.astype({column: float for column in test.columns.difference(texts)}).mask(gaps)

    export_onnx(student, tmp_path / "student.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "student.onnx")
    names = [output.name for output in session.get_outputs()]
    said = dict(zip(names, session.run(None, _feed(test, texts)), strict=True))
    export_numpy(student, tmp_path / "student.py")
    module = runpy.run_path(tmp_path / "student.py")

    scale = 1.0 if task == "classification" else float(np.std(y[train]))
    phi = student.contributions(test)
    np.testing.assert_allclose(said["contributions"], phi, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(module["contributions"](test).reshape(phi.shape), phi, rtol=0, atol=1e-9 * scale)
    if task == "classification":
        np.testing.assert_allclose(said["probabilities"], student.predict_proba(test), rtol=0, atol=1e-5)
        np.testing.assert_allclose(module["predict_proba"](test), student.predict_proba(test), rtol=0, atol=1e-9)
    else:
        np.testing.assert_allclose(said["prediction"][:, 0], student.predict(test), rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(module["predict"](test), student.predict(test), rtol=0, atol=1e-9 * scale)


def _feed(X, texts):
    if not texts:
        return {"X": X.to_numpy(dtype=np.float64)}
    return {
        name: np.array(["" if pd.isna(value) else str(value) for value in column], dtype=object)[:, None]
        if name in texts
        else column.to_numpy(dtype=np.float64)[:, None]
        for name, column in X.items()
    }
