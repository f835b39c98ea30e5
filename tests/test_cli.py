"""The ``skked`` command, from its arguments to what it prints and writes."""

import pickle
import subprocess
import sys
from io import StringIO

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestRegressor
from typer.testing import CliRunner

import skked
from skked import _cli

FILES = {"student.skops", "report.html", "report.csv", "report.txt", "superfeatures.csv", "explanations.csv"}


def run(*arguments, width=100):
    return CliRunner(env={"COLUMNS": str(width), "TERM": "dumb"}).invoke(_cli.app, [str(part) for part in arguments])


def shop(n=120, seed=0):
    """Customers with texts, missing cells, and two rows without an answer."""
    random = np.random.RandomState(seed)
    table = pd.DataFrame(random.normal(size=(n, 2)).round(3), columns=["age", "income"])
    table["colour"] = random.choice(["red", "green", "blue"], n)
    bought = table["age"] + (table["colour"] == "red") + 0.2 * random.normal(size=n) > 0.3
    table["bought"] = np.where(bought, "yes", "no")
    table["price"] = 100 + 10 * table["age"] + 5 * (table["colour"] == "red")
    table.loc[::10, "age"] = np.nan
    table.loc[3::10, "colour"] = None
    table.loc[[1, 2], "bought"] = None
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def files(folder):
    """The shop as csv and parquet."""
    table = shop()
    table.drop(columns="price").to_csv(folder / "shop.csv")
    table.drop(columns="bought").to_parquet(folder / "shop.parquet")
    return folder


@pytest.fixture(scope="module")
def demonstrated(folder):
    with pytest.MonkeyPatch.context() as patch:
        here = folder / "here"
        here.mkdir()
        patch.chdir(here)
        result = run("demo", "--dataset", "iris", "--epochs", 20, "--max-parameters", 100, "--out", "results/iris")
    return result, here


@pytest.fixture(scope="module")
def distilled(files):
    out = files / "shop"
    return run("distill", files / "shop.csv", "--target", "bought", "--epochs", 20, "--out", out), out


def printed_row(output, name):
    """The cells of a line of the table of models."""
    (line,) = [line for line in output.splitlines() if line.startswith(name + "  ")]
    return [float(cell.replace(",", "")) if cell != "–" else np.nan for cell in line[len(name) :].split()]


def test_demo_prints_the_numbers_that_it_saves(demonstrated):
    result, here = demonstrated
    assert result.exit_code == 0, result.output
    saved = pd.read_csv(here / "results/iris/report.csv", index_col=0).drop(columns="explanation_agreement")
    assert list(saved.index) == ["teacher", "logistic regression", "plain network", "KD", "KED"]
    for name, row in saved.iterrows():
        np.testing.assert_allclose(printed_row(result.stdout, name), row, rtol=0.2, atol=0.0501)
        np.testing.assert_allclose(printed_row(result.stdout, name)[:3], row.iloc[:3], atol=0.00051)
        np.testing.assert_allclose(printed_row(result.stdout, name)[3:5], row.iloc[3:5])
    sizes = saved.loc[["plain network", "KD", "KED"], "n_parameters"]
    assert sizes.max() <= 100
    assert sizes.max() <= 1.1 * sizes.min()


def test_demo_writes_only_where_told_and_reports_progress_on_stderr(demonstrated):
    result, here = demonstrated
    assert {path.name for path in (here / "results/iris").iterdir()} == FILES
    assert {path.name for path in here.iterdir()} == {"results"}
    assert result.stderr.count(" s\n") == 6
    assert "[6/6]" not in result.stdout
    assert (here / "results/iris/report.txt").read_text(encoding="utf-8").split() == (
        result.stdout[: result.stdout.index("Saved in")].split()
    )


def assert_sums(explained):
    phi = explained.filter(like="phi[")
    assert phi.shape[1] > 1
    np.testing.assert_allclose(explained["base"] + phi.sum(axis=1), explained["score"], atol=1e-5)


def test_explanations_of_three_classes_are_those_of_the_predicted_one(demonstrated):
    out = demonstrated[1] / "results/iris"
    explained = pd.read_csv(out / "explanations.csv", index_col="row")
    assert_sums(explained)
    student = skked.load(out / "student.skops")
    table = load_iris(as_frame=True).data.loc[explained.index]
    np.testing.assert_allclose(student.decision_function(table).max(axis=1), explained["score"], atol=1e-5)
    np.testing.assert_allclose(student.predict_proba(table).max(axis=1), explained["probability"], atol=1e-5)


