"""XDistillation: an autoencoder of the teacher's explanations, and students that learn its code."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from skked._torch._autograd import fit_by_autograd, held_out_mean, portions_of, seeded
from skked._torch._device import in_portions, resolve_device
from skked._torch._module import StudentModule, taught_loss
from skked._torch._train import Architecture


@dataclass(frozen=True)
class Decoder:
    """The decoder's weights as numpy arrays, and the codes of the explanations it was trained on.

    Attributes
    ----------
    coefs, intercepts : lists of float32 arrays
        Layers from a code, (n_code,), to an explanation in units of :attr:`scale`, ReLU between them.
    scale : float
        Root mean square of the explanations.
    codes : list of float32 arrays, shape (n, n_code)
        One per set of rows.
    loss_curve : list of float
        Mean squared error per epoch, as a share of the explanations' mean square.
    """

    coefs: list
    intercepts: list
    scale: float
    codes: list
    loss_curve: list


@dataclass(frozen=True)
class CodedArchitecture:
    """Sizes of a student that reads a code, and of the network that says it.

    Attributes
    ----------
    student, explainer : Architecture
    """

    student: Architecture
    explainer: Architecture

    @property
    def inputs(self):
        """list of int arrays: columns that the student reads, those of the code last."""
        return self.student.inputs


def encoder_of(n_values, n_hidden, n_code, image_shape=None, n_channels=1):
    """The half of the autoencoder that is needed in training only: dense, or convolutional for heat maps.

    Parameters
    ----------
    n_values : int
        Numbers of an explanation, pixel by pixel and in a pixel channel by channel.
    n_hidden, n_code : int
        Units of the dense encoder's hidden layer; numbers of the code.
    image_shape : (int, int), optional
        Height and width of the heat maps.
    n_channels : int
        Heat maps of an explanation.

    Returns
    -------
    torch.nn.Sequential
        From (n, n_values) to (n, n_code).
    """
    if image_shape is None:
        return torch.nn.Sequential(
            torch.nn.Linear(n_values, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, n_code)
        )
    height, width = (math.ceil(math.ceil(side / 2) / 2) for side in image_shape)
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (*image_shape, n_channels)),
        _ChannelsFirst(),
        torch.nn.Conv2d(n_channels, 8, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * height * width, n_code),
    )


class _ChannelsFirst(torch.nn.Module):
    def forward(self, maps):
        return maps.permute(0, 3, 1, 2)


def train_autoencoder(explanations, weight, others, schedule, *, n_hidden, n_code, image, seed, device="auto"):
    """Compress explanations to a code from which they can be read again.

    Parameters
    ----------
    explanations : array, shape (n, n_values)
    weight : array, shape (n,)
        Weights of the rows; those without an explanation have none.
    others : list of arrays, shape (n_other, n_values)
        More explanations to encode, not trained on.
    schedule : Schedule
    n_hidden, n_code : int
        Units of the hidden layers of a dense encoder and of the decoder; numbers of the code.
    image : (image_shape, n_channels)
        As in :func:`encoder_of`.
    seed : int
    device : str
        A torch device or "auto".

    Returns
    -------
    Decoder

    Warns
    -----
    UserWarning
        If the GPU has not enough memory; see :func:`skked._torch._device.in_portions`.
    """
    square = np.average((explanations**2).mean(axis=1), weights=weight) if weight.any() else 0.0
    scale = float(np.sqrt(square)) or 1.0

    def run(device, n_portions):
        values = [torch.as_tensor(np.float32(each / scale), device=device) for each in (explanations, *others)]
        share = torch.as_tensor(np.float32(weight / max(weight.mean(), 1e-12)), device=device)
        with seeded(seed):
            encoder = encoder_of(explanations.shape[1], n_hidden, n_code, *image)
            decoder = torch.nn.Sequential(
                torch.nn.Linear(n_code, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, explanations.shape[1])
            )
        encoder, decoder = encoder.to(device), decoder.to(device)

        def loss_of(index):
            batch = values[0][index]
            return (share[index] * ((decoder(encoder(batch)) - batch) ** 2).mean(1)).mean()

        curve, _ = fit_by_autograd(
            [*encoder.parameters(), *decoder.parameters()],
            loss_of,
            len(values[0]),
            schedule,
            seed=seed,
            n_portions=n_portions,
        )
        with torch.no_grad():
            codes = [
                np.concatenate([encoder(each[some]).cpu().numpy() for some in portions_of(len(each), n_portions)])
                for each in values
            ]
        return codes, [[array.detach().cpu().numpy() for array in arrays] for arrays in _layers(decoder)], curve

    codes, (coefs, intercepts), curve = in_portions(run, resolve_device(device), most=schedule.batch_size)
    explained = codes[0][weight > 0]
    spread = float(explained.std(axis=0).mean() if len(explained) else 0) or 1.0
    # One scale for the whole code: a number that varies little for the autoencoder weighs little for the student.
    return Decoder([coefs[0] * spread, coefs[1]], intercepts, scale, [code / spread for code in codes], curve)


def _layers(sequential):
    linear = [layer for layer in sequential if isinstance(layer, torch.nn.Linear)]
    return [layer.weight.T for layer in linear], [layer.bias for layer in linear]


def code_gap(code, taught):
    """Mean squared error of codes per row, shape (n,)."""
    return ((code - taught) ** 2).mean(-1)


class CodedStudent(torch.nn.Module):
    """A dense student that says the code of an explanation, beside its score or before it.

    Parameters
    ----------
    architecture : Architecture or CodedArchitecture
        Of the student, whose hidden layer says the code; or of one that reads the code next to the row, and of the
        network that says it.
    base : array, shape (K,)
    n_code : int
    seed : int
    device : torch.device

    Shape
    -----
    Z : (n, n_encoded); returns the score, (n, K), and the code, (n, n_code).
    """

    def __init__(self, architecture, base, n_code, *, seed, device):
        super().__init__()
        self.explainer, self.head = None, None
        if isinstance(architecture, CodedArchitecture):
            self.student = StudentModule(architecture.student, base, 1, seed=seed, device=device)
            self.explainer = StudentModule(architecture.explainer, np.zeros(n_code), 1, seed=seed + 1, device=device)
            return
        self.student = StudentModule(architecture, base, 1, seed=seed, device=device)
        with seeded(seed):
            self.head = torch.nn.Linear(int(architecture.widths[-2].sum()), n_code).to(device)

    def forward(self, Z):
        if self.explainer is not None:
            code = self.explainer.score(self.explainer(Z))
            return self.student.score(self.student(torch.cat([Z, code], dim=1))), code
        hidden = self.student.hidden(Z)
        return self.student.score(self.student.heads(hidden)), self.head(hidden)


class XDistillationLoss:
    """``(1−λ)·CE(y, z) + λ·[(1−μ)T²·KL(z_t/T ‖ z/T) + μ·mean((ĉ − c)²)]`` per row, ĉ the student's code, c the taught.

    Parameters
    ----------
    kind : {"softmax", "sigmoid"}
        The link.
    distillation_weight, explanation_weight, temperature : float
        λ, μ and T.
    """

    def __init__(self, kind, *, distillation_weight, explanation_weight, temperature):
        self.settings = {
            "kind": kind,
            "distillation_weight": distillation_weight,
            "explanation_weight": explanation_weight,
            "temperature": temperature,
        }
        self.code_weight = distillation_weight * explanation_weight

    def __call__(self, module, batch, taught):
        """Loss of every row, row weights included, shape (n,)."""
        score, code = module(batch.Z)
        gap = batch.phi_weight[:, 0] * code_gap(code, taught)
        return taught_loss(score, batch, **self.settings) + self.code_weight * gap


def train_coded(
    architecture, base, rows, codes, schedule, loss, *, seed, validation=None, validation_codes=None, device="auto"
):
    """Train a student on labels, soft targets and codes.

    Parameters
    ----------
    architecture, base
        As in :class:`CodedStudent`.
    rows, validation : TrainingSet
        Rows of an epoch; rows that choose the best epoch, or None.
    codes, validation_codes : arrays, shape (n, n_code)
        What they are taught.
    schedule : Schedule
    loss : XDistillationLoss
    seed : int
    device : str
        A torch device or "auto".

    Returns
    -------
    student : Trained
    explainer : Trained or None
    head : (coef, intercept) or None
        From the student's hidden layer to the code.

    Warns
    -----
    UserWarning
        If the GPU has not enough memory; see :func:`skked._torch._device.in_portions`.
    """

    def run(device, n_portions):
        module = CodedStudent(architecture, base, codes.shape[1], seed=seed, device=device)
        learnt, taught = rows.to_tensors(device), torch.as_tensor(codes, device=device)
        held_out = held_out_codes = None
        if validation is not None:
            held_out, held_out_codes = validation.to_tensors(device), torch.as_tensor(validation_codes, device=device)

        def held_out_loss():
            return held_out_mean(
                lambda some: loss(module, held_out.take(some), held_out_codes[some]), held_out.weight, n_portions
            )

        curves = fit_by_autograd(
            list(module.parameters()),
            lambda index: loss(module, learnt.take(index), taught[index]).mean(),
            len(learnt),
            schedule,
            seed=seed,
            held_out_loss=None if held_out is None else held_out_loss,
            n_portions=n_portions,
        )
        head = None if module.head is None else [array[0].detach().cpu().numpy() for array in _layers([module.head])]
        explainer = None if module.explainer is None else module.explainer.trained(([], []))
        return module.student.trained(curves), explainer, head

    return in_portions(run, resolve_device(device), most=schedule.batch_size)


def reading(columns, hidden, n_outputs, n_inputs):
    """The architecture of a dense network that reads some of its inputs."""
    return Architecture([columns], [np.array([size]) for size in (*hidden, n_outputs)], n_inputs)
