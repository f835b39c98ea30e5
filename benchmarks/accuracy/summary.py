"""Tables and plots of the results page: ``python -m benchmarks.accuracy.summary``.

Writes the tables of ``docs/results.md`` between their markers, from ``results/accuracy.jsonl``, ``ablations.json``,
``paper.json`` and ``training.json``, and two plots, ``docs/results-*.svg``; prints the tables.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.common import RESULTS, pyplot
from skked._students.ked_cv import COMMITTEE_WEIGHTS

DOCS = Path(__file__).parents[2] / "docs"
CELL = ["table", "rows", "budget", "teacher"]
RUN = [*CELL, "seed"]
STUDENTS = ["plain", "KD", "KD + chimeras", "KED", "heads", "CV"]
EXPLAINED = ["plain", "KD", "structure only", "KED, no chimeras", "KED", "heads", "CV"]
RIVALS = ["plain", "KD", "KED"]
FIXED = "CV, committee's weight 0.9"
BEST_RIVAL = "best of plain, KD, KED"
OUTSIDERS = ["linear", "tree", "small boosting", "MLP", "EBM", "FIGS", "RealMLP", "AutoGluon"]
MODELS = OUTSIDERS + STUDENTS


class Scale(NamedTuple):
    """How differences of a score are read.

    Attributes
    ----------
    most : float
        A larger difference counts as this one, so that one table cannot decide a mean.
    tie : float
        Within it two students are said to tie.
    clear : float
        By so much a student that is clearly ahead or behind must be so beyond the noise of the splits.
    digits : int
    """

    most: float
    tie: float
    clear: float
    digits: int


POINTS, NATS = Scale(20, 0.25, 0.5, 2), Scale(1, 0.01, 0.02, 3)
TINY = 2000
"""Parameters of a student that is called tiny, at most."""


def read_runs(path):
    """Scores in percent, a row per run that all students took part in and a column per model; and all lines."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = pd.DataFrame([line for line in lines if "model" in line]).drop_duplicates([*RUN, "model"], keep="last")
    scores = 100 * lines.pivot(index=RUN, columns="model", values="score").reindex(columns=MODELS)
    return scores.dropna(subset=STUDENTS), lines


def cells_of(scores, lines):
    """Mean scores of the students, a row per cell and a column per model, over the runs of the cell; and facts.

    The facts are the task, the number of runs, and the means of the teacher's score and the majority's share.
    """
    facts = lines[lines["model"] == "KED"].set_index(RUN)[["task", "teacher_score", "majority"]].loc[scores.index]
    facts = facts.groupby(CELL).agg({"task": "first", "teacher_score": "mean", "majority": "mean"})
    return scores[STUDENTS].groupby(CELL).mean(), facts.assign(runs=scores.groupby(CELL).size())


def boosted(*tables, large=False):
    """The cells of the boosted teacher whose students are tiny, which the means are over; or of those that are not."""
    return (
        table[(table.index.get_level_values("teacher") == "boosting") & (_is_large(table) == large)] for table in tables
    )


def _is_large(table):
    return table.index.get_level_values("budget") > TINY


def differences(scores, model, baseline="KD", scale=POINTS):
    """How far a model is ahead, clipped."""
    return (scores[model] - scores[baseline]).clip(-scale.most, scale.most)


def interval(values, repeats=2000):
    """95 % bootstrap interval of the mean over tables, all cells of a table drawn together."""
    groups = [group.to_numpy() for _, group in values.groupby("table")]
    rng = np.random.RandomState(0)
    means = [
        np.concatenate([groups[i] for i in rng.randint(len(groups), size=len(groups))]).mean() for _ in range(repeats)
    ]
    return np.percentile(means, [2.5, 97.5])


