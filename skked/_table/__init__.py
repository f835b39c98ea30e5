"""Tables as people have them: a numeric array or a pandas DataFrame, and the numeric matrix a student reads.

Inside the package a table is one of two things: a two-dimensional float array (missing values are NaN), or a pandas
DataFrame with numeric, boolean, category, string or object columns. :func:`check_table` turns what users pass into
one of them; everything else here relies on that.
"""

from skked._table._canonical import CanonicalRows, canonical_rows, split_strata
from skked._table._check import as_table, check_and_read, check_table, is_numeric
from skked._table._columns import column_kinds, matrix_of
from skked._table._encoder import TableEncoder
from skked._table._partition import labels_of_groups
from skked._table._row_values import check_labels, check_weight
from skked._table._rows import assemble_rows, column_names, n_rows, stack_rows, take_rows

__all__ = [
    "CanonicalRows",
    "TableEncoder",
    "as_table",
    "assemble_rows",
    "canonical_rows",
    "check_and_read",
    "check_labels",
    "check_table",
    "check_weight",
    "column_kinds",
    "column_names",
    "is_numeric",
    "labels_of_groups",
    "matrix_of",
    "n_rows",
    "split_strata",
    "stack_rows",
    "take_rows",
]
