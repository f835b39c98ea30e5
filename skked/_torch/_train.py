"""One training loop for every student, and for many students at once."""

import itertools
import math
from dataclasses import dataclass, field, fields

import numpy as np
import torch

from skked._progress import steps
from skked._torch._device import one_thread, resolve_device, within_memory
from skked._torch._losses import DistillationLoss, cosine_decay

CACHED = 2**19
"""Numbers of the batches that are gathered and prepared together; fewer calls of small size, in a processor's cache."""


@dataclass(frozen=True)
class TrainingSet:
    """What a student learns from; rows first. Contributions are None where no explanation is used.

    Shape
    -----
    Z : (n, d) float32, encoded rows; hard : (n, K), labels in link space; soft : (n, K), the teacher's scores;
    phi : (n, M, K), the teacher's contributions, or None; weight : (n,), row weights;
    hard_weight : (n,), row weights of the label term, 0 where there is no label;
    phi_weight : (n,), row weights of the explanation term, 0 where there is no explanation.
    """

    Z: np.ndarray
    hard: np.ndarray
    soft: np.ndarray
    phi: np.ndarray | None
    weight: np.ndarray
    hard_weight: np.ndarray
    phi_weight: np.ndarray

    def __len__(self):
        return len(self.Z)

    def take(self, index):
        """The same for some rows."""
        return self._of_each(lambda array: array[index])

    def batches(self, index):
        """Some batches, of tensors: row numbers (n_batches, 1 or n_candidates, n_rows) lead their shapes."""
        numbers = index.reshape(-1)

        def gathered(tensor):
            return tensor.index_select(0, numbers).view(*index.shape, *tensor.shape[1:])

        return self._of_each(gathered)

    def last(self):
        """The last one of some batches."""
        return self._of_each(lambda tensor: tensor[-1])

    @property
    def numbers_per_row(self):
        """int: numbers that make a row."""
        return sum(tensor[0].numel() for tensor in vars(self).values() if tensor is not None)

    def _of_each(self, change):
        return TrainingSet(**{name: None if array is None else change(array) for name, array in vars(self).items()})

    def to_tensors(self, device):
        """The same as tensors, row weights as columns."""

        def tensor(array):
            return torch.as_tensor(np.ascontiguousarray(array, dtype=np.float32), device=device)

        phi = None if self.phi is None else tensor(self.phi)
        weights = (tensor(weight)[:, None] for weight in (self.weight, self.hard_weight, self.phi_weight))
        return TrainingSet(tensor(self.Z), tensor(self.hard), tensor(self.soft), phi, *weights)


@dataclass(frozen=True)
class Architecture:
    """Sizes of the student's branches.

    Attributes
    ----------
    inputs : list of int arrays
        Encoded columns of each branch.
    widths : list (layers) of int arrays, shape (n_branches,)
        Units of each branch in each layer, the outputs last.
    n_inputs : int
        Encoded columns.
    """

    inputs: list
    widths: list
    n_inputs: int

    def blocks(self):
        """Rows and columns of every branch's block in the layers' matrices: list of lists of (rows, slice)."""
        layers, rows = [], self.inputs
        for width in self.widths:
            stops = np.cumsum(width)
            columns = [slice(stop - size, stop) for stop, size in zip(stops, width, strict=True)]
            layers.append(list(zip(rows, columns, strict=True)))
            rows = [np.arange(block.start, block.stop) for block in columns]
        return layers

    def block_shapes(self):
        """Shapes of every branch's matrices, layer by layer."""
        return [[(len(rows), columns.stop - columns.start) for rows, columns in layer] for layer in self.blocks()]

    def shapes(self):
        """Shapes of the layers' matrices."""
        totals = [self.n_inputs, *(int(np.sum(width)) for width in self.widths)]
        return list(itertools.pairwise(totals))


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; names as in scikit-learn's ``MLPClassifier``."""

    max_iter: int
    batch_size: int
    learning_rate_init: float
    alpha: float
    n_iter_no_change: int | None = None
    tol: float = 0.0


