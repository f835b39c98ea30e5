"""How fast a student predicts, how small it is, and how soon it is there, beside other models.

``OMP_NUM_THREADS=1 python -m benchmarks.latency.run`` writes ``benchmarks/results/latency.json`` and prints it as
tables, in about five minutes. All models learn the same generated table and predict rows of it, one after the other in
one process, round by round, so that whatever else the machine does hits all of them. Times are medians over the rounds.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
import shap
import sklearn
from skl2onnx import to_onnx
from threadpoolctl import threadpool_info

from benchmarks.common import write_results
from benchmarks.latency.models import N_FEATURES, N_SUPERFEATURES, N_TRAIN, fitted_models, fitted_on_frames, n_weights
from benchmarks.latency.models import table as training_table
from benchmarks.latency.report import goals, render
from skked import export_numpy, export_onnx, save

ROUNDS = {1: 60, 100: 15, 100_000: 9}
CALLS = {1: 5, 100: 5, 100_000: 1}  # per round; an untimed one before them brings the model into the cache
SLOW, SLOW_ROUNDS = 0.5, 3  # a call of so many seconds is made in the first rounds only, and needs no warming
COLD_ROUNDS = 7


def sessions(models, X, folder):
    """The student and a logistic model in onnxruntime, one thread each."""
    export_onnx(models["KEDClassifier"], folder / "student.onnx")
    logistic = to_onnx(models["LogisticRegression"], X[:1].astype(np.float32), options={"zipmap": False})
    (folder / "logistic.onnx").write_bytes(logistic.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return {name: onnxruntime.InferenceSession(folder / f"{name}.onnx", options) for name in ("student", "logistic")}


def bare_products(student, n_features):
    """What the student's arithmetic costs without anything around it."""
    rng = np.random.RandomState(0)
    n_hidden = sum(len(bias) for bias in student.network_.intercepts[0])
    W, b, V = rng.randn(n_features, n_hidden), rng.randn(n_hidden), rng.randn(n_hidden, 1)
    return lambda Z: np.maximum(Z @ W + b, 0) @ V


def tasks(models, runs, X):
    """What is timed on some rows, by name."""
    student, single = models["KEDClassifier"], X.astype(np.float32)
    bare = bare_products(student, X.shape[1])

    def assuming_finite():
        with sklearn.config_context(assume_finite=True):
            return timed(lambda: student.predict_proba(X))

    timers = {name: (lambda m=model: timed(lambda: m.predict_proba(X))) for name, model in models.items()}
    return timers | {
        "KEDClassifier.contributions": lambda: timed(lambda: student.contributions(X)),
        "KEDClassifier, assume_finite": assuming_finite,
        "bare products": lambda: timed(lambda: bare(X)),
        "ONNX student": lambda: timed(lambda: runs["student"].run(None, {"X": X})),
        "ONNX logistic": lambda: timed(lambda: runs["logistic"].run(None, {"X": single})),
    }


def timed(call):
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def medians(timers, rounds, calls=1):
    """Median seconds of each timer, each called some times per round."""
    first = {name: timer() for name, timer in timers.items()}
    times = {name: [] for name in timers}
    for number in range(rounds):
        for name, timer in timers.items():
            if first[name] < SLOW:
                timer()
                times[name] += [timer() for _ in range(calls)]
            elif number < SLOW_ROUNDS:
                times[name].append(timer())
    return {name: float(np.median(found)) for name, found in times.items()}


def frame_times(X, y):
    """Seconds for one row of a frame."""
    found = {}
    for kind, (frame, student, linear) in fitted_on_frames(X, y).items():
        row = frame.iloc[:1]
        found[kind] = medians(
            {
                "KEDClassifier": lambda s=student, r=row: timed(lambda: s.predict_proba(r)),
                "linear": lambda m=linear, r=row: timed(lambda: m.predict_proba(r)),
            },
            ROUNDS[1],
            CALLS[1],
        )
    return found


def explanation_times(models, X):
    """Seconds per row of an explanation: the student's, and shap's of forests and boosted trees."""
    student, teacher = models["KEDClassifier"], models["LightGBM"]
    explainers = {name: shap.TreeExplainer(models[name]) for name in ("RandomForest(300)", "LightGBM")}
    kernel = shap.KernelExplainer(lambda rows: teacher.predict_proba(rows)[:, 1], shap.sample(X, 50, random_state=0))
    timers = {
        "KEDClassifier.contributions, 100 rows": (100, lambda: timed(lambda: student.contributions(X[:100]))),
        "KEDClassifier.explain, 100 rows": (100, lambda: timed(lambda: student.explain(X[:100]))),
        "KEDClassifier.explain, 1 row": (1, lambda: timed(lambda: student.explain(X[:1]))),
        "EBM eval_terms, 100 rows": (100, lambda: timed(lambda: models["EBM"].eval_terms(X[:100]))),
        **{
            f"shap.TreeExplainer of {name}, 100 rows": (100, lambda e=e: timed(lambda: e(X[:100])))
            for name, e in explainers.items()
        },
        "shap.KernelExplainer of LightGBM, 50 background rows, 1 row": (
            1,
            lambda: timed(lambda: kernel.shap_values(X[:1], silent=True)),
        ),
    }
    seconds = medians({name: timer for name, (_, timer) in timers.items()}, 5)
    return {name: seconds[name] / n for name, (n, _) in timers.items()}