def summed(ahead, scale=POINTS):
    """Three cells of a table: the mean difference, its interval, and wins, ties, losses."""
    low, high = interval(ahead)
    mean, low, high = (f"{value:+.{scale.digits}f}" for value in (ahead.mean(), low, high))
    return f"{mean} | {low} to {high} | {counted(ahead, scale)}"


def counted(ahead, scale=POINTS):
    """A cell of a table: wins, ties, losses."""
    wins, losses = int((ahead > scale.tie).sum()), int((ahead < -scale.tie).sum())
    return f"{wins}, {len(ahead) - wins - losses}, {losses}"


def clear_cells(ahead, scale=POINTS):
    """A cell of a table: in how many cells a model is clearly ahead and clearly behind, by differences of runs.

    Clearly: the 95 % interval of the difference, by Student's t over at least three runs, lies beyond ``scale.clear``.
    """
    ahead = ahead.groupby(CELL).agg(["mean", "std", "count"]).query("count >= 3")
    half = stats.t.ppf(0.975, ahead["count"] - 1) * ahead["std"] / np.sqrt(ahead["count"])
    n_ahead, n_behind = ((sign * ahead["mean"] - half > scale.clear).sum() for sign in (1, -1))
    return f"{n_ahead}, {n_behind} of {len(ahead)}" if len(ahead) else "–"


def in_short(scores):
    """How far the search and KED's defaults are ahead of KD, in few rows and in many."""
    lines = [
        "| points ahead of KD | all | up to 300 rows | 1,000 rows and more | wins, ties, losses |",
        "|---" * 5 + "|",
    ]
    few = scores.index.get_level_values("rows") <= 300
    for model in ("CV", "KED"):
        ahead = differences(scores, model)
        means = []
        for some in (ahead, ahead[few], ahead[~few]):
            low, high = interval(some)
            means.append(f"{some.mean():+.2f} ({low:+.2f} to {high:+.2f})")
        lines.append(f"| {model} | " + " | ".join([*means, counted(ahead)]) + " |")
    return "\n".join(lines)


def compared(runs, scores, facts):
    """Against KD, by rows and budget: mean difference, its interval, wins, ties, losses, clear cells, the worst."""
    lines = [
        "| rows, budget | cells | runs | student | mean − KD | 95 % interval | wins, ties, losses "
        "| clearly ahead, behind | worst cell |"
    ]
    lines.append("|---" * 9 + "|")
    settings = list(scores.groupby(["rows", "budget"]).groups)
    settings += [("all", "all")] if len(settings) > 1 else []
    for rows, budget in settings:
        some, of_some = (
            table if rows == "all" else table.xs((rows, budget), level=("rows", "budget"), drop_level=False)
            for table in (scores, runs)
        )
        for model in ["plain", "KD + chimeras", "KED", "heads", "CV"]:
            ahead = differences(some, model)
            worst = ahead.idxmin()
            where = "all" if rows == "all" else f"{rows:,}, {budget:,}"
            lines.append(
                f"| {where} | {len(ahead)} | {facts.loc[ahead.index, 'runs'].sum():,} | {model} | {summed(ahead)} "
                f"| {clear_cells(of_some[model] - of_some['KD'])} | {ahead.min():+.1f} ({worst[0]}) |"
            )
    return "\n".join(lines)


def beside_others(runs, others, scale=POINTS):
    """How far CV is ahead of others: mean, interval, wins, ties, losses, clear cells.

    Only runs with both count; a cell is the mean of its runs. The best of plain, KD and KED is that of the cell.
    """
    rivals = runs[RIVALS]
    best = rivals.groupby(CELL).transform("mean").to_numpy().argmax(axis=1)
    runs = runs.assign(**{BEST_RIVAL: rivals.to_numpy()[np.arange(len(runs)), best]})
    lines = ["| CV beside | cells | mean difference | 95 % interval | wins, ties, losses | clearly ahead, behind |"]
    lines.append("|---" * 6 + "|")
    for model in others:
        points = differences(runs, "CV", model, scale).dropna().groupby(CELL).mean()
        if len(points):
            clear = clear_cells(runs["CV"] - runs[model], scale)
            lines.append(f"| {model} | {len(points)} | {summed(points, scale)} | {clear} |")
    return "\n".join(lines)


