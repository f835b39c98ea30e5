"""Time for exact values and for equal error: probabilities of boosters and networks beside ``shap.KernelExplainer``.

``OMP_NUM_THREADS=1 python -m benchmarks.explanations.coalitions`` writes ``results/explanations-coalitions.json`` and
prints it. digits, 100 background rows, all 10 classes. Networks with 8 superfeatures are exact on both sides. With 16
superfeatures both sample: ours with 512 coalitions, theirs (``l1_reg=False``) with as many as its error needs to equal
ours. Errors come from exact values of all 65,536 coalitions of three rows. Theirs is timed with 512 coalitions on one
row, and its time at equal error is that time per coalition. Times are CPU seconds, medians of five runs.
"""

import json

import numpy as np
import shap
from shap.utils._legacy import DenseData
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier

from benchmarks.common import write_results
from benchmarks.explanations.black_box import equal_error, relative_error, theirs
from benchmarks.explanations.trees import median_seconds
from skked import GroupShapleyExplainer
from skked._explanations._coalitions import all_coalitions, shapley_matrix

N_COALITIONS = 512
CURVE, SEEDS = (512, 1024, 2048, 4096), range(3)
N_LISTED = 3
ROWS = {"boosting": 48, "network": 24}


def kernel_explainer(predict, row, background, labels, n_coalitions):
    """A call of shap's explainer of groups on one row."""
    groups = [np.flatnonzero(labels == group).tolist() for group in range(labels.max() + 1)]
    explainer = shap.KernelExplainer(
        predict, DenseData(background, [str(group) for group in range(len(groups))], groups)
    )
    return lambda: explainer.shap_values(row, nsamples=n_coalitions, l1_reg=False, silent=True)


def exact_line(teacher, rows, background):
    """Networks, 8 superfeatures, all coalitions on both sides."""
    labels = np.arange(64) // 8
    explainer = GroupShapleyExplainer(labels, response="probability", background=background).fit(teacher, rows)
    seconds, explanation = median_seconds(lambda: explainer.explain(rows))
    call = kernel_explainer(teacher.predict_proba, rows[:1], background, labels, 256)
    their_seconds, phi = median_seconds(call)
    return {
        "name": "network (256, 256), probability, 8 superfeatures, exact",
        "engine": explanation.engine,
        "ours_ms_per_row": 1e3 * seconds / len(rows),
        "theirs_ms_per_row": 1e3 * their_seconds,
        "ratio": their_seconds / (seconds / len(rows)),
        "error": {"largest difference": float(np.abs(explanation.phi[:1] - phi).max())},
    }


def sampled_line(kind, teacher, rows, background):
    """16 superfeatures at equal error."""
    labels = np.arange(64) // 4
    explainer = GroupShapleyExplainer(
        labels, response="probability", background=background, n_coalitions=N_COALITIONS, random_state=0
    ).fit(teacher, rows)
    explainer.explain(rows[:4])  # compiles
    seconds, explanation = median_seconds(lambda: explainer.explain(rows))
    game = explainer._engine.sampled.values
    listed = np.concatenate([game(rows[i : i + 1], all_coalitions(16)) for i in range(N_LISTED)])
    exact = np.einsum("gm,nmc->ngc", shapley_matrix(16), listed, optimize=True)
    error = relative_error(explanation.phi[:N_LISTED], exact)
    curve = {m: relative_error([theirs(listed, m, seed) for seed in SEEDS], exact) for m in CURVE}
    needed, reached = equal_error(error, curve)
    call = kernel_explainer(teacher.predict_proba, rows[:1], background, labels, N_COALITIONS)
    their_seconds = median_seconds(call)[0] * needed / N_COALITIONS
    return {
        "name": f"{kind}, probability, 16 superfeatures, equal error",
        "engine": explanation.engine,
        "ours_ms_per_row": 1e3 * seconds / len(rows),
        "theirs_ms_per_row": 1e3 * their_seconds,
        "ratio": their_seconds / (seconds / len(rows)),
        "error": {"ours": error, "theirs by coalitions": curve, "coalitions of theirs at equal error": needed},
        "at least": not reached,
    }


def lines():
    """The measurements, one after the other."""
    X, y = load_digits(return_X_y=True)
    X, background = X / 16, X[1197:1297] / 16
    training, target, test = X[:1297], y[:1297], X[1297:]
    network = MLPClassifier((256, 256), random_state=0).fit(training, target)
    boosting = HistGradientBoostingClassifier(random_state=0).fit(training, target)
    yield exact_line(network, test[: ROWS["network"]], background)
    yield sampled_line("network (256, 256)", network, test[: ROWS["network"]], background)
    yield sampled_line("boosting", boosting, test[: ROWS["boosting"]], background)


def render(document):
    """The result as Markdown."""
    text = ["| game | ours | theirs | ratio | error of ours |", "|---|---|---|---|---|"]
    for row in document["rows"]:
        error = row["error"]
        said = f"{100 * error['ours']:.1f} %" if "ours" in error else f"{error['largest difference']:.0e}, largest"
        text.append(
            f"| {row['name']} | {row['ours_ms_per_row']:.0f} ms | {row['theirs_ms_per_row']:,.0f} ms "
            f"| {'≥ ' if row.get('at least') else ''}{row['ratio']:,.0f} × | {said} |"
        )
    return "\n".join(text)


def main():
    """Measure, write and print."""
    rows = []
    for line in lines():
        print(json.dumps(line), flush=True)
        rows.append(line)
    settings = {"runs": 5, "threads": 1, "clock": "CPU seconds, median", "background": 100, "rows of ours": ROWS}
    path = write_results("explanations-coalitions", settings, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
