"""Work on blocks of rows, in parallel, the same blocks whatever the number of jobs; finished ones are kept."""

from dataclasses import dataclass

from joblib import Parallel

from skked._memory import OFF, CheckedMemory
from skked._parallel import jobs_of
from skked._table import n_rows, take_rows

__all__ = ["Jobs"]


@dataclass(frozen=True)
class Jobs:
    """Who works on the blocks, and where finished ones are kept.

    Attributes
    ----------
    n_jobs : int or None
        As in joblib.
    memory : CheckedMemory
    origin : str
        Name of everything but the rows that the results depend on.
    """

    n_jobs: int | None = None
    memory: CheckedMemory = OFF
    origin: str = ""

    def over_blocks(self, function, rows, block_size, *per_row, shared=()):
        """Call a function on blocks of rows.

        Parameters
        ----------
        function : callable
            Takes what is shared, a table of rows, and the same rows of every array of `per_row`.
        rows : table of shape (n_rows, n_features)
        block_size : int
        *per_row : arrays of shape (n_rows, ...)
        shared : tuple

        Returns
        -------
        list
            What the function returned, in the order of the rows.
        """
        name = self._name(rows, *per_row, *shared)
        blocks = [slice(start, start + block_size) for start in range(0, n_rows(rows), block_size)]
        items = (
            (f"{name} {block.start}-{block.stop}", take_rows(rows, block), *(array[block] for array in per_row))
            for block in blocks
        )
        return Parallel(n_jobs=self.n_jobs)(jobs_of(_block, (self.memory, function, shared), items, self.n_jobs))

    def in_turn(self, function, rows, block_size):
        """The same for a function that has threads and limits of its own; in one block where nothing is kept."""
        if not self.memory.is_on:
            return [function(rows)]
        name = self._name(rows)
        blocks = [slice(start, start + block_size) for start in range(0, n_rows(rows), block_size)]
        return [
            self.memory.keep(f"{name} {block.start}-{block.stop}", function, take_rows(rows, block)) for block in blocks
        ]

    def once(self, function, *args):
        """Call a function."""
        return self.memory.keep(self._name(*args), function, *args)

    def _name(self, *things):
        return f"explanations {self.memory.name(self.origin, *things)}" if self.memory.is_on else ""


def _block(memory, function, shared, name, *block):
    return memory.keep(name, function, *shared, *block)
