"""Group the columns of a table into superfeatures."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skked._superfeatures.communities import louvain_communities
from skked._superfeatures.linkage import LINKAGES, group_columns, size_limit, tree_from_labels
from skked._superfeatures.names import superfeature_names
from skked._superfeatures.rows import sample_rows
from skked._table import check_table
from skked._validation import Interval, StrOptions, all_or_nothing

__all__ = ["SuperfeatureClustering"]

_MIN_ROWS_TO_JUDGE = 400
_COUNTS = (2, 3, 4, 6, 8, 12)
_CLEARLY = 2.0  # standard errors
_BALANCED = 0.4  # share of the columns that interactions may put into one group, where that costs nothing
_AFFINITIES = {"auto", "spearman", "mutual_info", "interaction", "hessian", "precomputed"}


class SuperfeatureClustering(BaseEstimator):
    """Group the columns of a table into superfeatures.

    A superfeature is a group of columns that a student treats as one input, and that an explanation names as one
    reason. The affinity between columns decides what belongs together: columns that say the same (``"spearman"``,
    ``"mutual_info"``) make readable superfeatures; columns that a model combines (``"interaction"``) make accurate
    ones. By default both are tried, and held-out rows decide.

    Parameters
    ----------
    n_superfeatures : int or "auto", default="auto"
        Number of superfeatures M, 1 to n_features. There are always exactly that many.
    method : {"hierarchical", "louvain"}, default="hierarchical"
        Agglomerative clustering, cut into M groups; or communities by Louvain's method, made exactly M.
    affinity : str, callable or ndarray of shape (n_features, n_features), default="auto"
        How close two columns are; larger is closer.

        - ``"spearman"``: absolute rank correlation; correlation ratio and Cramér's V where categories take part.
        - ``"mutual_info"``: normalised mutual information of the binned columns.
        - ``"interaction"``: how much the score of the teacher is not additive in the two columns (finite differences
          between random pairs of rows, 100,000 evaluations at most). Without a teacher, of a quick gradient boosting
          fitted on `y`.
        - ``"hessian"``: for a teacher that is a ReLU classifier network, second derivatives of its log-probabilities
          in closed form: columns that bear on the same classes.
        - ``"precomputed"``: X is the affinity itself. An array given here serves the same, with X the table.
        - a function of the sampled rows (as they came) that returns such an array.
        - ``"auto"``: ``"spearman"`` or ``"interaction"``, whichever has the smaller additive gap, the first among
          equals.
    linkage : str, default="auto"
        One of scipy's methods (``"average"``, ``"complete"``, ``"single"``, ``"weighted"``, ``"ward"``,
        ``"centroid"``, ``"median"``), or ``"summed"``: merge the two groups with the largest sum of affinities over
        the square root of the product of their sizes. ``"auto"`` is ``"summed"`` for interactions, which add up, and
        ``"average"`` for all else.
    max_size : int, float or None, default=None
        Largest superfeature, in columns or as a share of the columns (1.0: no limit). ``None`` is 60 %, which only
        columns that are clearly closer to each other than to the rest may exceed; in ``affinity="auto"`` interactions
        are tried with 40 % as well.
    subsample : int, default=6000
        Number of rows to work on, chosen at random where there are more.
    n_jobs : int or None, default=None
        Number of partitions judged at the same time.
    random_state : int, RandomState instance or None, default=None
        Chooses rows. Pass an int for the same superfeatures every time.

    Attributes
    ----------
    labels_ : int ndarray of shape (n_features,)
        Superfeature of each column, 0 to M - 1 in the order of first appearance.
    n_superfeatures_ : int
        Number of superfeatures M.
    superfeatures_ : dict of str to list of str
        Columns of each superfeature, in the order of their labels, under a name that can be read.
    linkage_ : ndarray of shape (n_features - 1, 4)
        The tree, as scipy's linkage matrix (for ``scipy.cluster.hierarchy.dendrogram``). Undoing its last M - 1
        merges gives ``labels_``.
    affinity_ : ndarray of shape (n_features, n_features)
        The affinity that was used.
    affinity_name_ : str
        Its name; ``"callable"`` or ``"precomputed"`` for the user's own.
    additive_gap_ : float
        What gradient boosting loses on held-out rows when each of its trees may use the columns of one superfeature
        only: log-loss in nats, or R2. Negative where the restriction helps, nan where it was not measured. As it
        was used to choose, it is slightly optimistic.
    additive_gap_error_ : float
        Standard error of ``additive_gap_``, over the held-out rows.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X has names that are strings.

    See Also
    --------
    sklearn.cluster.FeatureAgglomeration : Clusters numeric columns by their values.

    Notes
    -----
    *The choice.* Candidates are the two affinities at M = 2, 3, 4, 6, 8, 12, from ``max(2, min(4, d / 2))`` upwards as
    long as one of the next M beats all before (a single superfeature would always be without a gap and explain
    nothing). All are judged by the additive gap on held-out rows; the candidates that are not worse than the best by
    more than two standard errors of the paired difference count as equal, and of these the fewest superfeatures win,
    then ``"spearman"``, then interactions with superfeatures of at most 40 %, then those of 60 % of the columns.

    *Cheap rule.* Below 400 rows, or without `y`, nothing is judged: the affinity is ``"spearman"``, and M is the
    square root of the number of columns, between 4 and 8 (below 8 columns, half of them).

    *Cost.* The affinities and the judge see `subsample` rows, the judge is fitted on at most 3,000 of them and
    compares at most 128 columns, those that move its score most.

    References
    ----------
    .. [1] R. Chowdhury et al., "Improving Knowledge Distillation with Teacher's Explanation" (2023).
       https://doi.org/10.48550/arXiv.2310.02572

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skked import SuperfeatureClustering
    >>> X, y = load_wine(as_frame=True, return_X_y=True)
    >>> clustering = SuperfeatureClustering(3, affinity="spearman").fit(X)
    >>> for name, columns in clustering.superfeatures_.items():
    ...     print(f"{name}: {len(columns)} columns")
    alcohol + 3 more: 4 columns
    flavanoids + 6 more: 7 columns
    alcalinity_of_ash & ash: 2 columns
    >>> clustering.superfeatures_["alcalinity_of_ash & ash"]
    ['ash', 'alcalinity_of_ash']
    """

    _parameter_constraints = {
        "n_superfeatures": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"hierarchical", "louvain"})],
        "affinity": [StrOptions(_AFFINITIES), "array-like", callable],
        "linkage": [StrOptions({"auto", *LINKAGES})],
        "max_size": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="right"), None],
        "subsample": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_superfeatures="auto",
        *,
        method="hierarchical",
        affinity="auto",
        linkage="auto",
        max_size=None,
        subsample=6_000,
        n_jobs=None,
        random_state=None,
    ):
        self.n_superfeatures = n_superfeatures
        self.method = method
        self.affinity = affinity
        self.linkage = linkage
        self.max_size = max_size
        self.subsample = subsample
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y=None, sample_weight=None, teacher=None):
        """Find the superfeatures.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Numbers, categories and texts; missing cells are welcome.
        y : array-like of shape (n_samples,), default=None
            Target. Texts and at most 30 different whole numbers are classes, unless the teacher says otherwise.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the additive gap. Rows of weight zero are left out altogether.
        teacher : fitted estimator or callable, default=None
            Model whose interactions count; a callable takes rows like X and returns scores of shape (n,) or (n, C).

        Returns
        -------
        SuperfeatureClustering
            The fitted object itself.

        Raises
        ------
        ValueError
            If there are fewer columns than superfeatures, or `max_size` leaves columns without a place.
        """
        self._validate_params()
        with all_or_nothing(self):
            self._fit(check_table(self, X, reset=True), y, sample_weight, teacher)
        return self

    def _fit(self, X, y, sample_weight, teacher):
        random_state = check_random_state(self.random_state)
        rows = sample_rows(X, y, sample_weight, teacher, n_rows=self.subsample, random_state=random_state)
        self._check_sizes(rows.n_columns)
        chosen, gap, error = self._choose(rows)
        names = superfeature_names(rows.names, chosen.labels, chosen.affinity)
        self.labels_, self.linkage_ = chosen.labels, chosen.tree
        self.affinity_, self.affinity_name_ = chosen.affinity, chosen.name
        self.n_superfeatures_ = len(names)
        self.superfeatures_ = {
            name: [rows.names[column] for column in np.flatnonzero(chosen.labels == group)]
            for group, name in enumerate(names)
        }
        self.additive_gap_, self.additive_gap_error_ = gap, error

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _check_sizes(self, n_columns):
        count, size = self.n_superfeatures, self.max_size
        if count == "auto":
            return
        check_count(count, n_columns)
        most = n_columns if size is None else _columns_of(size, n_columns)
        if most * count < n_columns:
            raise ValueError(
                f"max_size={size} allows {most} columns in each of n_superfeatures={count} superfeatures, but X has "
                f"{n_columns}. Use max_size={-(-n_columns // count)} or more, or more superfeatures."
            )

    def _choose(self, rows):
        """The partition to use, its additive gap and the standard error of the gap."""
        judge = rows.judge if len(rows.weight) >= _MIN_ROWS_TO_JUDGE else None
        affinities = self._affinities(rows, judge)
        if judge is None:
            count = _cheap_count(rows.n_columns) if self.n_superfeatures == "auto" else self.n_superfeatures
            return self._partitions(rows, affinities[:1], count)[0], np.nan, np.nan
        partitions, differences, best = [], [], np.inf
        for count in self._counts(rows.n_columns):
            more = self._partitions(rows, affinities, count)
            losses = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(judge.differences)(partition.labels) for partition in more
            )
            partitions, differences = partitions + more, differences + losses
            lowest = min(judge.mean(loss)[0] for loss in losses)
            if lowest >= best:
                break
            best = lowest
        chosen = _first_equal_to_best(judge, differences)
        return partitions[chosen], *judge.mean(differences[chosen])

    def _affinities(self, rows, judge):
        """Names, affinities and default sizes to try, the preferred first."""
        if isinstance(self.affinity, str) and self.affinity == "auto":
            spearman = ("spearman", rows.affinity("spearman"), None)
            if judge is None:
                return [spearman]
            interaction = rows.affinity("interaction")
            return [spearman, ("interaction", interaction, _BALANCED), ("interaction", interaction, None)]
        name = "callable" if callable(self.affinity) else self.affinity
        return [(name if isinstance(name, str) else "precomputed", rows.affinity(self.affinity), None)]

    def _counts(self, n_columns):
        if self.n_superfeatures != "auto":
            return [self.n_superfeatures]
        lowest = _lowest_count(n_columns)
        return [count for count in _COUNTS if lowest <= count <= n_columns] or [lowest]

    def _partitions(self, rows, affinities, count):
        """One partition per affinity, without repetition."""
        partitions = []
        for name, affinity, share in affinities:
            size = share if self.max_size is None else self.max_size
            size = None if size is None else max(_columns_of(size, rows.n_columns), -(-rows.n_columns // count))
            linkage = self.linkage
            if linkage == "auto":
                linkage = "summed" if name in ("interaction", "hessian") else "average"
            if self.method == "louvain":
                size = size_limit(rows.n_columns, count, 0.6) if size is None else size
                labels = louvain_communities(affinity, count, random_state=rows.random_state, max_size=size)
                tree = tree_from_labels(affinity, labels, linkage=linkage)
            else:
                labels, tree = group_columns(affinity, count, linkage=linkage, max_size=size)
            if not any(np.array_equal(labels, other.labels) for other in partitions):
                partitions.append(_Partition(name, affinity, labels, tree))
        return partitions


def check_count(count, n_columns, *, name="n_superfeatures"):
    """Refuse more superfeatures than columns."""
    if count > n_columns:
        raise ValueError(
            f"{name}={count} superfeatures need as many columns, but X has {n_columns}. "
            f'Ask for at most {n_columns}, or use {name}="auto".'
        )


@dataclass(frozen=True)
class _Partition:
    name: str
    affinity: np.ndarray
    labels: np.ndarray
    tree: np.ndarray


def _columns_of(size, n_columns):
    return int(size) if isinstance(size, Integral) else int(np.ceil(size * n_columns))


def _lowest_count(n_columns):
    return min(n_columns, max(2, min(4, -(-n_columns // 2))))


def _cheap_count(n_columns):
    return max(_lowest_count(n_columns), min(8, round(np.sqrt(n_columns))))


def _first_equal_to_best(judge, differences):
    """Position of the first partition whose loss is not clearly above the lowest."""
    best = min(differences, key=lambda loss: judge.mean(loss)[0])
    behind = (judge.mean(loss - best) for loss in differences)
    return next(position for position, (mean, error) in enumerate(behind) if mean <= _CLEARLY * error)
