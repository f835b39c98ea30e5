"""Whatever is in a file, the answer is a student, a table, or an error of ours."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier
from typer.testing import CliRunner

from skked import KEDClassifier, _cli, load, save

FUZZ = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
MANY = settings(FUZZ, max_examples=150)
FEW = settings(FUZZ, max_examples=6)
RNG = np.random.RandomState(0)
TABLE = pd.DataFrame(
    {
        "age": RNG.normal(size=60).round(2),
        "colour": RNG.choice(["red", "green", ""], 60),
        "n": RNG.randint(0, 9, 60),
        "answer": RNG.choice(["yes", "no"], 60),
    }
)
WHOLE = TABLE.to_csv(index=False)
PIECES = [
    *("", ",", ",,", '"', '""', "'", "\n", "\r", "\n\n", "\t", ";", "\0", "\ufeff", "é", "🙂"),
    *("nan", "inf", "-inf", "1e999", "1e-400", "0x1F", "1_000", "TRUE", "2020-01-01", "9" * 30, "-", "NULL", "#N/A"),
    *("age", "answer", "answer,answer", "yes", "no", "x" * 500),
]  # fmt: skip


@st.composite
def spoilt_csv(draw):
    """The table as csv, with pieces put in, taken out and exchanged."""
    text = WHOLE
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 5, 40, 2000]))
        text = text[:place] + draw(st.sampled_from(PIECES)) + text[place + length :]
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"])), "replace")
    return content if draw(st.booleans()) else content[: draw(st.integers(0, len(content)))]


CONTENT = st.one_of(
    spoilt_csv(), st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    student = KEDClassifier(
        DecisionTreeClassifier(max_depth=3), superfeatures=2, cv=2, max_iter=3, max_parameters=80, random_state=0
    )
    numbers = TABLE.assign(colour=TABLE["colour"].map({"red": 0.0, "green": 1.0}))
    save(student.fit(numbers[["age", "colour", "n"]], TABLE["answer"]), folder / "student.skops")
    return folder


def run(*arguments):
    return CliRunner(env={"TERM": "dumb"}).invoke(_cli.app, [str(part) for part in arguments])


def check(result):
    """Worked, or failed with one sentence of ours."""
    assert result.exit_code in (0, 2), f"{result.output}\n{result.exception!r}"
    if result.exit_code:
        assert result.output.count("skked: ") == 1 or "Usage" in result.output
        assert "Traceback" not in result.output


@MANY
@given(content=CONTENT, command=st.sampled_from(["predict", "explain", "report"]))
@example(content=b"", command="predict")
@example(content=b"age,colour,n,answer", command="report")
@example(content=b"age,colour,n\n1,2,3\n2,a,1e999\n", command="explain")
@example(content=WHOLE.encode("utf-16"), command="report")
def test_commands_on_any_csv(folder, content, command):
    (folder / "rows.csv").write_bytes(content)
    extra = ["--target", "answer"] if command == "report" else []
    check(run(command, folder / "student.skops", folder / "rows.csv", *extra))


@FEW
@given(content=spoilt_csv())
@example(content=b"answer\n" + b"yes\nno\n" * 30)
def test_distilling_any_csv(folder, content):
    (folder / "table.csv").write_bytes(content)
    check(run("distill", folder / "table.csv", "--target", "answer", "--epochs", 2, "--max-parameters", 60))


@MANY
@given(content=CONTENT)
def test_reading_any_csv(folder, content):
    """As `distill` does before it computes anything."""
    path = folder / "table.csv"
    path.write_bytes(content)
    check(run("distill", path, "--target", "answer", "--teacher", "nobody"))


def places(node, path=()):
    """Paths to all values in a JSON document."""
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=8),
    st.sampled_from(
        ["builtins", "os", "system", "eval", "numpy", "../x", "ndarray", "TypeNode", "ObjectNode", "DictNode"]
    ),
    st.lists(st.integers(), max_size=2),
    st.just({}),
)


@MANY
@given(data=st.data())
def test_loading_any_document(folder, data):
    """What the archive holds is exchanged; its checksums are right."""
    members = {}
    with zipfile.ZipFile(folder / "student.skops") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(members["schema.json"])
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from([path for path in places(document) if path]))
        node = document
        for key in parents:
            node = node[key]
        if data.draw(st.booleans()):
            node[last] = data.draw(VALUES)
        else:
            del node[last]
    members["schema.json"] = json.dumps(document).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    (folder / "fuzzed.skops").write_bytes(buffer.getvalue())
    try:
        load(folder / "fuzzed.skops")
    except ValueError as error:
        assert "fuzzed.skops" in str(error)


@MANY
@given(content=st.binary(max_size=400))
def test_loading_any_bytes(folder, content):
    (folder / "bytes.skops").write_bytes(content)
    with pytest.raises(ValueError, match="damaged or not a file"):
        load(folder / "bytes.skops")
