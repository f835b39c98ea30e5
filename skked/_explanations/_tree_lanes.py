"""Vector instructions for the kernels: a few numbers that lie side by side are added at once.

numba compiles a loop over eight numbers as eight additions, or checks first whether the arrays overlap, which takes
longer than the additions. Importing this file loads numba.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skked._explanations._tree_tables import LANES

__all__ = ["add_lanes", "sum_lanes"]


def _vector(context, builder, array_type, array, offset):
    """Place of eight numbers of an array, and their alignment: that of one, as arrays need not begin with a vector."""
    number = context.get_value_type(array_type.dtype)
    data = context.make_array(array_type)(context, builder, array).data
    place = builder.bitcast(builder.gep(data, [offset]), ir.VectorType(number, LANES).as_pointer())
    return place, context.get_abi_sizeof(number)


@intrinsic
def add_lanes(context, target, at, source, start, factor):
    """Add eight numbers: ``target[at + i] += factor * source[start + i]``.

    Both arrays are contiguous, of one dimension and one type; nothing checks their bounds.
    """

    def generate(context, builder, signature, arguments):
        into, align = _vector(context, builder, target, arguments[0], arguments[1])
        place, _ = _vector(context, builder, source, arguments[2], arguments[3])
        share = builder.load(place, align=align)
        factors = ir.Constant(share.type, ir.Undefined)
        for lane in range(LANES):
            factors = builder.insert_element(factors, arguments[4], ir.Constant(ir.IntType(32), lane))
        total = builder.fadd(builder.load(into, align=align), builder.fmul(factors, share))
        builder.store(total, into, align=align)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, target.dtype), generate


@intrinsic
def sum_lanes(context, target, at, source, starts):
    """Add eight numbers from each of several places: ``target[at + i] += sum(source[start + i] for start in starts)``.

    The sum is read and written once. The arrays are those of ``add_lanes``, the places a tuple.
    """

    def generate(context, builder, signature, arguments):
        into, align = _vector(context, builder, target, arguments[0], arguments[1])
        total = builder.load(into, align=align)
        for which in range(len(starts)):
            start = builder.extract_value(arguments[3], which)
            place, _ = _vector(context, builder, source, arguments[2], start)
            total = builder.fadd(total, builder.load(place, align=align))
        builder.store(total, into, align=align)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.UniTuple(types.intp, len(starts))), generate
