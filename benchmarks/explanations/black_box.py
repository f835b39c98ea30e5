"""Model rows for equal error: sampled group Shapley values of black boxes beside paired KernelSHAP.

``OMP_NUM_THREADS=1 python -m benchmarks.explanations.black_box --data FOLDER`` writes
``results/explanations-black-box.json`` and prints it as tables. Games of 16 superfeatures, six tables and three
teachers: boosted trees (probabilities), random forests (log-odds), networks (probabilities), each with 20 weighted
medoids as background. All 65,536 coalitions of a row are evaluated once, by the fast engine of the teacher; that gives
the exact values, and both methods read the values of the coalitions they ask for from the same list. A coalition costs
both of them as many model rows as there are background rows, so coalitions are what is compared.

Theirs is ``shap.KernelExplainer`` with ``l1_reg=False``, whose sampled coalitions are paired. The error is the root
mean square over rows, superfeatures and classes, divided by that of the exact values, over all seeds, on 16 rows. The
coalitions that theirs needs for the error of ours are interpolated linearly in the logarithms. Standard errors are
those of an explanation of 128 rows, 32 of them four times, since of so many 16 are evaluated at more coalitions, which
corrects the others and calibrates the standard errors. Those that were are not counted there.

The prior and the designs were chosen on digits and on random games, so digits is no independent evidence.
"""

import json

import numpy as np
import shap
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common import data_folder, read_table, table_parser, write_results
from skked import GroupShapleyExplainer
from skked._explanations._coalitions import all_coalitions, shapley_matrix
from skked._explanations._sampling import Sampling

M = 16
N_TRAIN, N_BACKGROUND = 3000, 20
N_ROWS, REPEATS = 32, 4  # so often the same rows: enough to calibrate standard errors
N_COMPARED_ROWS, N_THEIR_ROWS = 16, 6  # KernelExplainer takes its time
OURS, THEIRS = (64, 128, 256, 512, 1024), (128, 256, 512, 1024, 2048, 4096)
SHOWN = (64, 256, 1024)
SEEDS, THEIR_SEEDS = range(5), range(2)
TABLES = ("digits", "breast_cancer", "satimage", "spambase", "letter", "higgs_7k")
TEACHERS = {
    "boosting, probability": (HistGradientBoostingClassifier(max_iter=50, random_state=0), "probability"),
    "forest, log-odds": (RandomForestClassifier(100, min_samples_leaf=3, random_state=0), "log_odds"),
    "network, probability": (
        make_pipeline(StandardScaler(), MLPClassifier((64, 64), max_iter=100, tol=1e-3, random_state=0)),
        "probability",
    ),
}


class ListedValues:
    """A game whose values are known for all coalitions; a row is its own number."""

    n_background = 1
    n_superfeatures = M

    def __init__(self, values):
        self.values = values  # (rows, 2 ** M, outputs)
        self.base = values[0, 0]
        self.asked = np.zeros(len(values), dtype=int)

    def full(self, rows):
        """Scores of rows."""
        return self.values[rows[:, 0].astype(int), -1]

    def __call__(self, rows, coalitions):
        """Values of coalitions."""
        numbers = rows[:, 0].astype(int)
        np.add.at(self.asked, numbers, len(coalitions))
        return self.values[numbers[:, None], (coalitions @ (1 << np.arange(M)))[None]]


def all_values(teacher, response, X, rows, seed=0):
    """Values of all coalitions of rows, float64 array of shape (n_rows, 2 ** M, n_outputs)."""
    labels = np.arange(X.shape[1]) * M // X.shape[1]
    explainer = GroupShapleyExplainer(
        labels, response=response, background=N_BACKGROUND, n_coalitions=64, random_state=seed
    ).fit(teacher, X)
    game = explainer._engine.sampled.values
    return np.concatenate([game(rows[i : i + 1], all_coalitions(M)) for i in range(len(rows))])


def relative_error(estimates, exact):
    """Root mean square error over that of the exact values."""
    return float(np.sqrt(np.mean((np.asarray(estimates) - exact) ** 2) / np.mean(exact**2)))


def ours(values, n_coalitions, seed, repeats=1):
    """Values and standard errors where all rows are explained so often, and the rows that were asked no more."""
    game = ListedValues(values)
    rows = np.tile(np.arange(len(values), dtype=float), repeats)[:, None]
    phi, standard_error, _, _ = Sampling(game, n_coalitions, 0.05, seed, 2**28).explain(rows)
    return phi[: len(values)], standard_error[: len(values)], game.asked == game.asked.min()


def theirs(values, n_coalitions, seed):
    """KernelExplainer on the same list, one row after the other."""
    places, phi = 1 << np.arange(M), []
    for row in values:
        np.random.seed(seed)  # noqa: NPY002 - shap draws from the global generator
        explainer = shap.KernelExplainer(lambda z, row=row: row[(z > 0.5) @ places], np.zeros((1, M)))
        phi.append(explainer.shap_values(np.ones(M), nsamples=n_coalitions, l1_reg=False, silent=True))
    return np.array(phi)


