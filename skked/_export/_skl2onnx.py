"""Students as steps of the Pipelines that skl2onnx converts."""

import skked
from skked._export._graph import LABEL_OPSET, OPSET, StudentGraph, output_shapes, output_types
from skked._students._base import DistilledStudent
from skked._validation import optional_import

_VERSION_OF = {"": OPSET, "ai.onnx.ml": LABEL_OPSET}


def register_onnx_converters():
    """Tell skl2onnx how to convert students, so that ``skl2onnx.to_onnx(pipeline, X)`` works.

    :func:`export_onnx` does so by itself. A student has the outputs that :func:`export_onnx` describes.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import skked
    >>> skked.register_onnx_converters()
    """
    skl2onnx = optional_import("skl2onnx", extra="onnx", purpose="Converting Pipelines to ONNX")
    for name in skked.__all__:
        member = getattr(skked, name)
        if isinstance(member, type) and issubclass(member, DistilledStudent):
            skl2onnx.update_registered_converter(member, f"Skked{name}", _shapes_are_known, _convert, parser=_parse)


def _parse(scope, student, inputs, custom_parsers=None):
    """Declare the student's step with its outputs."""
    from skl2onnx import get_model_alias
    from skl2onnx.common import data_types

    if len(student.encoder_.category_columns_):
        raise ValueError(
            f"{type(student).__name__} reads columns of texts, which skl2onnx cannot pass on within a Pipeline. "
            "Encode them in an earlier step, or export the student alone with skked.export_onnx."
        )
    kinds = {
        "float": data_types.FloatTensorType,
        "int64": data_types.Int64TensorType,
        "string": data_types.StringTensorType,
    }
    operator = scope.declare_local_operator(get_model_alias(type(student)), student)
    operator.inputs.extend(inputs)
    types = output_types(student)
    for name, shape in output_shapes(student).items():
        operator.outputs.append(scope.declare_local_variable(name, kinds[types[name]](shape)))
    return operator.outputs


def _shapes_are_known(operator):
    """The parser said them."""


def _convert(scope, operator, container):
    """Copy the nodes and constants of the student into the Pipeline's graph."""
    from onnx.helper import get_attribute_value

    graph = StudentGraph(operator.raw_operator, prefix=scope.get_unique_operator_name("skked"))
    columns = [variable.full_name for variable in operator.inputs]
    numbers = columns[0] if len(columns) == 1 else graph.add("Concat", *columns, axis=1)
    outputs = [variable.full_name for variable in operator.outputs]
    graph.answer(graph.encode(numbers, []), outputs)
    container.initializers.extend(graph.constants)
    for node in graph.nodes:
        attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
        container.add_node(
            node.op_type,
            list(node.input),
            list(node.output),
            op_domain=node.domain,
            op_version=_VERSION_OF[node.domain],
            name=node.name,
            **attributes,
        )
