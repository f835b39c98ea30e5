"""
One file for any language: ONNX
===============================

``export_onnx`` writes a graph that reads raw columns and gives the prediction *and* its explanation. It runs wherever
there is an ONNX runtime: C, C#, Java, Rust, a phone, a browser.
"""

# %%
# Write the file
# --------------
from pathlib import Path
from tempfile import TemporaryDirectory

from skked import KEDClassifier, export_onnx
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True, as_frame=True)
student = KEDClassifier(
    superfeatures=4, max_parameters=400, max_iter=60, random_state=0
).fit(X[::2], y[::2])

folder = TemporaryDirectory()
path = Path(folder.name) / "student.onnx"
export_onnx(student, path)
print(f"{path.stat().st_size:,} bytes")

# %%
# Run it
# ------
# Without skked, and without scikit-learn. ``base`` plus the contributions of a row are its scores.
import json

import onnxruntime

session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
rows = X[1::2].to_numpy()
label, probabilities, contributions, base = session.run(
    ["label", "probabilities", "contributions", "base"], {"X": rows}
)
print(label[:5], contributions.shape)
print(
    "largest difference to the student:",
    abs(probabilities - student.predict_proba(X[1::2])).max(),
)

# %%
# The names travel in the file.
facts = session.get_modelmeta().custom_metadata_map
print(json.dumps({key: value[:70] for key, value in facts.items()}, indent=1))

# %%
# A picture of what the file says of one wine, drawn from the file's own output:
import matplotlib.pyplot as plt

wine = 40
parts = contributions[wine][:, label[wine]]
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.barh(student.superfeature_names_, parts, color="#0072B2")
ax.axvline(0, color="black", linewidth=0.8)
ax.set(
    xlabel=f"contribution to class {label[wine]}, nats",
    title=f"p = {probabilities[wine].max():.3f}",
)
ax.invert_yaxis()
folder.cleanup()

# %%
# In a browser
# ------------
# :doc:`/onnx_in_javascript` runs this very file in Node or in a web page, with a script of ten lines that comes with
# the documentation.
