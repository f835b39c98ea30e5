"""Distance to the floor, first-call compilation, and growth of the cost with each size.

``OMP_NUM_THREADS=1 python -m benchmarks.explanations.floors`` writes ``results/explanations-floors.json`` and a plot,
``docs/_static/explanations-growth.svg``. Times are CPU seconds, medians of five runs.

Floors: a leaf table cannot be read faster than one vector addition per row, leaf with a value and eight
superfeatures, here measured on arrays that stay in the cache; a network cannot be evaluated faster than the matrix
products of its upper layers at the speed of one product of the same shape in float32.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier

from benchmarks.common import RESULTS, pyplot, write_results
from benchmarks.explanations.trees import median_seconds
from skked import GroupShapleyExplainer
from skked._explanations._tree import TreeGame, extract_trees
from skked._explanations._tree_lanes import add_lanes
from skked._explanations._tree_tables import aligned_empty

PLOT = RESULTS.parents[1] / "docs" / "_static" / "explanations-growth.svg"
N_ROWS = 16_384
FIRST_CALL = """
import time, numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from skked import GroupShapleyExplainer
X, y = load_digits(n_class=3, return_X_y=True)
teacher = HistGradientBoostingClassifier(max_iter=5).fit(X, y)
start, of_processor = time.perf_counter(), time.process_time()
GroupShapleyExplainer(np.arange(64) // 8, background=X[:50]).fit(teacher, X).explain(X[:50])
print(time.perf_counter() - start, time.process_time() - of_processor)
"""


@numba.njit
def _add_all(total, masks, table):
    one = total.dtype.type(1)
    for i in range(len(masks)):
        add_lanes(total, 8 * i, table, np.int64(masks[i]) * 8, one)


def seconds_per_addition():
    """One row's addition of one leaf: eight float64 from a table of 64 rows, to sums of 256 rows."""
    rng = np.random.default_rng(0)
    total, table = aligned_empty((256 * 8,), np.float64), aligned_empty((64 * 8,), np.float64)
    total[:], table[:], masks = 0, rng.normal(size=64 * 8), rng.integers(0, 64, 256).astype(np.uint16)
    _add_all(total, masks, table)
    seconds, _ = median_seconds(lambda: [_add_all(total, masks, table) for _ in range(5000)])
    return seconds / 5000 / 256


def leaf_table_lines(X, y):
    """Forest and boosting on digits, 8 superfeatures."""
    labels, rows = np.arange(64) // 8, np.tile(X, (10, 1))[:N_ROWS]
    for name, teacher in (
        ("forest", RandomForestClassifier(300, random_state=0)),
        ("boosting", HistGradientBoostingClassifier(random_state=0)),
    ):
        trees = extract_trees(teacher.fit(X[:1297], y[:1297]))
        game = TreeGame(trees, labels, X[:100])
        game.shapley(rows[:100])
        floor = len(rows) * int((game.leaves.output != -2).sum()) * seconds_per_addition()
        seconds, _ = median_seconds(lambda trees=trees: TreeGame(trees, labels, X[:100]).shapley(rows))
        yield {"name": f"leaf tables, digits {name}, {N_ROWS:,} rows", "seconds": seconds, "floor": floor,
               "ratio": seconds / floor}  # fmt: skip


def network_line(X, y):
    """A network of 256 and 256 hidden units on digits, 8 superfeatures, exact."""
    background, rows = X[:100] / 16, X[1297:1313] / 16
    teacher = MLPClassifier((256, 256), max_iter=20, tol=1, random_state=0).fit(X[:1297] / 16, y[:1297])
    explainer = GroupShapleyExplainer(np.arange(64) // 8, response="probability", background=background)
    explainer.fit(teacher, X / 16)
    seconds, _ = median_seconds(lambda: explainer.explain(rows))
    n_hidden_rows = len(rows) * (2**8 - 2) * len(background)
    a, b = np.ones((512, 256), np.float32), np.ones((256, 256), np.float32)
    of_product, _ = median_seconds(lambda: [a @ b for _ in range(200)])
    per_operation = of_product / 200 / (512 * 256 * 256)
    floor = n_hidden_rows * (256 * 256 + 256 * 10) * per_operation
    return {"name": "network (256, 256), digits, 16 rows, exact", "seconds": seconds, "floor": floor,
            "ratio": seconds / floor}  # fmt: skip


def compile_lines():
    """The first call of all, and the first call of a later process."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        for name in ("first call, compiling", "first call of another process, from the cache"):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", FIRST_CALL], env=environment, capture_output=True, text=True)
            wall, of_processor = map(float, done.stdout.split())
            yield {
                "name": name,
                "seconds of the processor": of_processor,
                "wall seconds": wall,
                "with imports and fit": time.perf_counter() - start,
            }


def growth(X, y):
    """Milliseconds against one size at a time; the others stay at 2,000 rows, 100, 64, 8 and 10."""
    boosting = HistGradientBoostingClassifier(random_state=0).fit(X[:1297], y[:1297])
    trees, many = extract_trees(boosting), np.tile(X, (60, 1))

    def seconds(ensemble, labels, rows, background):
        TreeGame(ensemble, labels, background).shapley(rows[:50])
        return 1e3 * median_seconds(lambda: TreeGame(ensemble, labels, background).shapley(rows))[0]

    labels, rows, background = np.arange(64) // 8, many[:2000], many[:100]
    curves = {"n": {}, "background": {}, "M": {}, "d": {}, "C": {}}
    for n in (125, 500, 2000, 8000, 32_000):
        curves["n"][n] = seconds(trees, labels, many[:n], background)
    for n in (10, 100, 1000, 10_000):
        curves["background"][n] = seconds(trees, labels, rows, many[:n])
    for n_groups in (2, 4, 8, 16, 32, 64):
        curves["M"][n_groups] = seconds(trees, np.arange(64) * n_groups // 64, rows, background)
    for d in (16, 64, 256, 1024):
        Z, t = make_classification(3000, d, n_informative=10, n_classes=3, random_state=0)
        model = extract_trees(HistGradientBoostingClassifier(random_state=0).fit(Z, t))
        curves["d"][d] = seconds(model, np.arange(d) * 8 // d, Z[:2000], Z[:100])
    for n_classes in (2, 4, 8, 10):
        chosen = y[:1297] < n_classes
        model = HistGradientBoostingClassifier(random_state=0).fit(X[:1297][chosen], y[:1297][chosen])
        curves["C"][n_classes] = seconds(extract_trees(model), labels, rows, background)
    return curves


def plot(document, path=PLOT):
    """Growth as a picture."""
    plt = pyplot()

    titles = {
        "n": "rows, n",
        "background": "background rows",
        "M": "superfeatures, M",
        "d": "columns, d",
        "C": "classes, C",
    }
    figure, axes = plt.subplots(1, 5, figsize=(13, 2.8), sharey=True, layout="constrained")
    for axis, (name, curve) in zip(axes, document["settings"]["growth in ms"].items(), strict=True):
        sizes, times = np.array(list(curve), float), np.array(list(curve.values()))
        axis.loglog(sizes, times, "o-", color="C0", label="measured")
        axis.loglog(sizes, times[-1] * sizes / sizes[-1], ":", color="0.6", label="in proportion")
        axis.set(xlabel=titles[name], xticks=sizes, ylim=(5, 5000))
        axis.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], rotation=45)
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("milliseconds")
    axes[0].legend(frameon=False, fontsize="small")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def render(document):
    """The result as Markdown."""
    lines = ["| engine | seconds | floor | distance |", "|---|---|---|---|"]
    for row in document["rows"]:
        if "floor" in row:
            lines.append(f"| {row['name']} | {row['seconds']:.2f} | {row['floor']:.2f} | {row['ratio']:.1f} × |")
    lines += ["", "| compilation | seconds |", "|---|---|"]
    for row in document["rows"]:
        if "wall seconds" in row:  # which other work on the machine makes longer
            lines.append(f"| {row['name']} | {row.get('seconds of the processor', row['wall seconds']):.1f} |")
    return "\n".join(lines)


def main():
    """Measure, write, plot and print."""
    X, y = load_digits(return_X_y=True)
    rows = [*compile_lines(), *leaf_table_lines(X, y), network_line(X, y)]
    settings = {"runs": 5, "threads": 1, "clock": "CPU seconds, median", "growth in ms": growth(X, y),
                "growth of": "digits, boosting, margins, leaf tables; 2,000 rows, 100 background rows, 64 columns, "
                "8 superfeatures and 10 classes where they do not vary; d: generated tables of 3 classes"}  # fmt: skip
    path = write_results("explanations-floors", settings, rows)
    document = json.loads(Path(path).read_text())
    plot(document)
    print(render(document))


if __name__ == "__main__":
    main()
