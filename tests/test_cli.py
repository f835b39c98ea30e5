"""The ``skked`` command, from its arguments to what it prints and writes."""

import os
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
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


@pytest.fixture(scope="module")
def others(folder):
    """Students of other kinds: of arrays, of numbers, and one without explanations."""
    random = np.random.RandomState(0)
    table = pd.DataFrame(random.normal(size=(120, 3)), columns=["a", "b", "c"])
    number, three = table["a"] + table["b"], np.arange(120) % 3
    quick = {"max_iter": 2, "max_parameters": 80, "cv": 2, "random_state": 0}
    tree = DecisionTreeRegressor(max_depth=3)
    students = {
        "arrays": skked.KEDClassifier(superfeatures=[0, 0, 1], **quick).fit(table.to_numpy(), three > 0),
        "numbers": skked.KEDRegressor(tree, superfeatures=[0, 0, 1], network="additive", **quick).fit(table, number),
        "gap": skked.KEDRegressor(tree, superfeatures=2, **quick).fit(table, number),
        "three": skked.KEDClassifier(superfeatures=[0, 0, 1], **quick).fit(table, three),
        "dense": skked.KDClassifier(**quick).fit(table, three),
    }
    students["gap"].additive_gap_ = 0.25  # as if measured, which takes more rows
    where = folder / "others"
    where.mkdir()
    for name, student in students.items():
        skked.save(student, where / f"{name}.skops")
    table.assign(number=number, three=three, nothing=np.nan).to_csv(where / "t.csv", index=False)
    table.head(0).to_csv(where / "none.csv", index=False)
    return where, table, students


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "arrays.skops", "t.csv"], "fitted on a table without column names"),
        (["predict", "numbers.skops", "t.csv", "--probabilities"], "A regressor has no probabilities"),
        (["predict", "numbers.skops", "none.csv"], "The table has no rows"),
        (["explain", "dense.skops", "t.csv"], "A KDClassifier does not explain itself"),
        (["report", "three.skops", "t.csv", "--target", "nothing"], "No row has a 'nothing'"),
        (["report", "three.skops", "t.csv", "--target", "three", "--out", "no/folder/page.html"], "cannot be written"),
        (["predict", "three.skops", "t.csv", "--out", "no/folder/t.csv"], "cannot be written"),
        (["export", "three.skops", "no/folder/student.py"], "cannot be written"),
        (["export", "dense.skops", "no/folder/student.onnx"], "cannot be written"),
    ],
)
def test_errors_about_other_students_are_one_sentence(arguments, message, others, monkeypatch):
    monkeypatch.chdir(others[0])
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.splitlines()[-2:])
    assert "Traceback" not in result.output


@pytest.mark.parametrize("package", ["onnx", "pyarrow"])
def test_what_is_missing_is_named(package, others, monkeypatch, tmp_path):
    monkeypatch.chdir(others[0])
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail_to_import)
    monkeypatch.setattr(pd, "read_parquet", fail_to_import)
    (tmp_path / "t.parquet").write_bytes(b"")
    calls = {
        "onnx": [["export", "three.skops", tmp_path / "s.onnx"]],
        "pyarrow": [
            ["predict", "three.skops", "t.csv", "--out", tmp_path / "p.parquet"],
            ["predict", "three.skops", tmp_path / "t.parquet"],
        ],
    }
    for arguments in calls[package]:
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert "pip install 'skked[" in " ".join(result.stderr.split())


def fail_to_import(*args, **kwargs):
    raise ImportError("pyarrow is missing")


def test_what_comes_in_by_the_pipe_and_is_no_table_is_refused(others):
    student = str(others[0] / "three.skops")
    result = CliRunner(env={"TERM": "dumb"}).invoke(_cli.app, ["predict", student, "-"], input="")
    assert result.exit_code == 2
    assert "standard input could not be read" in result.stderr


def test_three_classes_are_explained_by_the_predicted_one(others, tmp_path):
    where, table, students = others
    assert run("explain", where / "three.skops", where / "t.csv", "--out", tmp_path / "e.csv").exit_code == 0
    found = pd.read_csv(tmp_path / "e.csv", index_col="row")
    assert_sums(found)
    score = students["three"].decision_function(table).max(axis=1)
    np.testing.assert_allclose(found["score"], score, atol=1e-5)


