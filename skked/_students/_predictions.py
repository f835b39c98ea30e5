"""From scores to predictions, for students and explaining teachers."""

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin, RegressorMixin


class PredictsClasses(ClassifierMixin):
    """Classes and probabilities from scores; needs ``_score_of(X)`` and ``classes_``."""

    _task = "classification"

    def decision_function(self, X):
        """Scores of rows in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            The log-odds of ``classes_[1]`` for two classes, else log-probabilities up to a constant, centred over
            the classes.
        """
        score = self._score_of(X)
        return score[:, 0] if score.shape[1] == 1 else score

    def predict_proba(self, X):
        """Class probabilities of rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        score = self._score_of(X)
        if score.shape[1] > 1:
            likely = np.exp(score - score.max(axis=1, keepdims=True))
            return likely / likely.sum(axis=1, keepdims=True)
        probabilities = np.empty((len(score), 2))
        expit(score[:, 0], out=probabilities[:, 1])
        np.subtract(1.0, probabilities[:, 1], out=probabilities[:, 0])
        return probabilities

    def predict(self, X):
        """Most probable class of rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        score = self._score_of(X)
        return self.classes_[(score[:, 0] > 0).astype(int) if score.shape[1] == 1 else score.argmax(axis=1)]


class PredictsNumbers(RegressorMixin):
    """Predictions are the scores; needs ``_score_of(X)``."""

    _task = "regression"

    def predict(self, X):
        """Predicted target of rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions in target units.
        """
        return self._score_of(X)[:, 0]
