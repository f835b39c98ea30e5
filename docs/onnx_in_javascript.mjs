// Predict one row with a student of two classes or a regressor, and say what each superfeature added.
// node onnx_in_javascript.mjs student.onnx VALUE VALUE ...      (NaN for a missing value)
import * as ort from "onnxruntime-web";

const [path, ...values] = process.argv.slice(2);
const session = await ort.InferenceSession.create(path);
const row = new ort.Tensor("float64", Float64Array.from(values, Number), [1, values.length]);
const outputs = await session.run({ X: row });
for (const [name, tensor] of Object.entries(outputs)) {
  console.log(name, Array.from(tensor.data, String).join(" "));
}
