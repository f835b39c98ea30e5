"""Superfeatures: groups of columns, the players of an explanation and the branches of a student."""

from skked._superfeatures.clustering import SuperfeatureClustering
from skked._superfeatures.resolve import given_superfeatures, resolve_superfeatures

__all__ = ["SuperfeatureClustering", "given_superfeatures", "resolve_superfeatures"]
