"""How fast a student predicts, how small it is, and how soon it is there, beside other models.

``python -m benchmarks.latency.run`` writes ``benchmarks/results/latency.json`` and prints it as tables. All models
learn the same generated table and predict rows of it, one after the other in one process, round
by round, so that whatever else the machine does hits all of them. Times are medians over the rounds. Set
``OMP_NUM_THREADS=1``.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import shap
import sklearn
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from benchmarks.common import write_results
from skked import KDClassifier, KEDClassifier, export_onnx, save

N_TRAIN, N_FEATURES, N_SUPERFEATURES = 5000, 30, 6
MAX_ITER = 20  # epochs; more would not change how long a prediction takes
ROUNDS = {1: 60, 100: 15, 100_000: 3}
CALLS = {1: 5, 100: 5, 100_000: 1}  # per round; an untimed one before them brings the model into the cache
COLD_ROUNDS = 5


def fitted_models(X, y):
    """The models to compare, by name."""
    boosting = lightgbm.LGBMClassifier(random_state=0, n_jobs=1, verbose=-1).fit(X, y)
    teaching = {"teacher": FrozenEstimator(boosting), "chimeric": False, "max_iter": MAX_ITER, "random_state": 0}
    student = KEDClassifier(superfeatures=N_SUPERFEATURES, n_explanations=100, **teaching).fit(X, y)
    student.set_params(teacher=None)  # a pickle holds all parameters, frozen teachers too
    width = (student.n_parameters_ - 1) // (X.shape[1] + 2)
    models = {
        "KDClassifier": KDClassifier(**teaching),
        "LogisticRegression": LogisticRegression(max_iter=100),
        "MLPClassifier": MLPClassifier((width,), max_iter=MAX_ITER, random_state=0),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
        "RandomForest(300)": RandomForestClassifier(300, random_state=0),
    }
    fitted = {name: model.fit(X, y) for name, model in models.items()}
    return {"KEDClassifier": student, **fitted, "LightGBM": boosting}


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
    times = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            timer()
            times[name] += [timer() for _ in range(calls)]
    return {name: float(np.median(found)) for name, found in times.items()}


def explanation_times(models, X):
    """Seconds for the explanations of 100 rows: the student's, and shap's of a forest and of boosted trees."""
    student = models["KEDClassifier"]
    explainers = {name: shap.TreeExplainer(models[name]) for name in ("RandomForest(300)", "LightGBM")}
    timers = {f"shap.TreeExplainer of {name}": (lambda e=e: timed(lambda: e(X))) for name, e in explainers.items()}
    return medians({"KEDClassifier.explain": lambda: timed(lambda: student.explain(X)), **timers}, 3)


def sizes(models, folder):
    """Bytes on disk."""
    save(models["KEDClassifier"], folder / "student.skops")
    found = {f"{name}, pickle": len(pickle.dumps(model)) for name, model in models.items()}
    files = {"KEDClassifier, skops": "student.skops", "KEDClassifier, ONNX": "student.onnx"}
    return found | {name: (folder / file).stat().st_size for name, file in files.items()}


COLD = """
import sys, pickle, numpy
model = pickle.load(open(sys.argv[1], "rb"))
model.predict_proba(numpy.load(sys.argv[2]))
"""


def cold_start(models, X, folder):
    """Seconds from nothing to the first prediction of a pickled model, in a new process."""
    np.save(folder / "row.npy", X[:1])
    timers = {}
    for name in ("LogisticRegression", "KEDClassifier"):
        path = folder / f"{name}.pickle"
        path.write_bytes(pickle.dumps(models[name]))
        command = [sys.executable, "-c", COLD, path, folder / "row.npy"]
        timers[name] = lambda c=command: timed(lambda: subprocess.run(c, check=True))
    return medians(timers, COLD_ROUNDS)


def goals(seconds, size, cold):
    """What was to be reached, and what was."""
    one, many = seconds[1], seconds[100_000]
    overhead = one["KEDClassifier, assume_finite"] - one["bare products"]
    beyond = one["ONNX student"] - 1.2 * one["ONNX logistic"]
    found = [
        ("1 row: predict_proba / LogisticRegression", one["KEDClassifier"] / one["LogisticRegression"], "<=", 1.5),
        ("1 row: µs over the bare products, assume_finite", 1e6 * overhead, "<=", 60),
        ("1 row: µs of ONNX over 1.2 x a logistic model in ONNX", 1e6 * beyond, "<=", 20),
        ("1 row: contributions / predict_proba", one["KEDClassifier.contributions"] / one["KEDClassifier"], "<=", 1.3),
        ("100,000 rows: MLPClassifier / additive student", many["MLPClassifier"] / many["KEDClassifier"], ">=", 3),
        ("100,000 rows: MLPClassifier / dense student", many["MLPClassifier"] / many["KDClassifier"], ">=", 3),
        ("100,000 rows: RandomForest(300) / student", many["RandomForest(300)"] / many["KEDClassifier"], ">=", 50),
        (
            "100,000 rows: contributions / predict_proba",
            many["KEDClassifier.contributions"] / many["KEDClassifier"],
            "<=",
            1.3,
        ),
        ("bytes as ONNX", size["KEDClassifier, ONNX"], "<=", 16_000),
        ("bytes as skops", size["KEDClassifier, skops"], "<=", 40_000),
        ("cold start / LogisticRegression", cold["KEDClassifier"] / cold["LogisticRegression"], "<=", 1.3),
    ]
    return [
        {
            "goal": goal,
            "found": round(value, 3),
            "wanted": f"{sign} {limit}",
            "holds": bool(value <= limit if sign == "<=" else value >= limit),
        }
        for goal, value, sign, limit in found
    ]


def render(rows):
    """The times and goals as Markdown."""
    seconds = rows["seconds"]
    lines = [f"| µs per row | {' | '.join(f'{int(n):,} rows' for n in seconds)} |", "|---" * (1 + len(seconds)) + "|"]
    for name in next(iter(seconds.values())):
        cells = " | ".join(f"{1e6 * times[name] / int(n):.3g}" for n, times in seconds.items())
        lines.append(f"| {name} | {cells} |")
    lines += ["", "| goal | found | wanted | holds |", "|---|---|---|---|"]
    lines += [
        f"| {g['goal']} | {g['found']:g} | {g['wanted']} | {'yes' if g['holds'] else 'no'} |" for g in rows["goals"]
    ]
    return "\n".join(lines)


def main():
    """Run the benchmark."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.filterwarnings("ignore", message="lbfgs failed|Stochastic Optimizer|X does not have valid feature names")
    X, y = make_classification(N_TRAIN, N_FEATURES, n_informative=15, flip_y=0.1, random_state=0)
    models = fitted_models(X, y)
    rows = X[np.random.RandomState(0).randint(len(X), size=max(ROUNDS))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = sessions(models, X, folder)
        seconds = {n: medians(tasks(models, runs, rows[:n]), rounds, CALLS[n]) for n, rounds in ROUNDS.items()}
        size, cold = sizes(models, folder), cold_start(models, X, folder)
    measured = {
        "seconds": seconds,
        "seconds_to_explain_100_rows": explanation_times(models, rows[:100]),
        "bytes": size,
        "seconds_of_cold_start": cold,
        "goals": goals(seconds, size, cold),
    }
    settings = {
        "n_train": N_TRAIN,
        "n_features": N_FEATURES,
        "rounds": ROUNDS,
        "calls_per_round": CALLS,
        "n_superfeatures": N_SUPERFEATURES,
        "n_parameters": {"student": models["KEDClassifier"].n_parameters_, "MLPClassifier": _n_parameters(models)},
        "threads": 1,
    }
    print(write_results("latency", settings, measured))
    print(render(measured))


def _n_parameters(models):
    network = models["MLPClassifier"]
    return sum(array.size for array in [*network.coefs_, *network.intercepts_])


if __name__ == "__main__":
    main()
