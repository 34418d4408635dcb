// Has AWS's own validator look at definitions: a JSON object {name: definition} in, {name: [finding, ...]} out.

const { getLanguageService, TextDocument } = require("amazon-states-language-service");
const { readFileSync } = require("node:fs");

(async () => {
  const service = getLanguageService({});
  const findings = {};
  for (const [name, definition] of Object.entries(JSON.parse(readFileSync(0, "utf-8")))) {
    const text = TextDocument.create(`asl://${name}.asl.json`, "asl", 1, JSON.stringify(definition, null, 1));
    const found = await service.doValidation(text, service.parseJSONDocument(text));
    findings[name] = found.map(({ message, range }) => `line ${range.start.line + 1}: ${message}`);
  }
  process.stdout.write(JSON.stringify(findings));
})();