def test_explanations_add_up_and_come_from_the_saved_student(distilled, files):
    result, out = distilled
    assert result.exit_code == 0, result.output
    explained = pd.read_csv(out / "explanations.csv", index_col="row")
    assert_sums(explained)
    student = skked.load(out / "student.skops")
    assert student.memory is None
    table = pd.read_csv(files / "shop.csv").loc[explained.index, ["age", "income", "colour"]]
    assert list(student.predict(table)) == list(explained["prediction"])
    np.testing.assert_allclose(student.decision_function(table), explained["score"], atol=1e-5)
    accuracy = pd.read_csv(out / "report.csv", index_col=0).loc["KED", "accuracy"]
    assert accuracy == pytest.approx((explained["prediction"] == explained["truth"]).mean())
    least_certain = explained.iloc[explained["probability"].argmin()]
    assert f"{least_certain['score']:+.2f}" in result.stdout.split("sum = score")[1]


def test_distill_says_what_it_did_with_the_table(distilled):
    output = distilled[0].stdout
    assert "The first column numbers the rows and was left out." in output
    assert "2 rows without 'bought' were left out." in output
    assert "this is classification" in output


def test_distill_parquet_to_numbers_with_a_teacher_from_a_file(files):
    table = shop()[["income", "age", "price"]].fillna(0.0)
    table[["age", "income", "price"]].to_parquet(files / "numbers.parquet")
    forest = RandomForestRegressor(20, random_state=0).fit(table[["income", "age"]], table["price"])
    joblib.dump(forest, files / "forest.joblib")
    result = run(
        *("distill", files / "numbers.parquet", "--target", "price", "--teacher", files / "forest.joblib"),
        *("--epochs", 20, "--max-parameters", 100, "--out", files / "numbers", "--row", 2),
    )
    assert result.exit_code == 0, result.output
    assert "regression was guessed" in result.stdout
    assert "Teacher: RandomForestRegressor." in result.stdout
    assert "The teacher was fitted before." in result.stdout
    assert "held-out row 2" in result.stdout
    assert "ridge regression" in result.stdout
    explained = pd.read_csv(files / "numbers/explanations.csv", index_col="row")
    np.testing.assert_allclose(forest.predict(table.loc[explained.index, ["income", "age"]]), explained["teacher"])
    assert (files / "numbers/student.skops").stat().st_size < 20_000 < len(pickle.dumps(forest))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("teacher", ["forest", "extra_trees", "network", "linear", "lightgbm"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_named_teachers_bear_texts_and_missing_cells(teacher, task):
    from skked._cli._teachers import teacher_of

    table = shop().drop(index=[1, 2])
    X, y = table[["age", "income", "colour"]], table["bought" if task == "classification" else "price"]
    if teacher == "lightgbm":
        pytest.importorskip("lightgbm")
    model = teacher_of(teacher, X, task, seed=0)
    unseen = X.assign(colour="violet", income=np.nan)
    assert len(model.fit(X, y).predict(unseen)) == len(X)


ERRORS = {
    "no file": (["nowhere.csv", "--target", "bought"], "There is no file"),
    "near file": (["shop.cvs", "--target", "bought"], "Did you mean 'shop.csv'?"),
    "no target": (["shop.csv", "--target", "bougth"], "Did you mean 'bought'?"),
    "no column": (["shop.csv", "--target", "bought", "--drop", "colours"], "Did you mean 'colour'?"),
    "target dropped": (["shop.csv", "--target", "bought", "--drop", "bought"], "cannot be dropped"),
    "no teacher": (["shop.csv", "--target", "bought", "--teacher", "forrest"], "Did you mean 'forest'?"),
    "texts as numbers": (["shop.csv", "--target", "bought", "--task", "regression"], "needs numbers"),
    "no row": (["shop.csv", "--target", "bought", "--row", "99"], "numbered 0 to 29"),
    "constant": (["constant.csv", "--target", "y"], "nothing to learn"),
    "few rows": (["few.csv", "--target", "y"], "at least 30"),
    "target only": (["alone.csv", "--target", "y"], "no column besides"),
    "names as target": (["shop.csv", "--target", "id"], "two rows"),
    "dates": (["dates.parquet", "--target", "y"], "--drop 'day'"),
    "empty": (["empty.csv", "--target", "y"], "could not be read"),
    "no parquet": (["text.parquet", "--target", "y"], "could not be read"),
    "other format": (["sheet.xlsx", "--target", "y"], "named .csv, .tsv or .parquet"),
    "no model": (["shop.csv", "--target", "bought", "--teacher", "{}/empty.csv"], "could not be loaded"),
    "not fitted": (["shop.csv", "--target", "bought", "--teacher", "{}/unfitted.pkl"], "is no classification model"),
    "out is a file": (["shop.csv", "--target", "bought", "--out", "{}/empty.csv"], "cannot be made"),
}


@pytest.fixture(scope="module")
def faulty(folder):
    """Files with one fault each."""
    where = folder / "faulty"
    where.mkdir()
    x = np.arange(40)
    shop().drop(columns="price").assign(id=[f"k{i}" for i in range(120)]).to_csv(where / "shop.csv", index=False)
    pd.DataFrame({"x": x, "y": 1}).to_csv(where / "constant.csv", index=False)
    pd.DataFrame({"x": x, "y": x % 2}).head(29).to_csv(where / "few.csv", index=False)
    pd.DataFrame({"y": x % 2}).to_csv(where / "alone.csv", index=False)
    pd.DataFrame({"day": pd.Timestamp("2020-01-01"), "y": x % 2}).to_parquet(where / "dates.parquet")
    for name in ("empty.csv", "text.parquet", "sheet.xlsx"):
        (where / name).write_text("")
    joblib.dump(RandomForestRegressor(), where / "unfitted.pkl")
    return where


@pytest.mark.parametrize("fault", ERRORS)
def test_errors_are_one_sentence_and_exit_with_2(fault, faulty):
    (name, *options), message = ERRORS[fault]
    result = run("distill", faulty / name, *(option.format(faulty) for option in options))
    assert result.exit_code == 2, result.output
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output
    assert not result.stdout


def test_teacher_of_other_columns_is_refused(files):
    table = shop()[["age", "income", "price"]].fillna(0.0)
    joblib.dump(RandomForestRegressor(2).fit(table[["age"]], table["price"]), files / "narrow.joblib")
    table.to_parquet(files / "wide.parquet")
    result = run("distill", files / "wide.parquet", "--target", "price", "--teacher", files / "narrow.joblib")
    assert result.exit_code == 2
    assert "--drop 'income'" in result.stderr


def test_other_failures_exit_with_1_and_debug_shows_the_traceback(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the teacher\nleft")

    monkeypatch.setattr("skked._cli._run.compare", fail)
    short = run("demo", "--dataset", "iris")
    assert short.exit_code == 1
    assert "skked: RuntimeError: the teacher left Run again with --debug" in short.stderr
    assert "Traceback" not in short.output
    long = run("demo", "--dataset", "iris", "--debug")
    assert long.exit_code == 1
    assert "Traceback" in long.stderr


def test_semicolons_and_tabulators_divide_too(tmp_path):
    from skked._cli._tables import read_table

    for name, mark in {"a.csv": ",", "b.csv": ";", "c.tsv": "\t", "d.csv.gz": ";"}.items():
        shop().to_csv(tmp_path / name, index=False, sep=mark)
        pd.testing.assert_frame_equal(read_table(tmp_path / name), pd.read_csv(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1], "classification"),
        ([1.0, 2.0, 3.0], "classification"),
        ([True, False], "classification"),
        (["a", "b"], "classification"),
        (range(20), "classification"),
        (range(21), "regression"),
        ([0.5, 1.0], "regression"),
    ],
)
def test_the_task_is_guessed_from_the_target(values, task, tmp_path):
    from skked._cli._tables import problem_of_file

    y = list(values) * 10
    pd.DataFrame({"x": np.arange(len(y)) * 7 % 5, "y": y}).tail(210).to_csv(tmp_path / "t.csv", index=False)
    if len(y) < 30:
        pd.DataFrame({"x": np.arange(2 * len(y)), "y": y * 2}).to_csv(tmp_path / "t.csv", index=False)
    problem = problem_of_file(tmp_path / "t.csv", target="y", task="auto", drop=[], test_size=0.5, seed=0)
    assert problem.task == task


def test_predict_and_explain_read_and_print_tables(distilled, files, tmp_path):
    student, table = distilled[1] / "student.skops", pd.read_csv(files / "shop.csv")
    model, known = skked.load(student), table[["age", "income", "colour"]]
    printed = run("predict", student, files / "shop.csv", "--probabilities")
    assert printed.exit_code == 0, printed.output
    found = pd.read_csv(StringIO(printed.stdout), index_col="row")
    assert list(found["prediction"]) == list(model.predict(known))
    np.testing.assert_allclose(found[["probability[no]", "probability[yes]"]], model.predict_proba(known), atol=1e-6)
    runner = CliRunner(env={"TERM": "dumb"})
    piped = runner.invoke(_cli.app, ["explain", str(student), "-"], input=known.to_csv(index=False))
    assert piped.exit_code == 0, piped.output
    explained = pd.read_csv(StringIO(piped.stdout), index_col="row")
    assert_sums(explained)
    np.testing.assert_allclose(explained["score"], model.decision_function(known), atol=1e-5)
    assert run("explain", student, files / "shop.csv", "--out", tmp_path / "why.parquet").exit_code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "why.parquet"), explained, check_dtype=False)


