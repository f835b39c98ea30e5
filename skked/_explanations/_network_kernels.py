"""Compiled kernel of the network engine. Importing this file loads numba, so it is imported inside functions only."""

from skked._explanations._tree_kernels import compiled

__all__ = ["add_relu"]


@compiled
def add_relu(h, shift, into):
    """Write ``max(h + shift, 0)``; a row of ``shift`` serves as many rows of ``h`` as there are to each."""
    each = len(h) // len(shift)
    for k in range(len(shift)):
        common = shift[k]
        for row in range(k * each, (k + 1) * each):
            here, there = h[row], into[row]
            for i in range(len(common)):
                total = here[i] + common[i]
                there[i] = total if total > 0 else h.dtype.type(0)
