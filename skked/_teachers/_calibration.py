"""Calibration of a classifier's scores: a temperature, and a floor where only probabilities exist."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

# Shares of the uniform distribution that are tried for teachers that give only probabilities.
FLOORS = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
# The temperature is searched within this factor of the spread of the scores, both ways.
_TEMPERATURE_SPAN = 1e3


def calibrate(teachers, raws, targets, weights):
    """Find the temperature (and floor) that make held-out scores the best log-probabilities.

    Parameters
    ----------
    teachers : list of TeacherScores
        The teachers of the folds, all with the same response.
    raws : list of ndarray of shape (n_rows_k, n_known_k)
        ``teacher.raw`` of the rows held out from each.
    targets : list of ndarray of shape (n_rows_k,)
        The true class of those rows, as a column number 0..C-1.
    weights : list of ndarray of shape (n_rows_k,)
        Weights of those rows.

    Returns
    -------
    temperature : float
        Minimises the weighted log-loss over all held-out rows.
    floor : float
        For the response ``"log_odds"``, chosen together with the temperature; otherwise that of the teachers.

    Notes
    -----
    The loss is the cross-entropy against labels that are smoothed as in Laplace's rule of succession,
    ``(1 - s) * onehot + s / C`` with ``s = C / (n + C)`` and n the effective number of rows,
    ``sum(w)**2 / sum(w**2)``: where every held-out row is classified correctly the plain log-loss has no minimum, and
    n rows cannot warrant more than about log(n) nats.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    .. [2] J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999 (smoothed targets).
    """
    labels, weight = np.concatenate(targets), np.concatenate(weights)
    goals = _smoothed_labels(labels, weight, teachers[0].n_outputs)
    floors = FLOORS if teachers[0].response == "log_odds" else (teachers[0].floor,)
    tried = [_best_temperature(teachers, raws, goals, weight, floor) for floor in floors]
    best = int(np.argmin([loss for loss, _ in tried]))
    return tried[best][1], floors[best]


def _smoothed_labels(labels, weight, n_classes):
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    smoothing = n_classes / (n_effective + n_classes)
    return (1 - smoothing) * np.eye(n_classes)[labels] + smoothing / n_classes


def _best_temperature(teachers, raws, goals, weight, floor):
    def scores_at(temperature):
        calibrated = [teacher.calibrated(temperature, floor) for teacher in teachers]
        return np.concatenate([teacher.from_raw(raw) for teacher, raw in zip(calibrated, raws, strict=True)])

    def loss_at(log_temperature):
        log_probability = log_softmax(scores_at(np.exp(log_temperature)), axis=1)
        return -np.average((goals * log_probability).sum(axis=1), weights=weight)

    spread = np.sqrt(np.mean(scores_at(1.0) ** 2))
    if spread == 0:  # a teacher that knows nothing is calibrated at any temperature
        return loss_at(0.0), 1.0
    bounds = np.log(spread) - np.log(_TEMPERATURE_SPAN), np.log(spread) + np.log(_TEMPERATURE_SPAN)
    found = minimize_scalar(loss_at, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return found.fun, float(np.exp(found.x))
