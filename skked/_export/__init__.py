"""From a fitted student to a file: safe persistence and ONNX."""

from skked._export._onnx import export_onnx
from skked._export._skops import load, save

__all__ = ["export_onnx", "load", "save"]
