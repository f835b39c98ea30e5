"""Teachers: resolve, cross-fit and calibrate; one callable ``rows -> (n, C)`` scores in the link space.

``default_teacher``
    the teacher that stands in when the user gives none.
``TeacherScores``
    one fitted estimator as a callable of calibrated scores.
``cross_fit_teacher``
    scores of rows that their teacher did not see, and the teachers that gave them.
"""

from skked._teachers._calibration import calibrate
from skked._teachers._cross_fit import CrossFit, cross_fit_teacher
from skked._teachers._default import default_teacher
from skked._teachers._scores import TeacherScores, check_scores

__all__ = ["CrossFit", "TeacherScores", "calibrate", "check_scores", "cross_fit_teacher", "default_teacher"]
