// Evaluates JSONata with the reference implementation: a line {expression, bindings} in, a line {value} or {error} out.
// $parse and $random are Step Functions' own (Developer Guide, transforming-data.html); chance is always the same here.

const jsonata = require("jsonata");
const { createInterface } = require("node:readline");

const random = Number(process.argv[2]);

async function answer(line) {
  const { expression, bindings } = JSON.parse(line);
  try {
    const compiled = jsonata(expression);
    compiled.registerFunction("parse", (text) => JSON.parse(text));
    compiled.registerFunction("random", () => random);
    const value = await compiled.evaluate(undefined, bindings);
    return value === undefined ? { error: "the expression gives nothing" } : { value };
  } catch (error) {
    return { error: error.message };
  }
}

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(line)) + "\n");
  }
})();
