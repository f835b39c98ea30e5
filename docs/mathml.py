"""Formulas as MathML, which every browser draws by itself: no script, no font, no network."""

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger
from sphinx.util.math import get_node_equation_number

logger = getLogger(__name__)


def _inline(writer, node):
    writer.body.append(_mathml(node, as_block=False))
    raise SkipNode


def _block(writer, node):
    number = get_node_equation_number(writer, node) if node["number"] else None
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    if number:
        writer.body.append(f'<span class="eqno">({number})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append(_mathml(node, as_block=True))
    writer.body.append("</div>\n")
    raise SkipNode


def _mathml(node, *, as_block):
    formula = " ".join(node.astext().split())  # broken for the editor's sake; an empty line would be an error
    formula = formula.replace(r"\dots", r"\ldots")  # which docutils does not know
    try:
        return tex2mathml(formula, as_block=as_block)
    except MathError as error:
        logger.warning("%s in the formula %s", error, formula, location=node)
        return ""


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
