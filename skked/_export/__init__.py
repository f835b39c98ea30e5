"""From a fitted student to a file: safe persistence, ONNX and plain Python."""

from skked._export._numpy import export_numpy
from skked._export._onnx import export_onnx
from skked._export._skl2onnx import register_onnx_converters
from skked._export._skops import load, save

__all__ = ["export_numpy", "export_onnx", "load", "register_onnx_converters", "save"]
