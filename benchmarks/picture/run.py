"""The README's picture: what a forest and its student cost, and why the student says what it says of one row.

``python -m benchmarks.picture.run`` measures, writes ``results/picture.json`` and draws
``docs/_static/one-row.svg`` from it; ``--draw`` draws only.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from benchmarks.common import RESULTS, pyplot, write_results
from skked import KEDClassifier, distillation_report

PICTURE = Path(__file__).parents[2] / "docs" / "_static" / "one-row.svg"
WORDS = {
    "size": ("radius", "perimeter", "area"),
    "shape": ("compactness", "concav", "symmetry", "fractal"),
    "texture": ("texture", "smoothness"),
}
SETTINGS = {"trees": 300, "max_parameters": 500, "random_state": 0, "row": 42}
TEACHER, STUDENT = "#8A8A8A", "#0072B2"
FOR, AGAINST = "#D55E00", "#0072B2"


def measure():
    """Fit both, compare them on held-out rows, and explain one of these."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    groups = {name: [c for c in X if any(word in c for word in words)] for name, words in WORDS.items()}
    forest = RandomForestClassifier(SETTINGS["trees"], random_state=0)
    student = KEDClassifier(forest, superfeatures=groups, max_parameters=SETTINGS["max_parameters"], random_state=0)
    student.fit(X_train, y_train)
    report = distillation_report({"student": student}, X_test, y_test, n_repeat_timing=200).to_dataframe()
    row = X_test.iloc[[SETTINGS["row"]]]
    return {
        "n_test": len(X_test),
        "models": report.astype(object).where(report.notna(), None).to_dict(orient="index"),
        "contributions": dict(zip(groups, (-student.contributions(row)[0]).tolist(), strict=True)),
        "base": -student.explanation_base_,
        "p_malignant": float(student.predict_proba(row)[0, 0]),
        "truth": "benign" if y_test.iloc[SETTINGS["row"]] else "malignant",
    }


def caption(found):
    """The numbers of the picture in words, for the README."""
    teacher, student = found["models"]["teacher"], found["models"]["student"]
    return (
        f"{SETTINGS['trees']} trees, {teacher['bytes'] / 1000:,.0f} kB, accuracy {100 * teacher['accuracy']:.1f} %; "
        f"their student, {student['n_parameters']:.0f} numbers, {student['bytes'] / 1000:,.0f} kB, accuracy "
        f"{100 * student['accuracy']:.1f} %, on {found['n_test']} tumours that neither has seen"
    )


def draw(found):
    """Two panels: costs of both models, and the student's reasons for one row."""
    plt = pyplot()

    settings = {"font.size": 10, "svg.fonttype": "path", "axes.spines.top": False}
    with plt.rc_context({**settings, "axes.spines.right": False}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 2.9), width_ratios=(1, 1.25), layout="constrained")
        _draw_costs(left, found["models"], found["n_test"])
        _draw_reasons(right, found)
        figure.savefig(PICTURE, metadata={"Date": None})
        plt.close(figure)


def _draw_costs(ax, models, n_test):
    costs = {"bytes": "bytes", "us_one_row": "µs for one row", "n_wrong": f"wrong, of {n_test} rows"}
    for model in models.values():
        model["n_wrong"] = n_test * (1 - model["accuracy"])
    places = np.arange(len(costs))
    for shift, name, colour in ((-0.2, "teacher", TEACHER), (0.2, "student", STUDENT)):
        values = [models[name][cost] for cost in costs]
        bars = ax.barh(places + shift, values, height=0.36, color=colour, label=name)
        ax.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
    ax.set(xscale="log", xlim=(1, 3e7), yticks=places, yticklabels=list(costs.values()))
    title = f"{SETTINGS['trees']} trees and their student, logarithmic"
    ax.set_title(title, loc="left", fontsize=10, fontweight="bold")
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)
    ax.invert_yaxis()
    ax.legend(frameon=False, loc="lower right")


def _draw_reasons(ax, found):
    names = list(found["contributions"])
    values = np.array(list(found["contributions"].values()))
    bars = ax.barh(names, values, height=0.55, color=np.where(values > 0, FOR, AGAINST))
    ax.bar_label(bars, [f"{value:+.2f}" for value in values], padding=3)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.margins(x=0.18)
    score = found["base"] + values.sum()
    ax.set_xlabel(f"contribution to the log-odds of malignant, in nats\nbase {found['base']:+.2f}, sum {score:+.2f}")
    title = f"one tumour, malignant with {100 * found['p_malignant']:.0f} %: the reasons"
    ax.set_title(title, loc="left", fontsize=10, fontweight="bold")
    ax.invert_yaxis()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", action="store_true", help="draw what was measured before")
    if not parser.parse_args().draw:
        write_results("picture", SETTINGS, measure())
    found = json.loads((RESULTS / "picture.json").read_text())["rows"]
    draw(found)
    print(caption(found))


if __name__ == "__main__":
    main()
