"""Superfeatures: groups of columns, the players of an explanation and the branches of a student."""

from skked._superfeatures.clustering import SuperfeatureClustering

__all__ = ["SuperfeatureClustering"]
