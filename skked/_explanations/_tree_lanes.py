"""Vector instructions for the kernels: a few numbers that lie side by side are added at once.

numba compiles a loop over eight numbers as eight additions, or checks first whether the arrays overlap, which takes
longer than the additions. Importing this file loads numba.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skked._explanations._tree_tables import LANES

__all__ = ["add_lanes"]


@intrinsic
def add_lanes(context, target, at, source, start, factor):
    """Add eight numbers: ``target[at + i] += factor * source[start + i]``.

    Both arrays are contiguous, of one dimension and one type; nothing checks their bounds.
    """

    def generate(context, builder, signature, arguments):
        number = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(number, LANES)

        def place(array, offset):
            of_type = signature.args[array]
            data = context.make_array(of_type)(context, builder, arguments[array]).data
            return builder.bitcast(builder.gep(data, [arguments[offset]]), vector.as_pointer())

        into = place(0, 1)
        align = context.get_abi_sizeof(number)  # of the numbers: the arrays need not be aligned like vectors
        share = builder.load(place(2, 3), align=align)
        factors = ir.Constant(vector, ir.Undefined)
        for lane in range(LANES):
            factors = builder.insert_element(factors, arguments[4], ir.Constant(ir.IntType(32), lane))
        total = builder.fadd(builder.load(into, align=align), builder.fmul(factors, share))
        builder.store(total, into, align=align)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, target.dtype), generate