def by_model(lines, name, runs):
    """What the lines of the runs say under a name, a row per run and a column per model."""
    return lines.set_index([*RUN, "model"])[name].unstack("model").reindex(runs.index)


def beside_by_log_loss(runs, lines):
    """How far the log-loss of CV, which it chooses by, is below that of other students, in nats; of classifiers."""
    loss = by_model(lines, "log_loss", runs)[STUDENTS].dropna()
    return beside_others(-loss, [BEST_RIVAL, *(model for model in STUDENTS if model != "CV")], NATS)


def by_weight(runs, lines):
    """By rows: what it is worth to choose the committee's weight and not to take 0.9 always, and what is chosen."""
    runs = 100 * by_model(lines, "score", runs)[["CV", FIXED]].dropna()
    weights = by_model(lines, "committee_weight", runs)["CV"]
    table = ["| rows | cells | runs | points gained | 95 % interval | wins, ties, losses | clearly ahead, behind |"]
    table[0] += f" chose {', '.join(map(str, COMMITTEE_WEIGHTS))} |"
    table.append("|---" * 8 + "|")
    for rows, some in [*runs.groupby("rows"), ("all", runs)]:
        gained = differences(some, "CV", FIXED).groupby(CELL).mean()
        shares = weights.loc[some.index].value_counts(normalize=True).reindex(COMMITTEE_WEIGHTS, fill_value=0)
        chosen = ", ".join(f"{100 * share:.0f}" for share in shares)
        where = rows if rows == "all" else f"{rows:,}"
        clear = clear_cells(some["CV"] - some[FIXED])
        table.append(f"| {where} | {len(gained)} | {len(some):,} | {summed(gained)} | {clear} | {chosen} % |")
    return "\n".join(table)


def by_teacher(scores, facts):
    """Against KD, for every kind of teacher: mean difference with its interval, wins, ties, losses."""
    lines = ["| teacher | rows, budget | cells | runs | student | mean − KD | 95 % interval | wins, ties, losses |"]
    lines.append("|---" * 8 + "|")
    for (kind, rows, budget), some in scores.groupby(["teacher", "rows", "budget"]):
        for model in ("KED", "heads", "CV"):
            ahead = differences(some, model)
            n_runs = facts.loc[ahead.index, "runs"].sum()
            lines.append(f"| {kind} | {rows:,}, {budget:,} | {len(ahead)} | {n_runs} | {model} | {summed(ahead)} |")
    return "\n".join(lines)


def by_table(runs, facts):
    """Mean score of every model per table, over all runs; of models that took part in all of them."""
    mean = runs.groupby("table").agg(lambda scores: scores.mean(skipna=False))
    teacher = 100 * facts["teacher_score"].groupby("table").mean()
    order = [model for model in [*reversed(STUDENTS), *OUTSIDERS] if mean[model].notna().any()]
    lines = ["| table | runs | teacher | " + " | ".join(order) + " |", "|---" * (len(order) + 3) + "|"]
    for table, row in mean.iterrows():
        n_runs = int((runs.index.get_level_values("table") == table).sum())
        cells = " | ".join("–" if np.isnan(row[m]) else f"{row[m]:.1f}" if row[m] > -100 else "< -100" for m in order)
        lines.append(f"| {table} | {n_runs} | {teacher[table]:.1f} | {cells} |")
    return "\n".join(lines)