@pytest.mark.parametrize(("name", "target"), [("three", "three"), ("numbers", "number")])
def test_labels_and_targets_that_are_numbers_are_compared_as_numbers(name, target, others):
    where, table, students = others
    result = run("report", where / f"{name}.skops", where / "t.csv", "--target", target)
    assert result.exit_code == 0, result.output
    truth = pd.read_csv(where / "t.csv")[target]
    assert f"{students[name].score(table, truth):.3f}" in result.stdout


def test_info_says_what_there_is(others):
    where, _, students = others
    told = {name: run("info", where / f"{name}.skops").stdout for name in students}
    assert "classes" not in told["numbers"] and "superfeature" in told["numbers"]
    assert "0, 1, 2" in told["dense"] and "network" not in told["dense"]
    assert "one per superfeature" in told["numbers"]
    assert "of R²" in told["gap"] and "additive gap" not in told["three"]
    assert "x0, x1" in told["arrays"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("abx", "Did you mean 'abc'?"),
        ("Q", "Did you mean 'q'?"),
        ("zzz", "There are abc, q, c2, c3, c4, c5, c6, c7 and"),
    ],
)
def test_suggestions(word, said):
    from skked._cli._errors import suggestion

    assert suggestion(word, ["abc", "q", *(f"c{j}" for j in range(2, 12))]).startswith(said)


def test_probabilities_are_never_certain():
    from skked._cli._printing import _bar, _chance

    assert [_chance(p) for p in (0.9999, 0.5, 0.0001)] == ["over 0.999", "0.500", "under 0.001"]
    assert _bar(-0.5, True).strip().endswith("|") and set(_bar(1.0, True).strip()) == {"|", "#"}


def test_a_terminal_sees_a_spinner():
    from rich.console import Console

    from skked._cli._run import Progress

    console = Console(file=StringIO(), force_terminal=True, width=60)
    assert Progress(console, 1)("Counting", lambda: 3) == 3
    assert console.file.getvalue().count("Counting") > 1 and "0.0 s" in console.file.getvalue()


def test_the_command_survives_letters_that_a_terminal_lacks():
    call = "import sys; sys.argv = ['skked', '--version']; from skked._cli import main; main()"
    found = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == f"skked {skked.__version__}"


def unread(*arguments):
    """Run a command whose output nobody reads."""
    call = f"import sys; sys.argv = {['skked', *map(str, arguments)]}; from skked._cli import main; main()"
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run([sys.executable, "-c", call], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    return found


needs_broken_pipes = pytest.mark.skipif(os.name == "nt", reason="pipes without a reader are another error there")


@needs_broken_pipes
@pytest.mark.parametrize("command", ["predict", "explain", "info"])
def test_who_stops_reading_hears_nothing_more(command, distilled, files):
    table = [files / "shop.csv"] if command != "info" else []
    found = unread(command, distilled[1] / "student.skops", *table)
    assert (found.returncode, found.stderr) == (1, "")


@needs_broken_pipes
def test_who_stops_reading_has_the_files(distilled, files, tmp_path):
    unread("report", distilled[1] / "student.skops", files / "shop.csv", "--target", "bought", "--out", tmp_path / "p")
    assert (tmp_path / "p").stat().st_size > 1000
    unread("distill", files / "shop.csv", "--target", "bought", "--epochs", 5, "--out", tmp_path / "shop")
    assert {path.name for path in (tmp_path / "shop").iterdir()} == FILES


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "no model", "is no regression model"),
        (lambda: DecisionTreeRegressor(), "is not fitted"),
        (lambda: DecisionTreeRegressor().fit(np.zeros((4, 7)), np.arange(4)), "was fitted on 7 columns"),
    ],
)
def test_teachers_from_files_that_do_not_fit(make, message, others, tmp_path):
    joblib.dump(make(), tmp_path / "teacher.joblib")
    options = ["--target", "number", "--drop", "three", "--drop", "nothing", "--teacher", tmp_path / "teacher.joblib"]
    result = run("distill", others[0] / "t.csv", *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())


def test_lightgbm_must_be_there(others, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    options = ["--target", "three", "--drop", "number", "--drop", "nothing", "--teacher", "lightgbm"]
    result = run("distill", others[0] / "t.csv", *options)
    assert result.exit_code == 2
    assert "pip install lightgbm" in result.stderr


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (["a", "b"] * 30, ["--task", "regression"], "Regression needs numbers"),
        ([1.5, np.inf] * 30, ["--task", "regression"], "infinite values"),
        (list(range(20)) * 3, ["--task", "classification", "--test-size", 0.1], "could not be split"),
    ],
)
def test_targets_that_cannot_be_learned(y, options, message, tmp_path):
    pd.DataFrame({"x": np.arange(60), "z": np.arange(60) % 7, "y": y}).to_csv(tmp_path / "t.csv", index=False)
    result = run("distill", tmp_path / "t.csv", "--target", "y", *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())


