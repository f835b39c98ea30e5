"""polars frames are as good as pandas frames, wherever these are taken or given."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skked import (
    ExplainingTeacherClassifier,
    GroupShapleyExplainer,
    KDClassifier,
    KEDClassifier,
    KEDClassifierCV,
    KEDRegressor,
    SuperfeatureClustering,
    agreement_score,
    distillation_report,
    load,
    make_chimeric_set,
    save,
)
from skked._table import as_table

pl = pytest.importorskip("polars", reason="polars is not installed: frames of polars are not tested")

N = 120
RNG = np.random.RandomState(0)
FRAME = pl.DataFrame(
    {
        "number": RNG.normal(size=N),
        "whole": RNG.randint(5, size=N),
        "missing": [None if i % 7 == 0 else float(i) for i in range(N)],
        "missing whole": [None if i % 5 == 0 else i for i in range(N)],
        "truth": RNG.rand(N) > 0.5,
        "missing truth": [None if i % 5 == 0 else i % 2 == 0 for i in range(N)],
        "single": pl.Series(RNG.normal(size=N), dtype=pl.Float32),
        "decimal": pl.Series([i // 3 for i in range(N)]).cast(pl.Decimal(10, 2)),
        "text": [["a", "b", None][i % 3] for i in range(N)],
        "category": pl.Series(["u", "v", "w", "x"] * (N // 4), dtype=pl.Categorical),
        "enum": pl.Series(["u", "v"] * (N // 2), dtype=pl.Enum(["u", "v", "z"])),
        "nothing": pl.Series([None] * N, dtype=pl.Null),
    }
)
Y = pl.Series("label", ["yes" if number > 0 else "no" for number in FRAME["number"]])
PANDAS, LABELS = as_table(FRAME), Y.to_numpy()
GROUPS = {"first": FRAME.columns[:6], "others": FRAME.columns[6:]}
QUICK = {"max_iter": 3, "max_parameters": 500, "cv": 2, "random_state": 0}


@pytest.mark.parametrize(
    "estimator",
    [
        KEDClassifier(superfeatures=GROUPS, **QUICK),
        KEDClassifier(superfeatures=3, **QUICK),
        KDClassifier(**QUICK),
        KEDClassifierCV(param_grid={"network": ["additive", "heads"]}, superfeatures=GROUPS, **QUICK),
        ExplainingTeacherClassifier(superfeatures=GROUPS, max_iter=5, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_students_of_frames(estimator):
    by_pandas = estimator.fit(PANDAS, LABELS).predict_proba(PANDAS)
    fitted = estimator.fit(FRAME, Y, sample_weight=pl.Series([1.0] * N))
    np.testing.assert_array_equal(fitted.predict_proba(FRAME), by_pandas)
    np.testing.assert_array_equal(fitted.predict_proba(PANDAS), by_pandas)
    assert fitted.feature_names_in_.tolist() == FRAME.columns
    assert fitted.score(FRAME, Y) == fitted.score(PANDAS, LABELS)
    if hasattr(fitted, "contributions"):
        np.testing.assert_array_equal(fitted.contributions(FRAME), fitted.contributions(PANDAS))


def test_columns_in_another_order_are_refused_by_name():
    fitted = KDClassifier(**QUICK).fit(FRAME, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(FRAME[FRAME.columns[::-1]])


def test_numbers_and_rows_without_labels(tmp_path):
    X, y = FRAME[["number", "whole", "missing"]], FRAME["single"]
    fitted = KEDRegressor(superfeatures=2, **QUICK).fit(X, y, X_unlabelled=X[:20])
    by_pandas = KEDRegressor(superfeatures=2, **QUICK).fit(as_table(X), y.to_numpy(), X_unlabelled=as_table(X[:20]))
    np.testing.assert_array_equal(fitted.predict(X), by_pandas.predict(as_table(X)))
    save(fitted, tmp_path / "student.skops")
    np.testing.assert_array_equal(load(tmp_path / "student.skops").predict(X), fitted.predict(X))


def test_everything_around_students():
    numbers = make_column_transformer(("passthrough", ["number", "whole"]))
    fitted = KEDClassifier(make_pipeline(numbers, GaussianNB()), superfeatures=GROUPS, **QUICK).fit(FRAME, Y)
    clustering = SuperfeatureClustering(3, affinity="spearman").fit(FRAME)
    assert clustering.superfeatures_ == SuperfeatureClustering(3, affinity="spearman").fit(PANDAS).superfeatures_
    labels = fitted.superfeature_labels_
    chimeras, _ = make_chimeric_set(FRAME, labels, 10, random_state=0)
    pd.testing.assert_frame_equal(chimeras, make_chimeric_set(PANDAS, labels, 10, random_state=0)[0])
    explain = [
        GroupShapleyExplainer(GROUPS, background=X[:20]).fit(fitted, X).explain(X[:4]).phi for X in (FRAME, PANDAS)
    ]
    np.testing.assert_array_equal(*explain)
    reports = [
        distillation_report({"student": fitted}, X, y, n_repeat_timing=1) for X, y in ((FRAME, Y), (PANDAS, LABELS))
    ]
    quality = [report.table[["accuracy", "log_loss", "agreement"]] for report in reports]
    pd.testing.assert_frame_equal(*quality)
    assert reports[0].warnings(X_train=FRAME) == reports[1].warnings(X_train=PANDAS)
    assert agreement_score(Y, pl.Series(fitted.predict(FRAME))) == fitted.score(PANDAS, LABELS)


def test_set_output_gives_frames_with_the_names_of_superfeatures():
    X = FRAME[["number", "whole", "single"]]
    groups = {"size": ["number", "whole"], "rest": ["single"]}
    student = KEDClassifier(LogisticRegression(), superfeatures=groups, **QUICK)
    pipeline = make_pipeline(StandardScaler(), student).set_output(transform="polars").fit(X, Y)
    frame = pipeline.transform(X)
    assert isinstance(frame, pl.DataFrame) and frame.columns == ["size", "rest"]
    other = pipeline.set_output(transform="pandas").transform(X)
    assert isinstance(other, pd.DataFrame) and other.columns.tolist() == ["size", "rest"]
    np.testing.assert_allclose(frame.to_numpy(), other.to_numpy())


def test_without_pyarrow(monkeypatch):
    def to_pandas(frame):
        raise ModuleNotFoundError("pyarrow")

    monkeypatch.setattr(pl.DataFrame, "to_pandas", to_pandas)
    fitted = KEDClassifier(superfeatures=GROUPS, **QUICK).fit(FRAME, Y)
    monkeypatch.undo()
    by_pandas = KEDClassifier(superfeatures=GROUPS, **QUICK).fit(PANDAS, LABELS)
    np.testing.assert_allclose(fitted.predict_proba(FRAME), by_pandas.predict_proba(PANDAS), atol=1e-5)


def test_what_cannot_be_read_is_refused_by_name():
    with pytest.raises(TypeError, match=r"got a LazyFrame. Call its collect\(\) first"):
        KDClassifier(**QUICK).fit(FRAME.lazy(), Y)
    dated = FRAME.with_columns(day=pl.lit("2020-01-01").str.to_date())
    with pytest.raises(TypeError, match="'day' holds datetime values"):
        KDClassifier(**QUICK).fit(dated, Y)


class Exchanged:
    """A frame that can only be exchanged."""

    def __init__(self, frame, way):
        self.columns = frame.columns
        setattr(type(self), way, lambda self, *args, **kwargs: getattr(frame, way)(*args, **kwargs))


@pytest.mark.parametrize(
    "way",
    [
        "__arrow_c_stream__",
        pytest.param("__dataframe__", marks=pytest.mark.filterwarnings("ignore:.*interchange")),
    ],
)
def test_frames_that_can_only_be_exchanged(way, monkeypatch):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"]})
    if way == "__arrow_c_stream__":
        if not hasattr(frame, "from_arrow"):
            pytest.skip("this pandas reads no streams of arrow")
        monkeypatch.delattr(pd.api, "interchange")  # pandas gives it up; until then it reads streams of arrow, too
    elif not hasattr(frame, way):
        pytest.skip(f"this pandas has no {way}")
    kind = type("Exchanged", (Exchanged,), {})
    table = as_table(kind(frame, way))
    assert list(table.columns) == ["a", "b"] and list(table["a"]) == [1.0, 2.0]


def test_a_frame_whose_own_way_needs_pyarrow():
    class Frame:
        columns = ["a"]

        def to_pandas(self):
            raise ImportError("pyarrow is missing")

        def __getitem__(self, name):
            return pd.Series([1.0, 2.0])

    pd.testing.assert_frame_equal(as_table(Frame()), pd.DataFrame({"a": [1.0, 2.0]}))