def retention(scores, facts, lines):
    """By teacher, rows, budget: median share of its accuracy above the majority that students keep, and what for.

    The last two columns are KED's bytes and time of one row beside the teacher's, medians of the same runs.
    """
    classes = facts["task"] == "classification"
    majority = 100 * facts.loc[classes, "majority"]
    headroom = 100 * facts.loc[classes, "teacher_score"] - majority
    ked = with_ratios(lines[lines["model"] == "KED"]).set_index(CELL)
    table = ["| teacher, rows, budget | cells | plain | KD | KED | CV | bytes, KED | one row, KED |", "|---" * 8 + "|"]
    for (kind, rows, budget), some in scores[classes].groupby(["teacher", "rows", "budget"]):
        usable = headroom.loc[some.index] > 2
        shares = [
            f"{100 * ((some[model] - majority.loc[some.index]) / headroom.loc[some.index])[usable].median():.0f} %"
            for model in ("plain", "KD", "KED", "CV")
        ]
        costs = ked.loc[ked.index.isin(some.index[usable]), ["of_bytes", "of_us"]].median()
        shares += [f"1/{ratio:.0f}" for ratio in costs]
        table.append(f"| {kind}, {rows:,}, {budget:,} | {int(usable.sum())} | " + " | ".join(shares) + " |")
    return "\n".join(table)


def with_ratios(lines):
    """Lines with how many times as many bytes, and as much time for one row, the teacher takes."""
    return lines.assign(
        of_bytes=lines["teacher_bytes"] / lines["bytes"], of_us=lines["teacher_us_one_row"] / lines["us_one_row"]
    )


def likeness(runs, lines):
    """Log-loss beside KD's, agreement with the teacher and of the explanations, by rows: means of cells or tables."""
    loss, said, explained = (by_model(lines, name, runs) for name in ("log_loss", "agreement", "explanation_agreement"))
    loss = loss.groupby(CELL).mean()
    classes = loss["KD"].notna()
    worse = loss[classes].sub(loss.loc[classes, "KD"], axis=0).clip(-NATS.most, NATS.most)
    said = 100 * said.groupby(CELL).mean()[classes]
    table = ["| rows | student | log-loss − KD | 95 % interval | agreement | of explanations | runs |"]
    table.append("|---" * 7 + "|")
    known_of = [model for model in EXPLAINED if explained[model].notna().any()]
    explained = explained.where(explained[known_of].notna().all(axis=1))  # runs where it was measured of all
    for n_rows in sorted(set(runs.index.get_level_values("rows"))):
        for model in EXPLAINED:
            nats, share, cosine = (some[model].xs(n_rows, level="rows").dropna() for some in (worse, said, explained))
            low, high = interval(nats)
            line = f"| {n_rows:,} | {model} | {nats.mean():+.3f} | {low:+.3f} to {high:+.3f} | {share.mean():.1f} %"
            alike = f"{cosine.groupby('table').mean().mean():.2f} | {len(cosine)}" if len(cosine) else "– | –"
            table.append(f"{line} | {alike} |")
    return "\n".join(table)