def test_demo_of_numbers(tmp_path):
    result = run("demo", "--dataset", "diabetes", "--epochs", 1, "--max-parameters", 60)
    assert result.exit_code == 0, result.output
    assert "progression after a year" in result.stdout


def test_many_superfeatures_are_cut_short():
    from types import SimpleNamespace

    from rich.console import Console

    from skked._cli import _printing
    from skked._cli._comparison import explain_rows

    columns = np.array([f"c{j}" for j in range(15)])
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(80, 15)), columns=columns)
    quick = {"max_iter": 1, "max_parameters": 900, "cv": 2, "random_state": 0}
    student = skked.KEDRegressor(DecisionTreeRegressor(max_depth=3), superfeatures=np.arange(15), **quick).fit(
        X, X["c0"]
    )
    explanations = explain_rows(student, X[:9], X["c0"][:9].to_numpy())
    problem = SimpleNamespace(test=X[:9], is_classification=False, target="y")
    comparison = SimpleNamespace(student=student, explanations=explanations, problem=problem)
    console = Console(file=StringIO(), width=100)
    _printing._show_superfeatures(comparison, console)
    assert "3 more" in console.file.getvalue()
    _printing._show_explanation(comparison, 0, console)
    assert console.file.getvalue().count("3 more") == 2


def test_info_of_other_kinds_leaves_out_what_they_do_not_have(others, tmp_path):
    _, table, students = others
    network = {"estimator": "network", "max_iter": 3, "random_state": 0}
    teacher = skked.ExplainingTeacherRegressor([0, 0, 1], **network).fit(table, table["a"])
    pipeline = make_pipeline(StandardScaler(), skked.KDClassifier(**students["dense"].get_params(deep=False)))
    told = []
    for model in (teacher, pipeline.fit(table, table["a"] > 0)):
        skked.save(model, tmp_path / "model.skops")
        told.append(run("info", tmp_path / "model.skops").stdout)
    assert "ExplainingTeacherRegressor" in told[0] and "a, b" in told[0] and "epochs" not in told[0]
    assert "Pipeline" in told[1] and "columns" in told[1] and "parameters" not in told[1]


def test_a_table_of_one_column_has_no_explanations_to_compare(tmp_path):
    x = np.arange(60.0)
    pd.DataFrame({"x": x, "y": np.sin(x)}).to_csv(tmp_path / "t.csv", index=False)
    result = run("distill", tmp_path / "t.csv", "--target", "y", "--epochs", 1, "--max-parameters", 40)
    assert result.exit_code == 0, result.output
    assert "small differences mean nothing" in result.stdout and "mean cosine" not in result.stdout


def test_what_is_warned_about_is_said_in_a_line(others, tmp_path):
    where, table, _ = others
    tree = DecisionTreeRegressor(max_depth=3).fit(table.to_numpy(), table["a"])  # of columns without names
    joblib.dump(tree, tmp_path / "teacher.joblib")
    options = ["--target", "number", "--drop", "three", "--drop", "nothing", "--teacher", tmp_path / "teacher.joblib"]
    result = run("distill", where / "t.csv", *options, "--epochs", 1, "--max-parameters", 60)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "UserWarning: X has feature names, but DecisionTreeRegressor was fitted without feature names" in said


def test_teachers_that_know_fewer_columns_say_which_to_drop(others, tmp_path):
    where, table, _ = others
    joblib.dump(DecisionTreeRegressor(max_depth=2).fit(table[["a", "b"]], table["a"]), tmp_path / "teacher.joblib")
    result = run("distill", where / "t.csv", "--target", "number", "--teacher", tmp_path / "teacher.joblib")
    assert result.exit_code == 2, result.output
    said = " ".join(result.stderr.split())
    assert "fitted without 3 columns of the table: add --drop 'c' --drop 'three' --drop 'nothing'" in said
    told = run("distill", where / "t.csv", "--target", "a", "--teacher", tmp_path / "teacher.joblib")
    assert told.exit_code == 2 and "was fitted with 'a'" in " ".join(told.stderr.split())
