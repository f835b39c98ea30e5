"""How a fit grows with its table, and whether a million rows fit: ``python -m benchmarks.scale.run``.

Parts, each of which replaces its own rows in ``results/scale.json``; one thread, one job:

- ``million``: 1,000,000 rows of 100 columns (:func:`synthetic`), a teacher of 50 trees, two folds, else defaults;
- ``flights``: all but the last fifth of nycflights (``--data``), default teacher, two folds, tested on that fifth;
- ``slopes``: stages while rows n, columns d, superfeatures M or classes C grow, with the slope on a log-log plot;
- ``clustering``: superfeatures alone while d grows;
- ``subset``: what is lost where fewer rows of nycflights are explained.

Every fit runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression

from benchmarks.common import RESULTS, data_folder, read_table, write_results
from skked import (
    GroupShapleyExplainer,
    KEDClassifier,
    KEDRegressor,
    SuperfeatureClustering,
    explanation_agreement_score,
)

PARTS = ("million", "flights", "slopes", "clustering", "subset")


def synthetic(n_rows, n_columns=100, n_classes=2, seed=0):
    """A table as they are found: columns in correlated groups, heavy tails, counts, missing cells, an outcome that
    depends on products and thresholds within groups, and noise."""
    rng = np.random.RandomState(seed)
    n_groups = max(2, n_columns // 10)
    group = np.arange(n_columns) % n_groups
    latent = rng.standard_normal((n_rows, n_groups))
    X = np.empty((n_rows, n_columns))
    for column in range(n_columns):
        own = 0.8 * latent[:, group[column]] + 0.6 * rng.standard_normal(n_rows)
        kind = column % 5
        X[:, column] = np.exp(own) if kind == 1 else np.floor(2 * np.abs(own)) if kind == 2 else own
        if kind == 3:
            X[rng.random_sample(n_rows) < 0.1, column] = np.nan
    scores = np.empty((n_rows, n_classes))
    for outcome in range(n_classes):
        first, second, third = rng.choice(n_groups, 3)
        scores[:, outcome] = latent[:, first] * np.tanh(latent[:, second]) + (latent[:, third] > 0.5)
    return X, (2 * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


class Clock:
    """A callback of scikit-learn: processor seconds from the end of each stage of a fit to the end of the next."""

    def __init__(self):
        self.seconds, self.last = {}, time.process_time()

    def setup(self, estimator, context):
        """A fit begins."""

    def teardown(self, estimator, context):
        """It is over."""

    def on_fit_task_begin(self, estimator, context):
        """A stage begins, or is said to: its length counts from the end of the one before."""

    def on_fit_task_end(self, estimator, context):
        """A stage is over."""
        if context.parent is not None and context.parent.parent is None:
            now = time.process_time()
            self.seconds[context.task_name] = now - self.last
            self.last = now
        return False


def timed_fit(student, X, y):
    """Processor seconds of a fit and of its stages, on one thread, and its peak memory so far in GiB."""
    clock = Clock()
    start = time.process_time()
    student.set_callbacks(clock).fit(X, y)
    total = time.process_time() - start
    return {
        "seconds": round(total, 2),
        "stages": {
            **{name: round(seconds, 3) for name, seconds in clock.seconds.items()},
            "rest": round(total - sum(clock.seconds.values()), 3),
        },
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def said(settings):
    """Settings as text, for the results."""
    return {
        name: value if isinstance(value, (int, float, str, bool)) else repr(value) for name, value in settings.items()
    }


def alone(function, *args):
    """What a function returns, computed in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def fit_synthetic(n_rows, n_columns, n_superfeatures, n_classes, settings):
    """A fit of a synthetic table, and how the student does on rows that it did not see."""
    n_test = min(n_rows, 50_000)
    X, y = synthetic(n_rows + n_test, n_columns, n_classes)
    student = KEDClassifier(superfeatures=n_superfeatures, random_state=0, **settings)
    clone(student).set_params(max_iter=1).fit(X[:500], y[:500])  # compiles
    row = {"n": n_rows, "d": n_columns, "C": n_classes, **timed_fit(student, X[:n_rows], y[:n_rows])}
    test = slice(n_rows, None)
    return {
        **row,
        "M": len(student.superfeature_names_),
        "accuracy": round(student.score(X[test], y[test]), 4),
        "teacher_accuracy": round(student.teacher_.score(X[test], y[test]), 4),
        "table_gib": round(X[:n_rows].nbytes / 2**30, 2),
    }