def test_report_measures_a_saved_student_and_writes_a_page(distilled, files, tmp_path):
    result = run(
        *("report", distilled[1] / "student.skops", files / "shop.csv", "--target", "bought"),
        *("--out", tmp_path / "later.html"),
    )
    assert result.exit_code == 0, result.output
    table = pd.read_csv(files / "shop.csv").dropna(subset="bought")
    model = skked.load(distilled[1] / "student.skops")
    accuracy = (model.predict(table[["age", "income", "colour"]]) == table["bought"]).mean()
    assert f"{accuracy:.3f}" in result.stdout and "118 rows" in result.stdout
    assert f"{accuracy:.3f}<small>" in (tmp_path / "later.html").read_text(encoding="utf-8")


def test_export_and_info(distilled, tmp_path):
    student = distilled[1] / "student.skops"
    assert run("export", student, tmp_path / "student.py").exit_code == 0
    compile((tmp_path / "student.py").read_text(encoding="utf-8"), "student.py", "exec")
    told = run("info", student).stdout
    model = skked.load(student)
    assert "KEDClassifier" in told and f"{model.n_parameters_:,}" in told and "no, yes" in told
    assert all(name in told for name in model.superfeature_names_)


def test_errors_about_students_are_one_sentence(distilled, files, tmp_path):
    student = distilled[1] / "student.skops"
    pd.DataFrame({"age": [1.0], "incomes": [2.0]}).to_csv(tmp_path / "t.csv", index=False)
    for arguments, message in [
        (["predict", distilled[1] / "student.skop", files / "shop.csv"], "Did you mean 'student.skops'?"),
        (["predict", files / "shop.csv", files / "shop.csv"], "holds no student"),
        (["explain", student, tmp_path / "t.csv"], "Did you mean 'incomes'?"),
        (["predict", student, files / "shop.csv", "--out", tmp_path / "x.xlsx"], "named .csv or .parquet"),
        (["report", student, files / "shop.csv", "--target", "bougth"], "Did you mean 'bought'?"),
        (["report", student, files / "shop.csv", "--target", "bought", "--teacher", "forest"], "fitted model"),
        (["export", student, tmp_path / "student.txt"], "named .onnx or .py"),
    ]:
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.stderr.splitlines()[-1]
        assert "Traceback" not in result.output


def test_help_and_version_are_quick_and_have_examples():
    assert run("--version").stdout == f"skked {skked.__version__}\n"
    text = " ".join(run("distill", "--help", width=200).stdout.replace("│", " ").split())
    assert "skked distill customers.csv --target churn" in text
    assert "Loading a pickle runs the code in it" in text
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom skked import _cli\n"
        "assert CliRunner().invoke(_cli.app, ['--help']).exit_code == 0\n"
        "assert not {'torch', 'sklearn', 'pandas', 'numpy', 'shap'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
