"""Knowledge explaining distillation: the teacher's predictions and its explanations."""

from numbers import Real

from skked._students._base import StudentClassifier, StudentRegressor
from skked._students._explaining import ExplainingStudent
from skked._validation import Interval, StrOptions


class KEDClassifier(ExplainingStudent, StudentClassifier):
    """Distil a classifier into a tiny network that explains itself by superfeatures."""

    def __init__(
        self,
        teacher=None,
        *,
        superfeatures="auto",
        explainer="shapley",
        distillation_weight=0.7,
        explanation_weight=0.5,
        temperature=1.0,
        explanation_temperature=1.0,
        n_explanations="auto",
        chimeric="auto",
        swap=0.3,
        within_class=False,
        cv=5,
        max_parameters=2000,
        network="additive",
        hidden_layer_sizes=None,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.0001,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=0.0,
        warm_start=False,
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.superfeatures = superfeatures
        self.explainer = explainer
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.temperature = temperature
        self.explanation_temperature = explanation_temperature
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.within_class = within_class
        self.cv = cv
        self.max_parameters = max_parameters
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    _parameter_constraints: dict = {
        **ExplainingStudent._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "explanation_temperature": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }


class KEDRegressor(ExplainingStudent, StudentRegressor):
    """Distil a regressor into a tiny network that explains itself by superfeatures."""

    def __init__(
        self,
        teacher=None,
        *,
        superfeatures="auto",
        explainer="shapley",
        distillation_weight=0.7,
        explanation_weight=0.5,
        n_explanations="auto",
        chimeric="auto",
        swap=0.3,
        cv=5,
        max_parameters=2000,
        network="additive",
        hidden_layer_sizes=None,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.0001,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=0.0,
        warm_start=False,
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.superfeatures = superfeatures
        self.explainer = explainer
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.cv = cv
        self.max_parameters = max_parameters
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
