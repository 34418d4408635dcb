// The one write that changes a verdict (docs/contracts/decision.md), without the SDK: what decide.mjs sends.

import { createHash } from "node:crypto";

export const STATUS = { approve: "APPROVED", block: "BLOCKED", confirm: "APPROVED", appeal: "REVIEW", report: "REVIEW" };
// Acts that have no reason but their own.
const OWN_REASON = { confirm: "confirmation", appeal: "appeal", report: "report" };
// What an upload has to be for an appeal, and for a report.
const MUST_BE = { appeal: "BLOCKED", report: "APPROVED" };

const CODE = /^[a-z0-9]+(-[a-z0-9]+)*$/;
// Characters of what people write.
const MOST = { person: 160, reason: 40, note: 500, name: 100 };

export class Refused extends Error {}

// The reason that is written.
const codeOf = ({ verb, reason }) => OWN_REASON[verb] ?? (reason || undefined);

// Refuse what an item may not hold. `reasons` is the output DecisionReasons, as an array.
function check(act, { reasons, retentionDays }) {
  if (!Object.hasOwn(STATUS, act.verb)) throw new Refused(`an act is one of ${Object.keys(STATUS).join(", ")}`);
  if (retentionDays !== null && !Number.isSafeInteger(retentionDays)) throw new TypeError("a retention is days, or null");
  const code = codeOf(act);
  for (const [what, text] of Object.entries({ person: act.person, reason: code, note: act.note, name: act.name })) {
    if (text === undefined) continue;
    const { length } = [...text];
    if (length < 1 || length > MOST[what]) throw new Refused(`a ${what} has 1 to ${MOST[what]} characters`);
    if (!text.isWellFormed()) throw new Refused(`the ${what} is not text that UTF-8 can carry`);
  }
  if (act.verb in OWN_REASON) {
    if (act.reason !== undefined && act.reason !== code) throw new Refused(`the reason is always '${code}'`);
  } else if (!CODE.test(code ?? "") || !reasons.includes(code)) {
    throw new Refused(`the reason is one of ${reasons.toSorted().join(", ")}`);
  }
  if (code === "other" && act.note === undefined) throw new Refused("the reason 'other' needs a note");
}

// The UpdateItem that makes the decision about the item that the person saw. `act` is {verb, person, reason, note, name},
// the last three undefined for none; `settings` is {reasons, retentionDays}, with null for `never`.
export function update(item, act, now, settings) {
  check(act, settings);
  const [by, at, cause] = [`person:${act.person}`, now.toISOString(), OWN_REASON[act.verb] ?? "decision"];
  const [status, before, isConfirmation] = [STATUS[act.verb], item.status, cause === "confirmation"];
  const isDecision = cause === "decision" || isConfirmation;
  const isSample = item.status_day?.startsWith("SAMPLE#") ?? false;
  if (before === "PENDING") throw new Refused("it is not judged yet");
  if ((MUST_BE[act.verb] ?? before) !== before) {
    throw new Refused(`only what is ${MUST_BE[act.verb]} can be sent back so, and it is ${before}`);
  }
  if (isConfirmation && !isSample) throw new Refused("only samples can be confirmed");
  if (isDecision && item.recused === by) {
    throw new Refused("your decision on it was appealed or reported, so another person has to decide");
  }
  const said = { reason: codeOf(act), ...(act.note === undefined ? {} : { note: act.note }) };
  const digit = createHash("sha256").update(item.object).digest()[0] % 10;
  const isKept = status === "REVIEW" || settings.retentionDays === null;
  const after = {
    status,
    decided_at: at,
    decided_by: isConfirmation ? item.decided_by : by,
    decided_by_name: isConfirmation ? null : act.name ?? null,
    decision: said,
    expires_at: isKept ? null : Math.floor(now.getTime() / 1000) + settings.retentionDays * 86400,
    revision: (item.revision ?? 0) + 1,
    change: { cause, announce: !isConfirmation },
    recused: isDecision ? null : doubted(item),
    review_claim: null,
    status_day: status === "APPROVED" ? null : `${status}#${at.slice(0, 10)}#${digit}`,
    decision_day: isDecision ? `${at.slice(0, 10)}#${digit}` : null,
    decided_order: `${at}#${item.version}`,
  };
  const entry = { cause, at, by, from: before, to: status, since: item.decided_at, ...said };
  if (act.name !== undefined) entry.name = act.name;
  if (isSample) entry.sample = true;
  const kept = Object.entries(after).filter(([, value]) => value !== null);
  const sets = kept.map(([name]) => `#${name} = :${name}`);
  sets.push("#history = list_append(if_not_exists(#history, :none), :entries)");
  const removes = Object.keys(after).filter((name) => after[name] === null).map((name) => `#${name}`);
  const isFirst = item.revision === undefined;
  const seen = ["status", "batch_id", "claimed_at", ...(isFirst ? [] : ["revision"])];
  // No other reviewer holds it, and it is not this person's own decision that is doubted.
  const notHeld = "(attribute_not_exists(#review_claim) OR #review_claim.#until <= :now)";
  const mayDecide = isConfirmation
    ? [`(${notHeld} OR #review_claim.#by = :person)`]
    : [`(${notHeld} OR #review_claim.#by = :decided_by)`, "(attribute_not_exists(#recused) OR #recused <> :decided_by)"];
  const conditions = [
    "#status = :seen_status AND #batch_id = :seen_batch_id AND #claimed_at = :seen_claimed_at",
    isFirst ? "attribute_not_exists(#revision)" : "#revision = :seen_revision",
    ...(isDecision ? mayDecide : []),
    "(attribute_not_exists(#history) OR size(#history) < :full)",
  ];
  const names = [...Object.keys(after), "history", "batch_id", "claimed_at", ...(isDecision ? ["until", "by"] : [])];
  return {
    Key: { object: item.object, version: item.version },
    UpdateExpression: `SET ${sets.join(", ")} REMOVE ${removes.join(", ")}`,
    ConditionExpression: conditions.join(" AND "),
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ...Object.fromEntries(kept.map(([name, value]) => [`:${name}`, value])),
      ...Object.fromEntries(seen.map((name) => [`:seen_${name}`, item[name]])),
      ":none": [],
      ":entries": [entry],
      ...(isDecision ? { ":now": at } : {}),
      ...(isConfirmation ? { ":person": by } : {}),
      ":full": 100,
    },
  };
}

// Whose word the status is, if it is a person's.
function doubted(item) {
  if (item.change?.cause === "confirmation") return item.history.at(-1).by;
  return item.decided_by?.startsWith("person:") ? item.decided_by : null;
}