def costs(path):
    """Medians over tables: bytes and time of one row as shares of the teacher's, and seconds of the fit; by teacher."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    runs = with_ratios(pd.DataFrame([line for line in lines if "model" in line]))
    table = [
        "| teacher, rows, budget | tables | student | bytes of the teacher's | time of one row of the teacher's "
        "| seconds of the fit |"
    ]
    table.append("|---" * 6 + "|")
    for (kind, rows, budget, model), some in runs.groupby(["teacher", "rows", "budget", "model"]):
        shares = (
            f"1/{some[ratio].median():.0f} (1/{some[ratio].min():.0f} to 1/{some[ratio].max():.0f})"
            for ratio in ("of_bytes", "of_us")
        )
        took = some["fit_seconds"]
        seconds = f"{took.median():.0f} ({took.min():.0f} to {took.max():.0f})"
        table.append(
            f"| {kind}, {rows:,}, {budget:,} | {len(some)} | {model} | " + " | ".join([*shares, seconds]) + " |"
        )
    return "\n".join(table)


def draw(scores, path):
    """Differences to KD per table, one panel per student."""
    plt = pyplot()

    models = ["KD + chimeras", "KED", "heads", "CV"]
    order = differences(scores, "CV").groupby("table").mean().sort_values().index
    figure, axes = plt.subplots(1, len(models), figsize=(11, 0.26 * len(order) + 1.2), sharey=True, sharex=True)
    for ax, model in zip(axes, models, strict=True):
        mean = differences(scores, model).mean()
        ahead = differences(scores, model).clip(-10, 10)
        place = {table: number for number, table in enumerate(order)}
        ax.axvline(0, color="0.6", lw=1)
        ax.plot(ahead, [place[t] for t in ahead.index.get_level_values("table")], "o", ms=4, alpha=0.5, mew=0)
        ax.plot(ahead.groupby("table").mean().loc[order], range(len(order)), "|", ms=11, color="k")
        ax.set(title=f"{model}: {mean:+.2f}", xlabel="points ahead of KD")
    axes[0].set_yticks(range(len(order)), order)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_profile(runs, path):
    """Performance profile: the share of runs in which a model is within so many points of the best of all."""
    plt = pyplot()

    models = ["CV", "KED", "heads", "KD", "plain", "small boosting", "MLP", "linear"]
    complete = runs[models].dropna()
    behind = complete.max(axis=1).to_numpy()[:, None] - complete.to_numpy()
    figure, ax = plt.subplots(figsize=(6.5, 4))
    for model, gap in zip(models, behind.T, strict=True):
        style = "-" if model in STUDENTS else "--"
        ax.step(np.sort(gap), np.arange(1, len(gap) + 1) / len(gap), style, where="post", label=model, lw=1.5)
    ax.set(xlim=(0, 10), ylim=(0, 1), xlabel="points behind the best", ylabel=f"share of {len(complete)} runs")
    ax.legend(frameon=False, ncols=2)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def of_runs(path):
    """What the runs in a file say, as Markdown, by the name of its place on the page."""
    runs, lines = read_runs(path)
    everything = cells_of(runs, lines)
    others = [table[table.index.get_level_values("teacher") != "boosting"] for table in everything]
    tiny = [table[~_is_large(table)] for table in everything]
    large = list(boosted(runs, *everything, large=True))
    runs, scores, facts = boosted(runs, *everything)
    return {
        "short": in_short(scores),
        "accuracy": compared(runs, scores, facts),
        "outsiders": beside_others(runs, [BEST_RIVAL, *OUTSIDERS]),
        "chosen": beside_by_log_loss(runs, lines),
        "retention": retention(*tiny, lines),
        "likeness": likeness(runs, lines),
        "tables": by_table(runs, facts),
        "weight": by_weight(runs, lines),
        "teachers": by_teacher(*others),
        "large": compared(*large),
    }


def blocks(path):
    """Everything on the results page that was measured, by the name of its place there."""
    from benchmarks.accuracy import ablations, paper
    from benchmarks.training import run as training

    def rows(name):
        return json.loads((RESULTS / f"{name}.json").read_text())

    return {
        **of_runs(path),
        "costs": costs(RESULTS / "costs.jsonl"),
        "ablations": ablations.render(rows("ablations")),
        "paper": paper.render(rows("paper")["rows"]),
        "training": training.render(rows("training")["rows"]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=RESULTS / "accuracy.jsonl")
    options = parser.parse_args()
    page = DOCS / "results.md"
    for name, text in blocks(options.file).items():
        print(text)
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, rest = page.read_text().split(begin)
        page.write_text(before + begin + "\n" + text + "\n\n" + end + rest.split(end)[1])
    runs, lines = read_runs(options.file)
    runs, scores, _ = boosted(runs, *cells_of(runs, lines))
    draw(scores, DOCS / "results-accuracy.svg")
    draw_profile(runs, DOCS / "results-profile.svg")


if __name__ == "__main__":
    main()
