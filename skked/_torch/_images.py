"""Convolutional students: their forward pass in torch, their loss, and their training."""

from dataclasses import dataclass

import numpy as np
import torch

from skked._torch._autograd import fit_by_autograd
from skked._torch._device import in_portions, resolve_device
from skked._torch._hints import attention_hint, fitnet_hint, similarity_hint
from skked._torch._losses import divergence, link

HINTS = {"fitnet": fitnet_hint, "attention": attention_hint, "similarity": similarity_hint}


@dataclass(frozen=True)
class ImageLesson:
    """What a convolutional student learns from; rows first. None where nothing of the kind is used.

    Shape
    -----
    images : (n, height, width, channels), standardised; hard : (n, K), labels in link space; weight : (n,);
    soft : (n, K), the teacher's scores; phi : (n, M, K), its contributions; features : (n, M, teacher's maps,
    positions), the last maps of its branches.
    """

    images: np.ndarray
    hard: np.ndarray
    weight: np.ndarray
    soft: np.ndarray | None = None
    phi: np.ndarray | None = None
    features: np.ndarray | None = None


@dataclass(frozen=True)
class ImageLoss:
    """``(1−λ)·CE + λ(1−μ)T²·KL(total) + Σ_i [λμ(1−ρ)τ²·KL_i + λμρ·Hint_i]/M`` per row.

    Without explanations (μ = 0), and with a hint, it is ``(1−λ)·CE + λ(1−ρ)T²·KL(total) + λρ·Σ_i Hint_i/M``.

    Parameters
    ----------
    kind : {"softmax", "sigmoid"}
        The link.
    distillation_weight, explanation_weight, hint_weight, temperature, explanation_temperature : float
        λ, μ, ρ, T, τ.
    hint : str or None
    """

    kind: str
    distillation_weight: float
    explanation_weight: float
    hint_weight: float
    temperature: float
    explanation_temperature: float
    hint: str | None

    @property
    def weights(self):
        """Weights of the labels, the soft targets, the explanations and the hint."""
        taught, explained = self.distillation_weight, self.explanation_weight
        hinted = self.hint_weight if self.hint is not None else 0.0
        if explained == 0:
            return 1 - taught, taught * (1 - hinted), 0.0, taught * hinted
        return 1 - taught, taught * (1 - explained), taught * explained * (1 - hinted), taught * explained * hinted

    @property
    def compares_rows(self):
        """bool: whether the loss of a row depends on the other rows of its batch."""
        return self.hint == "similarity" and self.weights[3] > 0

    def __call__(self, phi, features, base, lesson, projection=None):
        """Loss of every row.

        Shape
        -----
        phi : (n, M, K); features : (n, M, maps, positions); base : (K,); lesson : ImageLesson of tensors;
        projection : as in :func:`fitnet_hint`; returns (n,).
        """
        hard, soft, explained, hinted = self.weights
        score = base + phi.sum(1)
        loss = hard * divergence(score, lesson.hard, self.kind)
        if soft:
            target = link(lesson.soft / self.temperature, self.kind)
            loss = loss + soft * self.temperature**2 * divergence(score / self.temperature, target, self.kind)
        if explained:
            tau = self.explanation_temperature
            target = link((base + lesson.phi) / tau, self.kind)
            loss = loss + explained * tau**2 * divergence((base + phi) / tau, target, self.kind).mean(1)
        if hinted:
            more = () if projection is None else (projection,)
            loss = loss + hinted * HINTS[self.hint](features, lesson.features, *more).mean(1)
        return loss


