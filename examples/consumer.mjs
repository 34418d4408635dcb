// A consumer of verdicts in Node, without dependencies: it keeps the newest state of each object.
//
// Flags come more than once and out of order. Newer is the upload with the greater `version`, among the flags of one
// upload the greater `revision`, and of one revision what was decided later. Two flags of revision 0 may differ, as a
// batch's function may run twice: then the later one is kept, and the verdict table says which one stands. Keep the states
// where you like; do it with a condition there, if several of these run.
//
//   node consumer.mjs < flags.jsonl      reads a flag or an event a line, prints the states as JSON

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

/** The newest state of each object, by `s3://bucket/key`. */
export class States {
  #held = new Map();

  /** Take a flag, as SNS or EventBridge hands it over. Returns whether it was news. */
  take(document) {
    if (document.Type === "Notification") return this.take(JSON.parse(document.Message)); // of a subscription that is not raw
    const flag = document["detail-type"] === "Gatehouse Verdict" ? document.detail : document;
    const object = `s3://${flag.object.bucket}/${flag.object.key}`;
    if (!isNewer(flag, this.#held.get(object))) return false;
    const { version, revision, decided_at, status, object: stored } = flag;
    this.#held.set(object, { version, revision, decided_at, status, version_id: stored.version_id, etag: stored.etag });
    return true;
  }

  toJSON() {
    return Object.fromEntries(this.#held);
  }
}

/** Whether a flag says something newer than a state. Versions and times have one length, so text sorts as they do. */
export function isNewer(flag, held) {
  if (held === undefined) return true;
  if (flag.version !== held.version) return flag.version > held.version;
  if (flag.revision !== held.revision) return flag.revision > held.revision;
  return flag.decided_at > held.decided_at;
}

/**
 * A Lambda function for a queue: `export { handler } from "./consumer.mjs"`. It holds states only as long as its environment
 * lives; put them into a table of yours instead, on the condition of `isNewer`.
 */
const states = new States();
export async function handler(event) {
  for (const record of event.Records) states.take(JSON.parse(record.body));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const read = new States();
  for await (const line of createInterface({ input: process.stdin })) read.take(JSON.parse(line));
  console.log(JSON.stringify(read));
}
