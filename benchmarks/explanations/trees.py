"""Speed and error of the exact tree engines beside shap's, on one thread and in one run.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.explanations.trees --data FOLDER``. shap explains a few rows, stated in
the result, and its time per row is compared with ours. ``shap.TreeExplainer`` gives single features only, for the same
background; the game of groups is that of ``shap.KernelExplainer`` over all coalitions, so only its values can be
compared with ours. Times are CPU seconds of the process, medians of five runs.
"""

import json
import statistics
import time

import numpy as np
import shap
from shap.utils._legacy import DenseData
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from benchmarks.common import data_folder, natural_groups, read_table, table_parser, write_results
from skked import GroupShapleyExplainer
from skked._explanations._tree import TreeGame, extract_trees
from skked._teachers import default_teacher

N_RUNS = 5


def median_seconds(call):
    """Median CPU seconds of ``N_RUNS`` calls, and the last result."""
    seconds = []
    for _ in range(N_RUNS):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), result


def compare(name, ours, theirs, n_ours, n_theirs, note, error):
    """One line of the result; ``ours`` and ``theirs`` are calls, ``error`` compares their results."""
    ours()  # compiles
    our_seconds, our_values = median_seconds(ours)
    their_seconds, their_values = median_seconds(theirs)
    line = {
        "name": name,
        "ours_ms_per_row": 1e3 * our_seconds / n_ours,
        "theirs_ms_per_row": 1e3 * their_seconds / n_theirs,
        "rows": {"ours": n_ours, "theirs": n_theirs},
        "ratio": their_seconds / n_theirs / (our_seconds / n_ours),
        "error": error(our_values, their_values),
        "note": note,
    }
    print(json.dumps(line), flush=True)
    return line


def tree_explainer(model, rows, background, **settings):
    """shap's interventional values of single features."""
    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional", **settings)
    return lambda: explainer.shap_values(rows, check_additivity=False)


def kernel_explainer(predict, rows, background, labels):
    """shap's values of groups over all coalitions, shape (n, M, C)."""
    groups = [np.flatnonzero(labels == group).tolist() for group in range(labels.max() + 1)]
    data = DenseData(background, [str(group) for group in range(len(groups))], groups)
    explainer = shap.KernelExplainer(predict, data)
    settings = {"nsamples": 2 ** len(groups), "l1_reg": False, "silent": True}
    return lambda: np.asarray(explainer.shap_values(rows, **settings))


def efficiency(game, f, rows):
    """Error of ``base + phi.sum(axis=1) = f``, for results that have no equal beside them."""
    return lambda ours, theirs: float(np.abs(game.base + ours.sum(axis=1) - f(rows)).max())


def difference(ours, theirs):
    """Largest difference of the rows that both sides explain."""
    ours = ours[0] if isinstance(ours, tuple) else ours
    return float(np.abs(ours[: len(theirs)] - theirs).max())


def digits_lines():
    """digits: 1,297 training rows, image rows as groups, 500 rows explained, 100 background rows, all 10 classes."""
    X, y = load_digits(return_X_y=True)
    training, labels = X[:1297], np.arange(64) // 8
    rows, background = training[:500], training[-100:]
    boosting = HistGradientBoostingClassifier(random_state=0).fit(training, y[:1297])
    forest = RandomForestClassifier(300, random_state=0).fit(training, y[:1297])
    margins = TreeGame(extract_trees(boosting), labels, background)
    probabilities = TreeGame(extract_trees(forest), labels, background)
    singles = "theirs: single features only, not the same game; error: efficiency of ours"
    same = "same game; error: largest difference"

    def fresh(game):  # a new game each time, so that the tables are built within the time
        return TreeGame(game.ensemble, labels, background).shapley(rows)

    yield compare(
        "digits, boosting, margin, 8 groups, vs shap.TreeExplainer",
        lambda: fresh(margins), tree_explainer(boosting, rows[:4], background), 500, 4, singles,
        efficiency(margins, boosting.decision_function, rows),
    )  # fmt: skip
    yield compare(
        "digits, forest, probability, 8 groups, vs shap.TreeExplainer",
        lambda: fresh(probabilities), tree_explainer(forest, rows[:4], background), 500, 4, singles,
        efficiency(probabilities, forest.predict_proba, rows),
    )  # fmt: skip
    yield compare(
        "digits, forest, probability, 8 groups, vs shap.KernelExplainer with groups",
        lambda: fresh(probabilities), kernel_explainer(forest.predict_proba, rows[:2], background, labels), 500, 2,
        same, difference,
    )  # fmt: skip
    yield compare(
        "digits, boosting, probability, 8 groups, exact, vs shap.KernelExplainer with groups",
        lambda: margins.link_shapley(rows[:100], "probability"),
        kernel_explainer(boosting.predict_proba, rows[:1], background, labels), 100, 1, same, difference,
    )  # fmt: skip