@dataclass
class Trained:
    """Weights of one candidate, and its losses per epoch."""

    coefs: list
    intercepts: list
    loss_curve: list = field(default_factory=list)
    validation_curve: list = field(default_factory=list)


class _Parameters:
    """All weights of all candidates in one buffer, seen layer by layer."""

    def __init__(self, architecture, n_candidates, device):
        self.shapes = architecture.shapes()
        n_weights = sum((n_in + 1) * n_out for n_in, n_out in self.shapes)
        self.flat = torch.zeros(n_candidates, n_weights, device=device)
        self.coefs, self.intercepts = self.views(self.flat)

    def views(self, flat):
        """Matrices (candidates, out, in) and biases (candidates, out, 1) of every layer of a flat buffer."""
        coefs, intercepts, start = [], [], 0
        for n_in, n_out in self.shapes:
            coefs.append(flat[:, start : start + n_in * n_out].view(-1, n_out, n_in))
            start += n_in * n_out
            intercepts.append(flat[:, start : start + n_out].view(-1, n_out, 1))
            start += n_out
        return coefs, intercepts


def _initialise(parameters, architecture, seeds, initial):
    """He's uniform weights in the blocks, zero elsewhere; or the given weights."""
    trainable = torch.zeros_like(parameters.flat[:1])
    decayed = torch.zeros_like(trainable)
    trainable_coefs, trainable_biases = parameters.views(trainable)
    decayed_coefs, _ = parameters.views(decayed)
    blocks = architecture.blocks()
    for layer, branches in enumerate(blocks):
        trainable_biases[layer][:] = 1
        for rows, columns in branches:
            trainable_coefs[layer][0][columns, rows] = 1
            decayed_coefs[layer][0][columns, rows] = 1
    for candidate, seed in enumerate(seeds):
        rng = np.random.RandomState(seed)
        for layer, branches in enumerate(blocks):
            for branch, (rows, columns) in enumerate(branches):
                if initial is None:
                    n_out = columns.stop - columns.start
                    bound = np.sqrt((6.0 if layer < len(blocks) - 1 else 3.0) / max(1, len(rows)))
                    coef = rng.uniform(-bound, bound, (len(rows), n_out))
                    bias = rng.uniform(-bound, bound, n_out) if layer < len(blocks) - 1 else np.zeros(n_out)
                else:
                    coef, bias = initial[0][layer][branch], initial[1][layer][branch]
                parameters.coefs[layer][candidate][columns, rows] = torch.as_tensor(coef.T).to(parameters.flat)
                parameters.intercepts[layer][candidate, columns, 0] = torch.as_tensor(bias).to(parameters.flat)
    return trainable, decayed


class _Students:
    """Forward and backward pass of all candidates; rows of activations and contributions lie along the last axis."""

    def __init__(self, parameters, n_superfeatures, n_outputs):
        self.n_candidates = len(parameters.flat)
        self.shape = (n_superfeatures, n_outputs)
        self.coefs, self.intercepts = parameters.coefs, parameters.intercepts
        self.transposed = [coef.transpose(1, 2) for coef in self.coefs]
        self.gradient = torch.zeros_like(parameters.flat)
        self.grad_coefs, self.grad_intercepts = parameters.views(self.gradient)

    def forward(self, Z):
        """Contributions (candidates, M, K, rows) of rows (candidates, rows, d), and the hidden layers."""
        units, hidden = Z.transpose(1, 2), []
        for coef, intercept in zip(self.coefs[:-1], self.intercepts[:-1], strict=True):
            units = torch.baddbmm(intercept, coef, units).relu_()
            hidden.append(units)
        phi = torch.baddbmm(self.intercepts[-1], self.coefs[-1], units)
        return phi.view(self.n_candidates, *self.shape, -1), hidden

    def backward(self, gradient, Z, hidden):
        """Gradient of every weight, written into the flat buffer ``gradient``; the hidden layers are used up."""
        gradient = gradient.reshape(self.n_candidates, -1, Z.shape[1])
        for layer in range(len(hidden), -1, -1):
            units = hidden[layer - 1].transpose(1, 2) if layer else Z
            torch.bmm(gradient, units, out=self.grad_coefs[layer])
            torch.sum(gradient, 2, keepdim=True, out=self.grad_intercepts[layer])
            if layer:
                gradient = torch.bmm(self.transposed[layer], gradient)
                gradient.mul_(hidden[layer - 1].sign_())


