// A decision from a console of your own: one read, one conditional write (docs/contracts/decision.md).
//
//   node decide.mjs TABLE s3://bucket/key VERSION approve|block PERSON --retention DAYS --reasons CODES --reason CODE
//   node decide.mjs TABLE s3://bucket/key VERSION appeal|report PERSON --retention DAYS
//
// TABLE is the output VerdictTableName, VERSION is `version` of a flag or an item, PERSON is who decides, as your console
// knows them. DAYS is the output VerdictRetentionDays, a number or `never`, and CODES the output DecisionReasons. `--note`
// says why in words, `--name` is a name to show.

import { parseArgs } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient, GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { Refused, STATUS, update } from "./change.mjs";

const NO_VERSION = [undefined, "", "null"];

// Whether S3 has the very bytes that an approval would show.
async function isThere(s3, item) {
  const where = { Bucket: item.bucket, Key: item.key };
  const isVersioned = !NO_VERSION.includes(item.version_id);
  const which = isVersioned ? { VersionId: item.version_id } : { IfMatch: `"${item.etag}"` };
  try {
    const answer = await s3.send(new HeadObjectCommand({ ...where, ...which }));
    const second = (moment) => Math.floor(new Date(moment).getTime() / 1000);
    return (
      isVersioned ||
      (NO_VERSION.includes(answer.VersionId) && second(answer.LastModified) <= second(item.uploaded_at))
    );
  } catch (error) {
    if ([404, 405, 412].includes(error.$metadata?.httpStatusCode)) return false;
    throw error;
  }
}

// Whether this person did the same last, for the same reason: nobody needs to hear of it twice.
function isSame(item, entry) {
  const last = item.history?.at(-1) ?? {};
  const isLast = ["cause", "by", "to", "reason"].every((name) => last[name] === entry[name]);
  return isLast && item.status === entry.to && item.change?.cause === entry.cause;
}

// Read the item, and decide. A page does the first when it shows the upload, and the rest when a key is pressed.
async function decide(table, s3, TableName, Key, act, settings) {
  const { Item: item } = await table.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
  if (!item) throw new Refused("there is no such upload");
  const request = update(item, act, new Date(), settings);
  const [entry] = request.ExpressionAttributeValues[":entries"];
  if (isSame(item, entry)) return;
  if (act.verb === "approve" && !(await isThere(s3, item))) throw new Refused("S3 does not have it any more");
  try {
    await table.send(new UpdateCommand({ TableName, ...request }));
  } catch (error) {
    if (["ConditionalCheckFailedException", "TransactionConflictException"].includes(error.name)) {
      const { Item: now } = await table.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
      // It may be written, where only the answer was lost and the SDK wrote once more.
      if (now?.history?.some((each) => each.at === entry.at && each.by === entry.by && each.to === entry.to)) return;
      throw new Refused("somebody was faster, or is looking at it; show it again");
    }
    throw error;
  }
}

const options = Object.fromEntries(
  ["retention", "reasons", "reason", "note", "name"].map((name) => [name, { type: "string" }]),
);
const { positionals, values: said } = parseArgs({ options, allowPositionals: true });
const isDecision = ["approve", "block"].includes(positionals[3]);
if (
  positionals.length !== 5 ||
  !/^([0-9]+|never)$/.test(said.retention ?? "") ||
  (isDecision && !(said.reasons && said.reason))
) {
  console.error("See the top of this file: a table, an object, a version, a verb, a person, and options");
  process.exit(2);
}
const [table, object, version, verb, person] = positionals;
const settings = {
  reasons: (said.reasons ?? "").split(",").filter(Boolean),
  retentionDays: said.retention === "never" ? null : Number(said.retention),
};
const s3 = new S3Client({ forcePathStyle: Boolean(process.env.AWS_ENDPOINT_URL) });
const documents = DynamoDBDocumentClient.from(new DynamoDBClient({}));
try {
  const act = { verb, person, reason: said.reason, note: said.note, name: said.name };
  await decide(documents, s3, table, { object, version }, act, settings);
  console.log(`${object}@${version}: ${STATUS[verb]}`);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(`Not decided: ${error.message}`);
  process.exitCode = 1;
}
