"""Students of images on a task whose answer is known: the evidence is where it was planted."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skked import KEDImageClassifier, explanation_agreement_score

pytestmark = pytest.mark.long

PATTERNS = np.array(
    [
        [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]],
    ]
)


def _planted(n, rng):
    """Noise with one pattern in one quadrant; the pattern is the class, the quadrant is chance."""
    images = 0.3 * rng.normal(size=(n, 16, 16))
    y, quadrant = rng.randint(3, size=n), rng.randint(4, size=n)
    top, left = (8 * half + rng.randint(1, 5, size=n) for half in (quadrant // 2, quadrant % 2))
    for image, label, row, column in zip(images, y, top, left, strict=True):
        image[row : row + 3, column : column + 3] += 2 * PATTERNS[label]
    return images, y, quadrant


@pytest.fixture(scope="module")
def models():
    images, y, _ = _planted(1500, np.random.RandomState(0))
    teacher = KEDImageClassifier(distillation_weight=0, max_parameters=16_000, max_iter=25, random_state=1)
    frozen = FrozenEstimator(teacher.fit(images, y))
    common = {"max_parameters": 2500, "random_state": 0}
    return {
        "teacher": teacher,
        "KED": KEDImageClassifier(frozen, **common).fit(images, y),
        "KD": KEDImageClassifier(frozen, explanation_weight=0.0, **common).fit(images, y),
    }


@pytest.mark.parametrize("name", ["teacher", "KED"])
def test_heat_maps_point_at_the_pattern(models, name):
    images, y, quadrant = _planted(1000, np.random.RandomState(1))
    model = models[name]
    right = model.predict(images) == y
    assert right.mean() > 0.9
    heat = model.contribution_maps(images).sum(axis=1)[np.arange(1000), ..., y]
    quarters = heat.reshape(1000, 2, 2, 2, 2).sum(axis=(2, 4)).reshape(1000, 4)
    assert np.mean(quarters.argmax(axis=1)[right] == quadrant[right]) > 0.9


def test_a_student_of_explanations_explains_as_its_teacher_does(models):
    images, _, _ = _planted(1000, np.random.RandomState(2))
    wanted = models["teacher"].contributions(images)
    ked, kd = (explanation_agreement_score(wanted, models[name].contributions(images)) for name in ("KED", "KD"))
    assert ked > 0.8 and ked > kd + 0.2