class _Adam:
    """Adam with decoupled weight decay on one flat buffer; its corrections for the first steps are in the rates."""

    def __init__(self, flat, decayed, alpha, betas=(0.9, 0.99), epsilon=1e-8):
        self.flat, self.decayed, self.alpha = flat, decayed, alpha
        self.betas, self.epsilon = betas, epsilon
        self.mean, self.square, self.root = (torch.zeros_like(flat) for _ in range(3))
        self.n_steps = 0

    def step(self, gradient, learning_rate):
        self.n_steps += 1
        first, second = self.betas
        correction = math.sqrt(1 - second**self.n_steps)
        self.mean.lerp_(gradient, 1 - first)
        self.square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        torch.sqrt(self.square, out=self.root).add_(self.epsilon * correction)
        if self.alpha:
            self.flat.addcmul_(self.flat, self.decayed, value=-learning_rate * self.alpha)
        self.flat.addcdiv_(self.mean, self.root, value=-learning_rate * correction / (1 - first**self.n_steps))


@dataclass(frozen=True)
class Part:
    """Rows of the table and chimeras that a candidate sees, as numbers of rows of the two training sets."""

    real: np.ndarray
    chimeric: np.ndarray


class _Dealer:
    """Batches of one size: in an epoch every row of the table once, beside a share of the chimeras.

    All candidates see the same batches; if each has its part of the rows, they see batches of their parts, as long as
    the smallest part allows.
    """

    def __init__(self, n_real, n_chimeric, parts, batch_size, chimeras_per_row):
        self.parts = parts
        self.offset = n_real
        every = [Part(np.arange(n_real), np.arange(n_chimeric))] if parts is None else parts
        self.distinct = list({id(part): part for part in every}.values())
        n_rows = min(len(part.real) for part in self.distinct)
        n_extra = min(len(part.chimeric) for part in self.distinct)
        batch_size = min(batch_size, n_rows)
        self.n_batches = max(1, -(-n_rows // batch_size))
        self.size = -(-n_rows // self.n_batches)
        self.n_extra = int(np.ceil(batch_size * min(n_extra / n_rows, chimeras_per_row)))

    def epoch(self, rng):
        """Row numbers of every batch, (n_batches, 1 or candidates, rows)."""
        batches = {id(part): self._of(part, rng) for part in self.distinct}
        parts = self.distinct if self.parts is None else self.parts
        return np.stack([batches[id(part)] for part in parts], axis=1)

    def _of(self, part, rng):
        order = np.resize(part.real[rng.permutation(len(part.real))], self.n_batches * self.size)
        order = order.reshape(self.n_batches, self.size)
        if not self.n_extra:
            return order
        wanted, n_chimeric = self.n_batches * self.n_extra, len(part.chimeric)
        extra = np.concatenate([rng.permutation(n_chimeric) for _ in range(-(-wanted // n_chimeric))])[:wanted]
        return np.hstack([order, self.offset + part.chimeric[extra].reshape(self.n_batches, self.n_extra)])


def train(
    architecture,
    base,
    n_superfeatures,
    real,
    schedule,
    *,
    kind,
    distillation_weight,
    explanation_weight,
    temperature,
    explanation_temperature,
    seeds,
    chimeric=None,
    chimeras_per_row=5,
    validation=None,
    initial=None,
    loss=None,
    parts=None,
    device="auto",
):
    """Train candidates of one architecture on shared batches, or on batches of each candidate's part of the rows.

    Parameters
    ----------
    architecture : Architecture
        Sizes of the branches.
    base : array, shape (K,)
        The score of a row that says nothing; fixed.
    n_superfeatures : int
        M.
    real, chimeric, validation : TrainingSet
        Rows of the table; rows that every batch adds to them; rows that choose the best epoch.
    schedule : Schedule
        Epochs, batch, learning rate, weight decay.
    kind : {"softmax", "sigmoid", "identity"}
        The link.
    distillation_weight, explanation_weight, temperature, explanation_temperature : sequence of float
        λ, μ, T, τ of each candidate.
    seeds : sequence of int
        Seed of each candidate's first weights; the first one also orders the rows.
    chimeras_per_row : float
        Chimeras in a batch per row of the table, at most.
    initial : (coefs, intercepts), optional
        Weights to start from.
    loss : object, optional
        With the methods ``gradient`` and ``value`` of `DistillationLoss`, in its place; then λ, μ, T and τ are not
        read.
    parts : list of Part, one per candidate, optional
        Rows and chimeras that each candidate sees; all of them by default.
    device : str
        A torch device or "auto".

    Returns
    -------
    list of Trained
        One per candidate.

    Warns
    -----
    UserWarning
        If the GPU has not enough memory; see :func:`skked._torch._device.within_memory`.
    """
    weights = {
        "distillation_weight": distillation_weight,
        "explanation_weight": explanation_weight,
        "temperature": temperature,
        "explanation_temperature": explanation_temperature,
    }
    deal = _Dealer(len(real), 0 if chimeric is None else len(chimeric), parts, schedule.batch_size, chimeras_per_row)
    rows = stacked(real, chimeric)

    def together(some, device):
        own_loss = loss or DistillationLoss(
            kind,
            **{
                name: torch.tensor([values[i] for i in some], dtype=torch.float32, device=device)
                for name, values in weights.items()
            },
        )
        batches = _Batches(deal, some, seeds[0])
        own_seeds = [seeds[i] for i in some]
        return _train_together(
            architecture,
            base,
            n_superfeatures,
            rows,
            schedule,
            own_loss,
            own_seeds,
            batches,
            validation,
            initial,
            device,
        )

    return within_memory(together, len(seeds), resolve_device(device))


class _Batches:
    """The batches of some candidates, which are the same whoever is trained beside them."""

    def __init__(self, deal, some, seed):
        self.deal, self.some = deal, some
        self.rng = np.random.RandomState(seed)
        self.n_batches = deal.n_batches

    def epoch(self):
        """Row numbers of every batch, (n_batches, 1 or candidates, rows)."""
        index = self.deal.epoch(self.rng)
        return index if self.deal.parts is None else index[:, self.some]


def _train_together(
    architecture, base, n_superfeatures, rows, schedule, loss, seeds, batches, validation, initial, device
):
    """Train candidates side by side."""
    with one_thread(), torch.inference_mode():
        n_candidates = len(seeds)
        parameters = _Parameters(architecture, n_candidates, device)
        trainable, decayed = _initialise(parameters, architecture, seeds, initial)
        base = torch.as_tensor(np.asarray(base, dtype=np.float32), device=device)[:, None]
        rows = rows.to_tensors(device)
        held_out = None if validation is None else validation.to_tensors(device)
        students = _Students(parameters, n_superfeatures, len(base))
        masked = not bool(trainable.all())
        optimiser = _Adam(parameters.flat, decayed, schedule.alpha)
        n_steps = schedule.max_iter * batches.n_batches
        curves, best = _Curves(n_candidates), _Best(parameters.flat)
        step = 0
        for epoch in steps(range(schedule.max_iter), schedule.max_iter, stoppable=True):
            for index in _some_at_a_time(batches.epoch(), n_candidates * rows.numbers_per_row):
                some = rows.batches(torch.as_tensor(index, device=device))
                share = 1 / index.shape[-1]
                scale = trainable * share if masked else share
                rows_of_all = some.Z.expand(-1, n_candidates, -1, -1)
                for Z, *prepared in zip(rows_of_all, *loss.prepared(some, base, n_superfeatures), strict=True):
                    phi, hidden = students.forward(Z)
                    students.backward(loss.gradient(phi, base, *prepared), Z, hidden)
                    students.gradient.mul_(scale)
                    optimiser.step(students.gradient, schedule.learning_rate_init * cosine_decay(step, n_steps))
                    step += 1
            epoch_loss = loss.value(phi, base, some.last()) * share
            curves.training.append(epoch_loss.cpu().numpy())
            if not np.isfinite(curves.training[-1]).all():
                raise ValueError(
                    f"The student's loss became {curves.training[-1][0]} in epoch {epoch + 1}; expected finite ones. "
                    f"Lower learning_rate_init={schedule.learning_rate_init} or alpha={schedule.alpha}, or take "
                    "temperatures nearer to 1."
                )
            if held_out is not None:
                phi, _ = students.forward(held_out.Z.expand(n_candidates, -1, -1))
                held_out_loss = loss.value(phi, base, held_out) / held_out.weight.sum()
                curves.validation.append(held_out_loss.cpu().numpy())
                best.update(parameters.flat, held_out_loss, epoch, schedule.tol)
            if held_out is not None and schedule.n_iter_no_change is not None:
                if epoch - int(best.epoch.max()) >= schedule.n_iter_no_change:
                    break
        flat = parameters.flat if held_out is None else best.flat
        return _extract(parameters, flat, architecture, curves)


def _some_at_a_time(index, numbers_per_row):
    """Batches that are gathered and prepared together: as many as stay in the processor's cache."""
    at_once = max(1, CACHED // (index.shape[-1] * numbers_per_row))
    return (index[start : start + at_once] for start in range(0, len(index), at_once))


def stacked(above, below):
    """The rows of one training set above those of another, which may be None."""
    if below is None:
        return above
    pairs = [(getattr(above, part.name), getattr(below, part.name)) for part in fields(TrainingSet)]
    return TrainingSet(*(None if first is None else np.concatenate([first, second]) for first, second in pairs))


class _Curves:
    """Losses per epoch."""

    def __init__(self, n_candidates):
        self.n_candidates = n_candidates
        self.training, self.validation = [], []

    def of(self, candidate):
        return [float(loss[candidate]) for loss in self.training], [float(loss[candidate]) for loss in self.validation]


class _Best:
    """Weights of every candidate at the epoch with the lowest held-out loss."""

    def __init__(self, flat):
        self.flat = flat.clone()
        self.loss = torch.full((len(flat),), torch.inf, device=flat.device)
        self.epoch = torch.zeros(len(flat), dtype=torch.long, device=flat.device)

    def update(self, flat, loss, epoch, tol):
        better = loss < self.loss - tol
        self.flat = torch.where(better[:, None], flat, self.flat)
        self.loss = torch.where(better, loss, self.loss)
        self.epoch = torch.where(better, epoch, self.epoch)


def _extract(parameters, flat, architecture, curves):
    coefs, intercepts = ([array.cpu().numpy() for array in arrays] for arrays in parameters.views(flat))
    return [
        Trained(
            *branches_of(architecture, [coef[i].T for coef in coefs], [intercept[i, :, 0] for intercept in intercepts]),
            *curves.of(i),
        )
        for i in range(len(flat))
    ]


def branches_of(architecture, coefs, intercepts):
    """The weights of every branch, layer by layer, from the layers' matrices and biases as numpy arrays."""
    blocks = architecture.blocks()
    return (
        [
            [np.ascontiguousarray(coef[rows, columns]) for rows, columns in layer]
            for coef, layer in zip(coefs, blocks, strict=True)
        ],
        [[bias[columns].copy() for _, columns in layer] for bias, layer in zip(intercepts, blocks, strict=True)],
    )
