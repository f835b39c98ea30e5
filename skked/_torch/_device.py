"""Where to train, and how many threads to train with."""

import contextlib
import threading
import warnings

import torch


def resolve_device(device):
    """The torch device that a ``device`` parameter names; ``"auto"`` is the GPU if there is one, else the CPU.

    Raises
    ------
    ValueError
        If torch knows no such device or it is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()  # a number must come back, which "meta" refuses
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"device={device!r} is not available: {reason}. Use 'auto', 'cpu' or a device that torch finds."
        ) from error
    return resolved


def within_memory(run, n_candidates, device):
    """Train candidates together, or fewer at a time where the GPU has not enough memory for all.

    Parameters
    ----------
    run : callable
        Takes numbers of candidates and a device, returns a list of one result each.
    n_candidates : int
    device : torch.device

    Returns
    -------
    list
        One result per candidate.

    Warns
    -----
    UserWarning
        Once, if there was not enough memory. A candidate that does not fit alone is trained on the CPU.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If there is no smaller part of the work, and no other device.
    """
    results: list = []
    at_once, warned = n_candidates, False
    while len(results) < n_candidates:
        fits = True
        try:
            results += run(range(len(results), min(n_candidates, len(results) + at_once)), device)
        except torch.cuda.OutOfMemoryError:
            if at_once == 1 and device.type == "cpu":
                raise
            fits = False
        if fits:
            continue
        torch.cuda.empty_cache()  # out of the handler, which keeps the tensors of the failed run alive
        if at_once == 1:
            device = torch.device("cpu")
        at_once = -(-at_once // 2)
        if not warned:
            warnings.warn(
                f"The GPU has not enough memory to train {n_candidates} student(s) at once; fewer are trained "
                "at a time, and what does not fit alone on the CPU. Lower batch_size or n_jobs to avoid it.",
                stacklevel=2,
            )
        warned = True
    return results


def in_portions(run, device, most):
    """Train on whole batches, or on portions of them where the GPU has not enough memory, or else on the CPU.

    Parameters
    ----------
    run : callable
        Takes a device and a number of portions, returns the result; it is called anew, from the start.
    device : torch.device
    most : int
        Portions of a batch at most; 1 for a loss that compares the rows of a batch, which no portions give.

    Returns
    -------
    object
        What `run` returned.

    Warns
    -----
    UserWarning
        Once, if there was not enough memory.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If there is no smaller portion, and no other device.
    """
    n_portions, warned = 1, False
    while True:
        splits = 2 * n_portions <= most
        try:
            return run(device, n_portions)
        except torch.cuda.OutOfMemoryError:
            if not splits and device.type == "cpu":
                raise
        torch.cuda.empty_cache()  # out of the handler, which keeps the tensors of the failed run alive
        device, n_portions = (device, 2 * n_portions) if splits else (torch.device("cpu"), 1)
        if not warned:
            then = (
                "The student is trained on the CPU, since its loss compares all rows of a batch"
                if most == 1
                else "They are done in portions, with the same result to rounding, or on the CPU if that is no help"
            )
            warnings.warn(
                f"The GPU has not enough memory for the batches. {then}. Lower batch_size to avoid it.", stacklevel=2
            )
        warned = True


_threads = threading.Lock()
_training: list[int] = []
"""Number of threads to go back to, once for every training that runs now."""


@contextlib.contextmanager
def one_thread():
    """Train on one thread: small networks gain nothing from more, and the bits do not depend on their number.

    The setting belongs to the process, so of trainings that overlap only the first one knows what to go back to.
    """
    with _threads:
        _training.append(_training[0] if _training else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _threads:
            torch.set_num_threads(_training.pop())
