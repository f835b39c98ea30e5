"""Model rows for equal error: sampled group Shapley values of black boxes beside paired KernelSHAP.

``OMP_NUM_THREADS=1 python -m benchmarks.explanations.black_box --data FOLDER`` writes
``results/explanations-black-box.json`` and prints it as tables. Games of 16 superfeatures, six tables and three
teachers: boosted trees (probabilities), random forests (log-odds), networks (probabilities), each with 20 weighted
medoids as background. All 65,536 coalitions of a row are evaluated once, by the fast engine of the teacher; that gives
the exact values, and both methods read the values of the coalitions they ask for from the same list. A coalition costs
both of them as many model rows as there are background rows, so coalitions are what is compared.

Theirs is ``shap.KernelExplainer`` with ``l1_reg=False``, whose sampled coalitions are paired. The error is the root
mean square over 32 rows, superfeatures and classes, divided by that of the exact values, over all seeds. The coalitions
that theirs needs for the error of ours are interpolated linearly in the logarithms. Ours is measured twice: on these
rows alone, and in an explanation of 500 rows. Of so many, 16 are evaluated at more coalitions, which corrects the
others and calibrates the standard errors. They are not counted among the values; their coalitions are among the costs.

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
N_ROWS, N_MORE_ROWS = 32, 468
OURS, THEIRS = (64, 128, 256, 512, 1024), (128, 256, 512, 1024, 2048, 4096)
SHOWN = (64, 256, 1024)
SEEDS, MANY_SEEDS, THEIR_SEEDS = range(5), range(3), range(2)
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
    """A game whose values are known for all coalitions of the first rows; a row is its own number."""

    n_background = 1
    n_superfeatures = M

    def __init__(self, values, game=None, more_rows=()):
        self.values = values  # (rows, 2 ** M, outputs)
        self.base = values[0, 0]
        self.game, self.more_rows = game, more_rows
        self.n_rows = len(values) + len(more_rows)
        self.asked = np.zeros(self.n_rows, dtype=int)

    def full(self, rows):
        """Scores of rows."""
        return self._values(rows, np.ones((1, M), bool))[:, 0]

    def __call__(self, rows, coalitions):
        """Values of coalitions."""
        np.add.at(self.asked, rows[:, 0], len(coalitions))
        return self._values(rows, coalitions)

    def _values(self, rows, coalitions):
        numbers = rows[:, 0]
        is_listed = numbers < len(self.values)
        found = np.empty((len(numbers), len(coalitions), len(self.base)))
        found[is_listed] = self.values[numbers[is_listed][:, None], (coalitions @ (1 << np.arange(M)))[None]]
        if not is_listed.all():
            found[~is_listed] = self.game(self.more_rows[numbers[~is_listed] - len(self.values)], coalitions)
        return found


def game_of(teacher, response, X):
    """The game of the teacher's own fast engine."""
    labels = np.arange(X.shape[1]) * M // X.shape[1]
    explainer = GroupShapleyExplainer(
        labels, response=response, background=N_BACKGROUND, n_coalitions=64, random_state=0
    ).fit(teacher, X)
    return explainer._engine.sampled.values


def all_values(game, rows):
    """Values of all coalitions of rows, float64 array of shape (n_rows, 2 ** M, n_outputs)."""
    return np.concatenate([game(rows[i : i + 1], all_coalitions(M)) for i in range(len(rows))])


def relative_error(estimates, exact):
    """Root mean square error over that of the exact values."""
    return float(np.sqrt(np.mean((np.asarray(estimates) - exact) ** 2) / np.mean(exact**2)))


def ours(game, n_coalitions, seeds, exact):
    """Error, coverage of the standard errors and coalitions a row."""
    found, costs = [], []
    for seed in seeds:
        game.asked[:] = 0
        phi, standard_error, *_ = Sampling(game, n_coalitions, 0.05, seed, 2**28).explain(
            np.arange(game.n_rows)[:, None]
        )
        costs.append(game.asked.mean() + 2)  # the empty and the full one
        usual = np.flatnonzero(game.asked[: len(exact)] == game.asked.min())
        found.append((phi[usual], standard_error[usual], exact[usual]))
    phi, standard_error, truth = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return {
        "error": relative_error(phi, truth),
        "covered": float(np.mean(np.abs(phi - truth) <= 1.96 * standard_error)),
        "coalitions a row": float(np.mean(costs)),
    }


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
    game = game_of(teacher.fit(training, y[order[:n_train]]), response, training)
    values = all_values(game, rows)
    exact = np.einsum("gm,nmc->ngc", shapley_matrix(M), values, optimize=True)
    curve = {m: relative_error([theirs(values, m, seed) for seed in THEIR_SEEDS], exact) for m in THEIRS}
    few, many = ListedValues(values), ListedValues(values, game, training[:N_MORE_ROWS])
    line = {
        "table": table, "teacher": teaching, "superfeatures": M, "classes": values.shape[2], "error of theirs": curve,
        "ours, few rows": {m: beside(ours(few, m, SEEDS, exact), curve) for m in OURS},
        "ours, many rows": {m: beside(ours(many, m, MANY_SEEDS, exact), curve) for m in OURS},
    }  # fmt: skip
    print(json.dumps(line), flush=True)
    return line


def beside(found, curve):
    """What ours found, and how many times as many coalitions theirs needs."""
    needed, reached = equal_error(found["error"], curve)
    return {**found, "fewer by": needed / found["coalitions a row"], "at least": not reached}


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
        f"| table, teacher | theirs at 1,024, % | ours at {sizes}, % | fewer at {small} "
        f"| of {N_ROWS + N_MORE_ROWS} rows | covered at {sizes}, % |"
    ]
    lines.append("|---" * 6 + "|")

    def percent(found, name):
        return " / ".join(f"{100 * found[str(m)][name]:.1f}" for m in SHOWN)

    def fewer(found):
        found = [found[str(m)] for m in OURS[:3]]
        return " / ".join(f"{'≥ ' if one['at least'] else ''}{one['fewer by']:.1f} ×" for one in found)

    for row in document["rows"]:
        few, many = row["ours, few rows"], row["ours, many rows"]
        lines.append(
            f"| {row['table']}, {row['teacher']} | {100 * row['error of theirs']['1024']:.1f} "
            f"| {percent(few, 'error')} | {fewer(few)} | {fewer(many)} | {percent(many, 'covered')} |"
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
        "rows": {"few": N_ROWS, "many": N_ROWS + N_MORE_ROWS}, "training rows": N_TRAIN, "background": N_BACKGROUND,
        "seeds": {"few": len(SEEDS), "many": len(MANY_SEEDS), "theirs": len(THEIR_SEEDS)}, "threads": 1,
    }  # fmt: skip
    path = write_results("explanations-black-box", settings, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
