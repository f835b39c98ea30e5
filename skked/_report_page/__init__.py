"""The report as one page: nothing is loaded from elsewhere, and nothing but a browser is needed to read it."""

from skked._report_page._page import page

__all__ = ["page"]