def equal_error(error, curve):
    """Coalitions at which a falling curve of errors reaches an error, and whether it does so within the curve."""
    sizes, errors = np.log(list(curve)), np.log(list(curve.values()))
    errors = np.minimum.accumulate(errors)
    if np.log(error) < errors[-1]:
        return float(np.exp(sizes[-1])), False
    return float(np.exp(np.interp(np.log(error), errors[::-1], sizes[::-1]))), True


def measure(table, teaching, teacher, response, X, y):
    """One line of the result."""
    order = np.random.RandomState(0).permutation(len(X))
    n_train = min(N_TRAIN, len(X) - N_ROWS)
    training, rows = X[order[:n_train]], X[order[-N_ROWS:]]
    values = all_values(teacher.fit(training, y[order[:n_train]]), response, training, rows)
    exact = np.einsum("gm,nmc->ngc", shapley_matrix(M), values, optimize=True)
    errors, few_errors, many_errors, coverage = {}, {}, {}, {}
    for m in OURS:
        found = [ours(values[:N_COMPARED_ROWS], m, seed)[0] for seed in SEEDS]
        errors[m] = relative_error(found, exact[:N_COMPARED_ROWS])
        few_errors[m] = relative_error([phi[:N_THEIR_ROWS] for phi in found], exact[:N_THEIR_ROWS])
        found = [(phi[some], se[some], exact[some]) for phi, se, some in (ours(values, m, s, REPEATS) for s in SEEDS)]
        phi, se, truth = (np.concatenate(parts) for parts in zip(*found, strict=True))
        many_errors[m] = relative_error(phi, truth)
        coverage[m] = float(np.mean(np.abs(phi - truth) <= 1.96 * se))
    few = values[:N_THEIR_ROWS]
    curve = {m: relative_error([theirs(few, m, seed) for seed in THEIR_SEEDS], exact[:N_THEIR_ROWS]) for m in THEIRS}
    ratios = {}
    for m in OURS:
        needed, reached = equal_error(few_errors[m], curve)
        ratios[m] = {"ratio": needed / m, "at least": not reached}
    line = {
        "table": table, "teacher": teaching, "superfeatures": M, "classes": values.shape[2], "error of ours": errors,
        "error of ours, on their rows": few_errors, "error of ours, many rows": many_errors,
        "error of theirs": curve, "fewer by": ratios,
        "coverage of 95 %": coverage,
    }  # fmt: skip
    print(json.dumps(line), flush=True)
    return line


def tables(folder):
    """Name, matrix and target of each table."""
    for name in TABLES:
        if name in ("digits", "breast_cancer"):
            X, y = (load_digits if name == "digits" else load_breast_cancer)(return_X_y=True)
        else:
            X, y, _ = read_table(folder, name)
            X = X.to_numpy(float)
        yield name, X, y


def render(document):
    """The result as Markdown."""
    sizes, small = " / ".join(f"{m:,}" for m in SHOWN), " / ".join(map(str, OURS[:3]))
    lines = [
        f"| table, teacher | error at {sizes}, % | the same of 128 rows | theirs at 1,024, % | fewer at {small} "
        f"| covered at {sizes}, % |"
    ]
    lines.append("|---" * 6 + "|")

    def percent(shares):
        return " / ".join(f"{100 * shares[str(m)]:.1f}" for m in SHOWN)

    for row in document["rows"]:
        ratios = [row["fewer by"][str(m)] for m in OURS[:3]]
        fewer = " / ".join(f"{'≥ ' if found['at least'] else ''}{found['ratio']:.1f} ×" for found in ratios)
        lines.append(
            f"| {row['table']}, {row['teacher']} | {percent(row['error of ours'])} "
            f"| {percent(row['error of ours, many rows'])} | {100 * row['error of theirs']['1024']:.1f} | {fewer} "
            f"| {percent(row['coverage of 95 %'])} |"
        )
    return "\n".join(lines)


def main():
    """Measure everything, write the result and print it."""
    folder = data_folder(table_parser(__doc__).parse_args().data)
    rows = [
        measure(table, teaching, teacher, response, X, y)
        for table, X, y in tables(folder)
        for teaching, (teacher, response) in TEACHERS.items()
    ]
    settings = {
        "rows": {"ours": N_COMPARED_ROWS, "theirs": N_THEIR_ROWS, "standard errors": [N_ROWS, REPEATS]},
        "training rows": N_TRAIN, "background": N_BACKGROUND,
        "seeds": {"ours": len(SEEDS), "theirs": len(THEIR_SEEDS)}, "threads": 1,
    }  # fmt: skip
    path = write_results("explanations-black-box", settings, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
