"""What every estimator offers whose score is a base plus one contribution per superfeature."""

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skked._table import check_table, column_names

SHOWN_COLUMNS = 2
"""Columns of a superfeature whose values a plot's label says."""


class ExplainsItself(TransformerMixin):
    """Explanations in words and as columns, from ``contributions(X)``.

    Needs the fitted attributes ``explanation_base_``, ``superfeature_labels_``, ``superfeature_names_``, ``encoder_``
    and, for three or more classes, ``classes_``.
    """

    def transform(self, X):
        """Contributions as columns of a table, for models that come after this one.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_superfeatures) or (n_samples, n_superfeatures * n_classes)
            :meth:`contributions`, the classes of a superfeature side by side.
        """
        phi = self.contributions(X)
        return phi.reshape(len(phi), -1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of :meth:`transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored; there for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str
            Names of the superfeatures, followed by the class where there are three or more.
        """
        check_is_fitted(self)
        names = self.superfeature_names_
        if np.ndim(self.explanation_base_):
            names = [f"{name}, {label}" for name in names for label in self.classes_]
        return np.asarray(names, dtype=object)

    def explain(self, X):
        """The same contributions as a :class:`shap.Explanation`, ready for every plot of shap.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        shap.Explanation
            ``values`` as in :meth:`contributions`; ``base_values``; ``data``, the value of the column for a numeric
            superfeature of one column, else the mean of its encoded columns; ``display_data``, the values of its
            first columns in words; ``feature_names``, the names of the superfeatures; ``output_names`` for three or
            more classes.
        """
        values = self.contributions(X)
        import shap

        table = check_table(self, X, reset=False)
        base = np.broadcast_to(np.squeeze(self.explanation_base_), (len(values), *values.shape[2:]))
        data, words = self._superfeature_values(table)
        return shap.Explanation(
            values=values,
            base_values=np.array(base),
            data=data,
            display_data=words,
            feature_names=list(self.superfeature_names_),
            output_names=[str(label) for label in self.classes_] if values.ndim == 3 else None,
        )

    def _superfeature_values(self, table):
        """One number per row and superfeature, for colours, and the values of its columns in words."""
        Z = self.encoder_.transform(table)
        encoded = self.superfeature_labels_[self.encoder_.columns_]
        names = column_names(table)
        frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table, columns=names)
        data = np.empty((len(Z), len(self.superfeature_names_)))
        words = np.empty(data.shape, dtype=object)
        for group in range(data.shape[1]):
            members = np.flatnonzero(self.superfeature_labels_ == group)
            columns = frame.iloc[:, members]
            if len(members) == 1 and pd.api.types.is_numeric_dtype(columns.dtypes.iloc[0]):
                data[:, group] = words[:, group] = columns.iloc[:, 0].to_numpy(dtype=float, na_value=np.nan)
                continue
            data[:, group] = Z[:, encoded == group].mean(axis=1)
            shown = columns.iloc[:, :SHOWN_COLUMNS]
            rest = ", …" if columns.shape[1] > SHOWN_COLUMNS else ""
            words[:, group] = [
                ", ".join(f"{name}={_short(value)}" for name, value in zip(shown.columns, row, strict=True)) + rest
                for row in shown.itertuples(index=False, name=None)
            ]
        return data, words


def _short(value):
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
