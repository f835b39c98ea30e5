"""From a file, or a table that ships with scikit-learn, to rows to learn from and rows to measure on."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn import datasets
from sklearn.model_selection import train_test_split

from skked._cli._errors import UserError, check_is_file, suggestion

FEWEST_ROWS = 30
MOST_CLASSES = 20
"""Up to this many distinct whole numbers are guessed to be classes."""
_CSV, _PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")


@dataclass(frozen=True)
class Problem:
    """A table, split.

    Attributes
    ----------
    name, target : str
        What the table and its target are called.
    task : {"classification", "regression"}
    train, test : DataFrame
        Columns to predict from.
    y_train, y_test : ndarray
    notes : list of str
        What was guessed or left out, in sentences.
    """

    name: str
    target: str
    task: str
    train: pd.DataFrame
    test: pd.DataFrame
    y_train: np.ndarray
    y_test: np.ndarray
    notes: list = field(default_factory=list)

    @property
    def is_classification(self):
        return self.task == "classification"


def known_problem(name, *, test_size, seed):
    """Split a table that ships with scikit-learn.

    Parameters
    ----------
    name : {"breast_cancer", "diabetes", "digits", "iris", "wine"}
    test_size : float
        Share of the rows to measure on.
    seed : int
        Seed of the split.

    Returns
    -------
    Problem
    """
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    if name == "diabetes":
        return _split(name, "progression after a year", "regression", bunch.data, bunch.target, [], test_size, seed)
    y = pd.Series(np.asarray(bunch.target_names)[bunch.target].astype(str), dtype=object)
    target = {"breast_cancer": "diagnosis", "digits": "digit", "iris": "species", "wine": "cultivar"}[name]
    return _split(name, target, "classification", bunch.data, y, [], test_size, seed)


def problem_of_file(path, *, target, task, drop, test_size, seed):
    """Read a table and split it.

    Parameters
    ----------
    path : Path
        csv, tsv or parquet.
    target : str
        Column to predict.
    task : {"auto", "classification", "regression"}
    drop : sequence of str
        Columns to leave out.
    test_size : float
        Share of the rows to measure on.
    seed : int
        Seed of the split.

    Returns
    -------
    Problem

    Raises
    ------
    UserError
        If the file, the columns or the target are not what is needed.
    """
    table, notes = _without_index(read_table(path))
    for column in (target, *drop):
        if column not in table.columns:
            raise UserError(f"{path.name} has no column {column!r}. {suggestion(column, table.columns)}")
    if target in drop:
        raise UserError(f"The target {target!r} cannot be dropped as well.")
    y = table[target]
    if y.isna().any():
        notes.append(f"{y.isna().sum():,} rows without {target!r} were left out.")
    X, y = table.drop(columns=[target, *drop])[y.notna()], y.dropna()
    _check_size(path, target, X, y)
    if task == "auto":
        task, guess = _guessed_task(target, y)
        notes.append(guess)
    if task == "regression":
        y = _numbers(target, y)
    else:
        X, y = _without_single_rows(target, X, y, notes)
    notes += _oddities(X)
    return _split(path.name, target, task, X, y, notes, test_size, seed)


def read_table(path):
    """Read a csv, tsv or parquet file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        With texts as column names.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read.
    """
    check_is_file(path)
    kinds = [suffix.lower() for suffix in path.suffixes]
    try:
        if kinds and kinds[-1] in _PARQUET:
            table = pd.read_parquet(path)
        elif any(kind in _CSV for kind in kinds):
            table = pd.read_csv(path, sep=_separator(path), low_memory=False)
        else:
            raise UserError(f"Expected a file named .csv, .tsv or .parquet, got {path.name}.")
    except ImportError as error:
        raise UserError("Reading parquet needs pyarrow. Install it with: pip install 'skked[parquet]'") from error
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path} could not be read: {reason}") from error
    table.columns = table.columns.astype(str)
    return table


def _separator(path):
    """The one of comma, semicolon and tabulator that the header is divided by."""
    header = pd.read_csv(path, nrows=0, sep=",")
    if header.shape[1] == 1:
        return next((mark for mark in ("\t", ";") if mark in header.columns[0]), ",")
    return ","


def _without_index(table):
    """Leave out the row numbers that ``DataFrame.to_csv`` writes."""
    first = table.columns[0] if table.shape[1] else ""
    if first.startswith("Unnamed: 0") and np.array_equal(table[first], np.arange(len(table))):
        return table.drop(columns=first), ["The first column numbers the rows and was left out."]
    return table, []


def _check_size(path, target, X, y):
    if len(y) < FEWEST_ROWS:
        raise UserError(f"{path.name} has {len(y)} rows with a {target!r}; at least {FEWEST_ROWS} are needed.")
    if X.shape[1] == 0:
        raise UserError(f"{path.name} has no column besides the target {target!r} to predict it from.")
    if y.nunique() == 1:
        raise UserError(f"Every row has the same {target!r}, {y.iloc[0]!s}: there is nothing to learn.")


def _guessed_task(target, y):
    n_values = y.nunique()
    override = "Override with --task {}."
    if not types.is_numeric_dtype(y.dtype) or types.is_bool_dtype(y.dtype):
        return "classification", f"{target!r} holds {n_values} names, so this is classification."
    if n_values <= MOST_CLASSES and np.all(np.mod(y.to_numpy(dtype=float), 1) == 0):
        guess = f"{target!r} holds {n_values} distinct whole numbers, so classification was guessed."
        return "classification", f"{guess} {override.format('regression')}"
    guess = f"{target!r} holds {n_values:,} distinct numbers, so regression was guessed."
    return "regression", f"{guess} {override.format('classification')}"


def _numbers(target, y):
    try:
        y = y.astype(float)
    except (TypeError, ValueError) as error:
        raise UserError(f"Regression needs numbers, but {target!r} holds values such as {y.iloc[0]!r}.") from error
    if not np.isfinite(y).all():
        raise UserError(f"{target!r} holds infinite values. Remove those rows first.")
    return y


def _names(y):
    """Classes as truth values, whole numbers or texts."""
    if types.is_bool_dtype(y.dtype):
        return y.astype(bool)
    if not types.is_numeric_dtype(y.dtype):
        return y.astype(str).astype(object)
    return y.astype(int) if np.all(np.mod(y.to_numpy(dtype=float), 1) == 0) else y.astype(float)


def _without_single_rows(target, X, y, notes):
    """Leave out classes of one row: they cannot be both learned and measured."""
    y = _names(y)
    counts = y.value_counts()
    single = counts.index[counts == 1]
    if len(counts) - len(single) < 2:
        raise UserError(
            f"{target!r} has {len(counts):,} classes in {len(y):,} rows, and fewer than two of them have two rows. "
            "Is it the right column, or is this regression (--task regression)?"
        )
    if len(single):
        notes.append(f"{len(single):,} rows whose {target!r} appears once were left out.")
    keep = ~y.isin(single)
    return X[keep], y[keep]


def _oddities(X):
    """Refuse what cannot be read as numbers or names; point out what is of no use."""
    dates = [name for name in X if types.is_datetime64_any_dtype(X[name]) or types.is_timedelta64_dtype(X[name])]
    if dates:
        raise UserError(
            f"Column {dates[0]!r} holds dates or durations. Leave it out with --drop {dates[0]!r}, "
            "or write what matters of it as numbers, such as the year or the days since a fixed date."
        )
    names = [name for name in X if not types.is_numeric_dtype(X[name]) and X[name].nunique() == len(X)]
    return [f"Column {name!r} is different in every row; leave it out with --drop {name!r}?" for name in names]


def _split(name, target, task, X, y, notes, test_size, seed):
    y = y.to_numpy()
    y = y.astype(str) if y.dtype == object else y
    try:
        train, test, y_train, y_test = train_test_split(
            X, y, test_size=test_size, random_state=seed, stratify=y if task == "classification" else None
        )
    except ValueError as error:
        raise UserError(f"{len(y):,} rows could not be split with --test-size {test_size}: {error}") from error
    return Problem(name, target, task, train, test, y_train, y_test, notes)