def fit_flights(folder, n_train, settings):
    """A fit of nycflights in the order of time, and how the student does on its last fifth."""
    X, y, _ = read_table(folder, "nycflights")
    first = int(0.8 * len(X))
    train = np.sort(np.random.RandomState(0).permutation(first)[: n_train or first])
    student = KEDRegressor(random_state=0, **settings)
    row = {"n": len(train), "d": X.shape[1], **timed_fit(student, X.iloc[train], y[train])}
    test, y_test = X.iloc[first:], y[first:]
    teacher, some = student.teacher_, test.iloc[:2000]
    explainer = GroupShapleyExplainer(student.superfeature_labels_, random_state=0)
    phi = explainer.fit(teacher, X.iloc[train]).explain(some)
    return {
        **row,
        "M": len(student.superfeature_names_),
        "r2": round(student.score(test, y_test), 4),
        "teacher_r2": round(teacher.score(test, y_test), 4),
        "explanations_r2": round(explanation_agreement_score(phi.phi, student.contributions(some), kind="r2"), 4),
    }


def cluster(n_columns):
    """Processor seconds to find superfeatures of a synthetic table of 20,000 rows."""
    X, y = synthetic(20_000, n_columns)
    start = time.process_time()
    SuperfeatureClustering(8, random_state=0).fit(X, y)
    return {"n": len(X), "d": n_columns, "seconds": round(time.process_time() - start, 2)}


def slope(sizes, seconds):
    """Exponent of a power law through the points."""
    return round(float(LinearRegression().fit(np.log(sizes)[:, None], np.log(np.maximum(seconds, 1e-4))).coef_[0]), 2)


MILLION = {"teacher": HistGradientBoostingClassifier(max_iter=50, random_state=0), "cv": 2}
"""A teacher of some minutes: how long a teacher takes is its own affair."""
SETTINGS = {
    "teacher": HistGradientBoostingClassifier(max_iter=30, early_stopping=False, random_state=0),
    "max_iter": 20,
    "cv": 2,
    "chimeric": False,
}
"""Of the fits that show slopes: fewer trees, epochs and folds than by default, which change a stage by a factor."""
AXES = {
    "n": [(n, 20, 4, 2) for n in (16_000, 64_000, 256_000)],
    "d": [(16_000, d, 4, 2) for d in (10, 20, 40, 80)],
    "M": [(16_000, 40, M, 2) for M in (2, 4, 8, 16)],
    "C": [(16_000, 20, 4, C) for C in (2, 4, 8)],
}


def slopes():
    """Rows of the part ``slopes``."""
    rows = []
    for place, (axis, points) in enumerate(AXES.items()):
        fits = [alone(fit_synthetic, *point, SETTINGS) for point in points]
        sizes = [point[(0, 1, 2, 3)[place]] for point in points]
        exponents = {stage: slope(sizes, [fit["stages"].get(stage, 0) for fit in fits]) for stage in fits[0]["stages"]}
        rows.append({"part": "slopes", "axis": axis, "sizes": sizes, "exponents": exponents, "fits": fits})
        print(f"| {axis} | " + " | ".join(f"{stage}: {value}" for stage, value in exponents.items()) + " |", flush=True)
    return rows


def clustering():
    """Rows of the part ``clustering``."""
    fits = [alone(cluster, d) for d in (25, 50, 100, 200)]
    exponent = slope([fit["d"] for fit in fits], [fit["seconds"] for fit in fits])
    return [{"part": "clustering", "exponents": {"superfeatures": exponent}, "fits": fits}]