def deep_forest_lines():
    """A forest of 10 deep trees from 100,000 rows of 50 columns, 3 classes; 500 rows explained, 100 background rows."""
    X, y = make_classification(
        100_000, 50, n_informative=25, n_redundant=10, n_classes=3, n_clusters_per_class=3, flip_y=0.03,
        class_sep=1.2, random_state=0,
    )  # fmt: skip
    X = X.astype(np.float32).astype(np.float64)
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    rows, background = X[:500], X[-100:]
    for n_groups in (10, 25):
        labels = np.arange(50) * n_groups // 50
        game = TreeGame(extract_trees(forest), labels, background)
        yield compare(
            f"deep forest, probability, {n_groups} groups, vs shap.TreeExplainer",
            lambda game=game: game.shapley(rows), tree_explainer(forest, rows[:4], background), 500, 4,
            "theirs: single features only, not the same game; error: efficiency of ours",
            efficiency(game, forest.predict_proba, rows),
        )  # fmt: skip


def scale_lines(folder):
    """Our time alone: 50,000 rows of digits, and 300,000 of nycflights from texts and missing cells on."""
    X, y = load_digits(return_X_y=True)
    boosting = HistGradientBoostingClassifier(random_state=0).fit(X[:1297], y[:1297])
    rows, labels = np.tile(X, (28, 1))[:50_000], np.arange(64) // 8
    seconds, _ = median_seconds(lambda: TreeGame(extract_trees(boosting), labels, X[:100]).shapley(rows))
    yield {"name": "digits, boosting, margin, 8 groups, 50,000 rows", "seconds": seconds}
    X, y, task = read_table(folder, "nycflights")
    groups = natural_groups(folder, "nycflights")
    teacher = default_teacher(task, X, random_state=0).fit(X[:300_000], y[:300_000])
    explainer = GroupShapleyExplainer(groups, random_state=0)
    seconds, found = median_seconds(lambda: explainer.fit(teacher, X[:300_000]).explain(X[:300_000]))
    error = np.abs(found.base + found.phi.sum(axis=1)[:, 0] - teacher.predict(X[:300_000])).max()
    yield {
        "name": f"nycflights, default teacher, {len(groups)} groups, 300,000 rows, {found.engine} engine",
        "seconds": seconds, "error": float(error),
    }  # fmt: skip


def render(document):
    """The result as Markdown."""
    lines = ["| trees | ours | theirs | ratio |", "|---|---|---|---|"]
    alone = ["| many rows | ours |", "|---|---|"]
    for row in document["rows"]:
        if "ratio" in row:
            times = f"{row['ours_ms_per_row']:.2f} ms | {row['theirs_ms_per_row']:,.0f} ms"
            lines.append(f"| {row['name']} | {times} | {row['ratio']:,.0f} × |")
        else:
            alone.append(f"| {row['name']} | {row['seconds']:.1f} s |")
    return "\n".join(lines) + "\n\n" + "\n".join(alone)


def main():
    """Measure everything, write the result and print it."""
    folder = data_folder(table_parser(__doc__).parse_args().data)
    lines = [*digits_lines(), *deep_forest_lines(), *scale_lines(folder)]
    settings = {"runs": N_RUNS, "threads": 1, "clock": "CPU seconds, median"}
    print(render(json.loads(write_results("explanations-trees", settings, lines).read_text())))


if __name__ == "__main__":
    main()