def sizes(models, folder):
    """Bytes on disk."""
    save(models["KEDClassifier"], folder / "student.skops")
    export_numpy(models["KEDClassifier"], folder / "student.py")
    found = {f"{name}, pickle": len(pickle.dumps(model)) for name, model in models.items()}
    for form, file in (("skops", "student.skops"), ("ONNX", "student.onnx"), ("Python file", "student.py")):
        found[f"KEDClassifier, {form}"] = (folder / file).stat().st_size
    return found


COLD = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"torch", "shap", "numba"}}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
{load}
import numpy
model.predict_proba(numpy.load(sys.argv[2]))
"""
LOADS = {
    "pickle": "import pickle; model = pickle.load(open(sys.argv[1], 'rb'))",
    "joblib": "import joblib; model = joblib.load(sys.argv[1])",
    "skops": "import skked; model = skked.load(sys.argv[1])",
}


def cold_start(models, X, folder):
    """Seconds from nothing to the first prediction of a stored model, in a new process without torch, shap, numba."""
    np.save(folder / "row.npy", X[:1])
    timers = {}
    for name in ("LogisticRegression", "KEDClassifier"):
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(models[name]))
        joblib.dump(models[name], folder / f"{name}.joblib")
        if name == "KEDClassifier":
            save(models[name], folder / f"{name}.skops")
        for form, load in LOADS.items():
            path = folder / f"{name}.{form}"
            command = [sys.executable, "-c", COLD.format(load=load), path, folder / "row.npy"]
            if path.exists():
                timers[f"{name}, {form}"] = lambda c=command: timed(lambda: subprocess.run(c, check=True))
    seconds = {name: [] for name in timers}
    for _ in range(COLD_ROUNDS):
        for name, timer in timers.items():
            seconds[name].append(timer())
    return {name: float(np.median(found)) for name, found in seconds.items()}


def in_threads(student, rows):
    """Seconds for the rows in one call, and in two threads of half of them each."""
    halves = np.array_split(rows, 2)
    with ThreadPoolExecutor(2) as pool:
        return medians(
            {
                "1 thread": lambda: timed(lambda: student.predict_proba(rows)),
                "2 threads": lambda: timed(lambda: list(pool.map(student.predict_proba, halves))),
            },
            9,
        )


def product_rate(student, seconds):
    """How near the student comes to what the machine's matrix products can do, in multiplications and additions."""
    A = np.random.RandomState(0).randn(1024, 1024).astype(np.float32)
    out = np.empty_like(A)
    peak = 2 * 1024**3 / min(timed(lambda: np.matmul(A, A, out=out)) for _ in range(9))
    needed = 2 * 100_000 * sum(coef.size for layer in student.network_.coefs for coef in layer)
    return {"peak": peak / 1e9, "student": needed / seconds / 1e9}


def main():
    """Run the benchmark."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if any(pool["num_threads"] > 1 for pool in threadpool_info() if pool["user_api"] == "blas"):
        raise SystemExit("Set OMP_NUM_THREADS=1: times are compared with one thread each.")
    warnings.filterwarnings("ignore")
    X, y = training_table()
    models = fitted_models(X, y)
    rows = X[np.random.RandomState(0).randint(len(X), size=max(ROUNDS))]
    student = models["KEDClassifier"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = sessions(models, X, folder)
        seconds = {str(n): medians(tasks(models, runs, rows[:n]), rounds, CALLS[n]) for n, rounds in ROUNDS.items()}
        measured = {
            "seconds": seconds,
            "seconds_for_one_row_of_a_frame": frame_times(X, y),
            "seconds_per_explanation": explanation_times(models, rows),
            "bytes": sizes(models, folder),
            "seconds_of_cold_start": cold_start(models, X, folder),
            "seconds_in_threads": in_threads(student, rows),
            "billions_of_operations_per_second": product_rate(student, seconds["100000"]["KEDClassifier"]),
        }
    measured["goals"] = goals(measured)
    settings = {
        "n_train": N_TRAIN,
        "n_features": N_FEATURES,
        "rounds": ROUNDS,
        "calls_per_round": CALLS,
        "n_superfeatures": N_SUPERFEATURES,
        "n_parameters": {"student": student.n_parameters_, "MLPClassifier": n_weights(models["MLPClassifier"])},
        "threads": 1,
    }
    print(write_results("latency", settings, measured))
    print(render(measured))


if __name__ == "__main__":
    main()
