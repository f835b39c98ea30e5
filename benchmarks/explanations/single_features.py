"""How far sums of the Shapley values of single features are from the values of groups.

``OMP_NUM_THREADS=1 python -m benchmarks.explanations.single_features`` writes
``results/explanations-single-features.json`` and prints it. Both are exact, for the same teachers, rows and background:
margins of boosted trees and probabilities of forests, on digits (8 superfeatures, the rows of the image) and
breast_cancer (6 superfeatures of neighbouring columns), with five random seeds.
"""

import json

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from benchmarks.common import write_results
from skked import GroupShapleyExplainer

SEEDS = range(5)


def difference(teacher, response, X, rows, labels):
    """Relative root mean square and largest difference of summed single values to values of groups."""

    def values(superfeatures):
        explainer = GroupShapleyExplainer(superfeatures, response=response, background=X[:100], engine="tree")
        return explainer.fit(teacher, X).explain(rows).phi

    groups, singles = values(labels), values(np.arange(X.shape[1]))
    summed = np.stack([singles[:, labels == g].sum(axis=1) for g in range(labels.max() + 1)], axis=1)
    size = np.sqrt(np.mean(groups**2))
    return np.sqrt(np.mean((summed - groups) ** 2)) / size, np.abs(summed - groups).max() / size


def main():
    """Measure, write and print."""
    lines = []
    for name, load, n_per_group in (("digits", load_digits, 8), ("breast_cancer", load_breast_cancer, 5)):
        X, y = load(return_X_y=True)
        labels = np.arange(X.shape[1]) // n_per_group
        for teaching, kind, response in (
            ("boosting, margin", HistGradientBoostingClassifier, "margin"),
            ("forest, probability", RandomForestClassifier, "probability"),
        ):
            found = []
            for seed in SEEDS:
                training = np.random.RandomState(seed).permutation(len(X))[: len(X) * 3 // 4]
                teacher = kind(random_state=seed).fit(X[training], y[training])
                found.append(difference(teacher, response, X, X[-200:], labels))
            mean, largest = np.array(found).T
            lines.append(
                {"table": name, "teacher": teaching, "root mean square": mean.tolist(), "largest": largest.tolist()}
            )
            print(json.dumps(lines[-1]), flush=True)
    path = write_results("explanations-single-features", {"seeds": len(SEEDS), "rows": 200, "background": 100}, lines)
    print(render(json.loads(path.read_text())))


def render(document):
    """The result as Markdown."""
    lines = ["| table, teacher | root mean square difference | largest difference |", "|---|---|---|"]
    for row in document["rows"]:
        mean, largest = 100 * np.array(row["root mean square"]), 100 * np.array(row["largest"])
        lines.append(
            f"| {row['table']}, {row['teacher']} | {mean.mean():.1f} % ({mean.min():.1f} to {mean.max():.1f}) "
            f"| {largest.mean():.0f} % ({largest.min():.0f} to {largest.max():.0f}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
