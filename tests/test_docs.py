"""The reference is complete, and every page of the guide can be found."""

import re
from fnmatch import fnmatch
from pathlib import Path

import skked

DOCS = Path(__file__).parents[1] / "docs"


def test_every_public_name_is_in_the_reference_once():
    listed = re.findall(r"^   (\w+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == list(skked.__all__)


def test_every_page_is_in_a_table_of_contents():
    contents = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("index.md", "guide.md"))
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", contents, re.S)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    entries = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
    lost = [page.stem for page in DOCS.glob("*.md") if not any(fnmatch(page.stem, entry) for entry in entries)]
    assert lost == ["index"]


def test_every_example_has_its_place():
    examples = [path.stem.removeprefix("plot_") for path in (DOCS / "examples").glob("*.py")]
    order = re.search(r"ORDER = \((.*?)\)", (DOCS / "gallery_setup.py").read_text(encoding="utf-8"), re.S)[1]
    assert sorted(examples) == sorted(re.findall(r'"(\w+)"', order))