class ImageModule:
    """The forward pass of :class:`skked._image_forward.ImageNetwork` in torch, on standardised pixels."""

    def __init__(self, layout, weights, device):
        self.layout = layout
        self.weights = {name: _tensor(value, device).requires_grad_() for name, value in weights.items()}

    def __call__(self, images):
        """Contributions (n, M, K) and last maps (n, M, maps, positions) of images (n, channels, height, width)."""
        layout, weights = self.layout, self.weights
        padding = [side // 2 for side in layout.kernel]
        first, second, last = layout.strides
        convolve, relu = torch.nn.functional.conv2d, torch.nn.functional.relu
        maps = relu(convolve(images, _filters(weights["first"]), weights["first_bias"], first, padding))
        maps = relu(convolve(maps, _filters(weights["second"]), weights["second_bias"], second, padding))
        maps = relu(convolve(maps, weights["mix"].T[:, :, None, None], weights["mix_bias"]))
        branch = torch.cat([_filters(kernel) for kernel in weights["branch"]])
        maps = relu(convolve(maps, branch, weights["branch_bias"], last, padding, groups=layout.n_superfeatures))
        features = maps.reshape(len(images), layout.n_superfeatures, layout.branch_width, -1)
        head = weights["head"].flatten(1, 2)  # (M, positions, maps, K)
        phi = torch.einsum("nmfp,mpfk->nmk", features, head)
        return phi + weights["head_bias"].view(layout.n_superfeatures, -1), features


def first_weights(layout, seed):
    """He's uniform weights; biases are zero.

    Parameters
    ----------
    layout : ImageLayout
    seed : int

    Returns
    -------
    dict of str to float32 arrays
    """
    rng = np.random.RandomState(seed)
    weights = {}
    for name, shape in layout.shapes().items():
        fan_in = np.prod(shape[1:-1] if name in ("branch", "head") else shape[:-1])
        bound = 0.0 if name.endswith("bias") else np.sqrt((3.0 if name == "head" else 6.0) / fan_in)
        weights[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return weights


def train_images(layout, base, lesson, loss, schedule, *, seed, device="auto"):
    """Train a convolutional student.

    Parameters
    ----------
    layout : ImageLayout
    base : array, shape (K,)
        Score of a row that says nothing; fixed.
    lesson : ImageLesson
        Of arrays.
    loss : ImageLoss
    schedule : Schedule
        Epochs, batch, learning rate, weight decay.
    seed : int
        Seed of the first weights and of the order of the rows.
    device : str
        A torch device or "auto".

    Returns
    -------
    weights : dict of str to float32 arrays
    loss_curve : list of float

    Warns
    -----
    UserWarning
        If the GPU has not enough memory; see :func:`skked._torch._device.in_portions`.
    """

    def run(device, n_portions):
        module = ImageModule(layout, first_weights(layout, seed), device)
        parameters = list(module.weights.values())
        rows = ImageLesson(*(None if part is None else _tensor(part, device) for part in vars(lesson).values()))
        images, base_score = rows.images.permute(0, 3, 1, 2), _tensor(base, device)
        projection = None
        if loss.hint == "fitnet":
            projection = _first_projection(layout, lesson.features.shape[2], seed, device)
            parameters.append(projection)

        def mean_loss(index):
            phi, features = module(images[index])
            batch = ImageLesson(*(None if part is None else part[index] for part in vars(rows).values()))
            return (batch.weight * loss(phi, features, base_score, batch, projection)).mean()

        loss_curve, _ = fit_by_autograd(parameters, mean_loss, len(images), schedule, seed=seed, n_portions=n_portions)
        return {name: value.detach().cpu().numpy() for name, value in module.weights.items()}, loss_curve

    most = 1 if loss.compares_rows else schedule.batch_size
    return in_portions(run, resolve_device(device), most)


def _first_projection(layout, n_maps, seed, device):
    """From the student's maps of each branch to the teacher's; only training needs it."""
    shape = (layout.n_superfeatures, layout.branch_width, n_maps)
    bound = np.sqrt(3.0 / layout.branch_width)
    return _tensor(np.random.RandomState(seed).uniform(-bound, bound, shape), device).requires_grad_()


def _filters(kernel):
    """Filters with the axes height, width, inputs, outputs as torch has them."""
    return kernel.permute(3, 2, 0, 1)


def _tensor(array, device):
    return torch.as_tensor(np.ascontiguousarray(array, dtype=np.float32), device=device)