def subset(folder, n_train=40_000):
    """Rows of the part ``subset``: accuracy by the number of training rows that are explained."""
    rows = []
    with tempfile.TemporaryDirectory() as memory:  # one teacher for all
        for n_explanations in (400, 2_000, 10_000, n_train):
            fit = alone(fit_flights, folder, n_train, {"n_explanations": n_explanations, "cv": 2, "memory": memory})
            rows.append({"part": "subset", "explained": n_explanations, **fit})
            print(f"| {n_explanations:,} | {fit['r2']} | {fit['explanations_r2']} | {fit['stages']} |", flush=True)
    return rows


STAGES = ("teachers", "superfeatures", "explanations", "choice of columns", "rehearsal", "epochs", "rest")


def render(document):
    """Markdown tables of what was measured: large fits, slopes, and explained rows."""
    rows, lines = document["rows"], []
    large = [row for row in rows if row["part"] in ("million", "flights")]
    stages = [stage for stage in STAGES if any(stage in row["stages"] for row in large)]
    if large:
        lines += _line("table", "rows × columns", *stages, "all", "peak GiB", "student", "teacher")
        lines += _line(*["---"] * (len(stages) + 6))
    for row in large:
        taken = [f"{row['stages'].get(stage, 0):.0f} s" for stage in stages]
        scores = [row.get(name, row.get(other)) for name, other in SCORES]
        name = {"million": "synthetic", "flights": "nycflights"}[row["part"]]
        size = f"{row['n']:,} × {row['d']}"
        lines += _line(name, size, *taken, f"{row['seconds']:.0f} s", row["peak_gib"], *scores)
    grown = [row for row in rows if row["part"] in ("slopes", "clustering")]
    if grown:
        shown = [stage for stage in STAGES[:-1] if any(stage in row["exponents"] for row in grown)]
        lines += ["", *_line("what grows", "sizes", *shown), *_line(*["---"] * (len(shown) + 2))]
    for row in grown:
        sizes = row.get("sizes") or [fit["d"] for fit in row["fits"]]
        axis = {"n": "rows", "d": "columns", "M": "superfeatures", "C": "classes"}[row.get("axis", "d")]
        exponents = [row["exponents"].get(stage, "") for stage in shown]
        name = axis if row["part"] == "slopes" else f"{axis}, superfeatures alone"
        lines += _line(name, f"{sizes[0]:,} to {sizes[-1]:,}", *exponents)
    fewer = [row for row in rows if row["part"] == "subset"]
    if fewer:
        lines += ["", *_line("explained rows", "R² of the student", "R² of its contributions", "explanations")]
        lines += _line(*["---"] * 4)
    for row in fewer:
        seconds = f"{row['stages']['explanations']:.1f} s"
        lines += _line(f"{row['explained']:,} of {row['n']:,}", row["r2"], row["explanations_r2"], seconds)
    return "\n".join(lines)


SCORES = (("accuracy", "r2"), ("teacher_accuracy", "teacher_r2"))


def _line(*cells):
    return [f"| {' | '.join(map(str, cells))} |"]


def kept(parts):
    """Rows of other parts that were measured before."""
    path = RESULTS / "scale.json"
    return [row for row in json.loads(path.read_text())["rows"] if row["part"] not in parts] if path.exists() else []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the benchmark tables")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the part `million`")
    options = parser.parse_args()
    makers = {
        "million": lambda: [{"part": "million", **alone(fit_synthetic, options.rows, 100, "auto", 2, MILLION)}],
        "flights": lambda: [{"part": "flights", **alone(fit_flights, data_folder(options.data), None, {"cv": 2})}],
        "slopes": slopes,
        "clustering": clustering,
        "subset": lambda: subset(data_folder(options.data)),
    }
    rows = kept(options.parts)
    for part in options.parts:
        found = makers[part]()
        print(json.dumps(found), flush=True)
        rows += found
    settings = {
        "threads": 1,
        "seconds": "of the processor",
        "million": said(MILLION),
        "slopes": said({**SETTINGS, "superfeatures": "given"}),
        "order": PARTS,
    }
    print(write_results("scale", settings, sorted(rows, key=lambda row: PARTS.index(row["part"]))))


if __name__ == "__main__":
    main()
