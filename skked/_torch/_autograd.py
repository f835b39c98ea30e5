"""The training loop for losses whose gradient nobody has written out: automatic differentiation does it."""

import contextlib
import itertools

import numpy as np
import torch

from skked._progress import steps
from skked._torch._device import one_thread
from skked._torch._losses import cosine_decay


@contextlib.contextmanager
def seeded(seed):
    """Modules made inside get their first weights from a seed; the global generator is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def portions_of(n_rows, n_portions):
    """Slices that share the rows out as evenly as can be, none of them empty."""
    stops = np.linspace(0, n_rows, min(n_portions, n_rows) + 1).astype(int)
    return [slice(start, stop) for start, stop in itertools.pairwise(stops)]


def held_out_mean(losses_of, weight, n_portions):
    """Weighted mean of the losses of rows, of which `losses_of` gives those of a slice, times their weights."""
    return float(sum(losses_of(some).detach().sum() for some in portions_of(len(weight), n_portions)) / weight.sum())


def fit_by_autograd(parameters, loss_of, n_rows, schedule, *, seed, held_out_loss=None, n_portions=1):
    """Minimise a loss over mini-batches; optimiser, schedule and best epoch are those of every other student.

    Parameters
    ----------
    parameters : list of torch.nn.Parameter
        Trained in place. Those with two or more axes are weights and decay; vectors are biases and do not.
    loss_of : callable
        Row numbers, a tensor of integers, to the mean loss of these rows, a tensor of no axes.
    n_rows : int
        Rows of an epoch.
    schedule : Schedule
        Epochs, batch, learning rate, weight decay, patience.
    seed : int
        Seed of the order of the rows.
    held_out_loss : callable, optional
        The loss of held-out rows as a float, asked after each epoch; the parameters of the best epoch are kept.
    n_portions : int, default=1
        Portions of a batch whose gradients are added up, for want of memory.

    Returns
    -------
    loss_curve, validation_curve : lists of float
        Mean loss over the batches of each epoch; held-out loss after it.

    Raises
    ------
    ValueError
        If the loss stops being finite.
    """
    device = parameters[0].device
    groups = [
        {"params": [value for value in parameters if value.ndim > 1], "weight_decay": schedule.alpha},
        {"params": [value for value in parameters if value.ndim <= 1], "weight_decay": 0.0},
    ]
    batch_size = min(schedule.batch_size, n_rows)
    n_batches = max(1, -(-n_rows // batch_size))
    rng = np.random.RandomState(seed)
    loss_curve, validation_curve, best = [], [], None
    with one_thread():
        optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate_init, betas=(0.9, 0.99))
        step, n_steps = 0, schedule.max_iter * n_batches
        for epoch in steps(range(schedule.max_iter), schedule.max_iter, stoppable=True):
            losses = []
            for rows in np.array_split(rng.permutation(n_rows), n_batches):
                rate = schedule.learning_rate_init * cosine_decay(step, n_steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.zero_grad(set_to_none=True)
                losses.append(_descend(loss_of, torch.as_tensor(rows, device=device), n_portions))
                optimiser.step()
                step += 1
            loss_curve.append(float(np.mean(losses)))
            if not np.isfinite(loss_curve[-1]):
                raise ValueError(
                    f"The student's loss became {loss_curve[-1]} in epoch {epoch + 1}; expected finite ones. "
                    f"Lower learning_rate_init={schedule.learning_rate_init} or alpha={schedule.alpha}, or take "
                    "temperatures nearer to 1."
                )
            if held_out_loss is None:
                continue
            validation_curve.append(held_out_loss())
            if best is None or validation_curve[-1] < best[0] - schedule.tol:
                best = (validation_curve[-1], epoch, [value.detach().clone() for value in parameters])
            if schedule.n_iter_no_change is not None and epoch - best[1] >= schedule.n_iter_no_change:
                break
        if best is not None:
            with torch.no_grad():
                for value, kept in zip(parameters, best[2], strict=True):
                    value.copy_(kept)
    return loss_curve, validation_curve


def _descend(loss_of, rows, n_portions):
    """Add the gradient of a batch's mean loss to the parameters' gradients, portion by portion; the loss."""
    mean = 0.0
    for some in portions_of(len(rows), n_portions):
        loss = loss_of(rows[some]) * ((some.stop - some.start) / len(rows))
        loss.backward()
        mean += float(loss.detach())
    return mean
