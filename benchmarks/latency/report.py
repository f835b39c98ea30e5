"""The results of the latency benchmark as Markdown: ``python -m benchmarks.latency.report``."""

import json

from benchmarks.common import RESULTS


def goals(found):
    """What was to be reached, and what was."""
    seconds, size, cold = found["seconds"], found["bytes"], found["seconds_of_cold_start"]
    one, many, frames = seconds["1"], seconds["100000"], found["seconds_for_one_row_of_a_frame"]
    student, dense = "KEDClassifier", "KDClassifier"
    overhead = one["KEDClassifier, assume_finite"] - one["bare products"]
    beyond = one["ONNX student"] - 1.2 * one["ONNX logistic"]
    rows = [
        ("1 row: predict_proba / LogisticRegression", one[student] / one["LogisticRegression"], "<=", 1.5),
        *(
            (f"1 row, {kind}: predict_proba / linear", times[student] / times["linear"], "<=", 1.5)
            for kind, times in frames.items()
        ),
        ("1 row: µs over the bare products, assume_finite", 1e6 * overhead, "<=", 60),
        ("1 row: µs of ONNX over 1.2 x a logistic model in ONNX", 1e6 * beyond, "<=", 20),
        ("1 row: contributions / predict_proba", one["KEDClassifier.contributions"] / one[student], "<=", 1.3),
        ("100,000 rows: MLPClassifier / additive student", many["MLPClassifier"] / many[student], ">=", 3),
        ("100,000 rows: MLPClassifier / dense student", many["MLPClassifier"] / many[dense], ">=", 3),
        ("100,000 rows: RandomForest(300) / student", many["RandomForest(300)"] / many[student], ">=", 50),
        (
            "100,000 rows: contributions / predict_proba",
            many["KEDClassifier.contributions"] / many[student],
            "<=",
            1.3,
        ),
        ("bytes as ONNX", size["KEDClassifier, ONNX"], "<=", 16_000),
        ("bytes as skops", size["KEDClassifier, skops"], "<=", 40_000),
        *(
            (f"cold start, {form} / LogisticRegression, pickle", times / cold["LogisticRegression, pickle"], "<=", 1.3)
            for form, times in cold.items()
            if form.startswith(student)
        ),
    ]
    return [
        {
            "goal": goal,
            "found": round(value, 3),
            "wanted": f"{sign} {limit}",
            "holds": bool(value <= limit if sign == "<=" else value >= limit),
        }
        for goal, value, sign, limit in rows
    ]


def render_times(found):
    """Times of a prediction, and bytes on disk, model by model."""
    seconds, size = found["seconds"], found["bytes"]
    lines = [
        f"| µs per row | {' | '.join('1 row' if n == '1' else f'{int(n):,} rows' for n in seconds)} | bytes, pickle |",
        "|---" * (2 + len(seconds)) + "|",
    ]
    for name in next(iter(seconds.values())):
        cells = " | ".join(_short(1e6 * times[name] / int(n)) for n, times in seconds.items())
        stored = size.get(f"{name}, pickle")
        lines.append(f"| {name} | {cells} | {'' if stored is None else f'{stored:,}'} |")
    return "\n".join(lines)


def render_explanations(found):
    """Times of an explanation."""
    lines = ["| explanations | µs per row |", "|---|---|"]
    times = found["seconds_per_explanation"].items()
    return "\n".join(lines + [f"| {name} | {_short(1e6 * seconds)} |" for name, seconds in times])


def _short(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def render_goals(found):
    """Goals as Markdown."""
    lines = ["| goal | found | wanted | holds |", "|---|---|---|---|"]
    return "\n".join(
        lines + [f"| {g['goal']} | {g['found']:g} | {g['wanted']} | {'yes' if g['holds'] else 'no'} |" for g in found]
    )


def render(rows):
    """All tables."""
    return "\n\n".join([render_times(rows), render_explanations(rows), render_goals(rows["goals"])])


if __name__ == "__main__":
    print(render(json.loads((RESULTS / "latency.json").read_text())["rows"]))
