"""The report as a page of HTML that stands alone, and what it warns of."""

from skked._report_page._page import page, subject
from skked._report_page._warnings import warnings_about

__all__ = ["page", "subject", "warnings_about"]
