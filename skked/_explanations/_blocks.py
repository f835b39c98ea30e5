"""Work on blocks of rows, in parallel, the same blocks whatever the number of jobs."""

from joblib import Parallel, delayed

from skked._table import n_rows, take_rows

__all__ = ["over_row_blocks"]


def over_row_blocks(function, rows, block_size, n_jobs, *per_row):
    """Call a function on blocks of rows.

    Parameters
    ----------
    function : callable
        Takes a table of rows, and the same rows of every array of `per_row`.
    rows : table of shape (n_rows, n_features)
    block_size : int
    n_jobs : int or None
        As in joblib.
    *per_row : arrays of shape (n_rows, ...)

    Returns
    -------
    list
        What the function returned, in the order of the rows.
    """
    blocks = [slice(start, start + block_size) for start in range(0, n_rows(rows), block_size)]
    return Parallel(n_jobs=n_jobs)(
        delayed(function)(take_rows(rows, block), *(array[block] for array in per_row)) for block in blocks
    )
