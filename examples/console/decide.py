"""A decision from a console of your own: one read, one conditional write (docs/contracts/decision.md).

    python decide.py TABLE s3://bucket/key VERSION approve|block PERSON --retention DAYS --reasons CODES --reason CODE
    python decide.py TABLE s3://bucket/key VERSION confirm|appeal|report PERSON --retention DAYS

TABLE is the output VerdictTableName, VERSION is `version` of a flag or an item, PERSON is who decides, as your console
knows them. DAYS is the output VerdictRetentionDays, a number or `never`, and CODES the output DecisionReasons. `--note`
says why in words, `--name` is a name to show.
"""

import argparse
import hashlib
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

STATUS = {"approve": "APPROVED", "block": "BLOCKED", "confirm": "APPROVED", "appeal": "REVIEW", "report": "REVIEW"}
#: Acts that have no reason but their own.
OWN_REASON = {"confirm": "confirmation", "appeal": "appeal", "report": "report"}
#: Acts that say what an upload's status should be.
DECIDING = ("decision", "confirmation")
#: What an upload has to be for an appeal, and for a report.
MUST_BE = {"appeal": "BLOCKED", "report": "APPROVED"}

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: Characters of what people write.
MOST = {"person": 160, "reason": 40, "note": 500, "name": 100}
#: What a conditional write answers when the item is not as it was seen.
LOST = ("ConditionalCheckFailedException", "TransactionConflictException")

SEEN = "#status = :seen_status AND #batch_id = :seen_batch_id AND #claimed_at = :seen_claimed_at"
NOT_HELD = "(attribute_not_exists(#review_claim) OR #review_claim.#until <= :now)"
#: By cause: no other reviewer holds it, and it is not this person's own decision that is doubted.
MAY_DECIDE = {
    "decision": [
        f"({NOT_HELD} OR #review_claim.#by = :decided_by)",
        "(attribute_not_exists(#recused) OR #recused <> :decided_by)",
    ],
    "confirmation": [f"({NOT_HELD} OR #review_claim.#by = :person)"],
}
HAS_ROOM = "(attribute_not_exists(#history) OR size(#history) < :full)"


class Refused(Exception):  # noqa: N818 - it is an answer
    """The upload can't be decided so: look at it again, or tell the person why."""


@dataclass(frozen=True)
class Settings:
    """Of the deployment: the outputs DecisionReasons, and VerdictRetentionDays (None for `never`)."""

    reasons: frozenset[str]
    retention: timedelta | None


@dataclass(frozen=True)
class Act:
    """What a person does, and why. Appeals and reports have their own reason."""

    verb: str
    person: str
    reason: str | None = None
    note: str | None = None
    name: str | None = None

    @property
    def code(self) -> str:
        """The reason that is written."""
        return OWN_REASON.get(self.verb) or self.reason or ""


def check(act: Act, settings: Settings) -> None:
    """Refuse what an item may not hold."""
    said = {"person": act.person, "reason": act.code or None, "note": act.note, "name": act.name}
    for what, text in said.items():
        if text is None:
            continue
        if not 0 < len(text) <= MOST[what]:
            raise Refused(f"a {what} has 1 to {MOST[what]} characters")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Refused(f"the {what} is not text that UTF-8 can carry")
    if act.verb in OWN_REASON:
        if act.reason not in (None, act.code):
            raise Refused(f"the reason is always {act.code!r}")
    elif not CODE.fullmatch(act.code) or act.code not in settings.reasons:
        raise Refused(f"the reason is one of {', '.join(sorted(settings.reasons))}")
    if act.code == "other" and act.note is None:
        raise Refused("the reason 'other' needs a note")


def exact(moment: datetime) -> str:
    """A time as items have it: UTC, milliseconds, `Z`. Of one width, so that it compares as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def update(item: dict[str, Any], act: Act, now: datetime, settings: Settings) -> dict[str, Any]:
    """The UpdateItem that makes the decision about the item that the person saw."""
    check(act, settings)
    by, at, cause = f"person:{act.person}", exact(now), OWN_REASON.get(act.verb, "decision")
    status, before, is_decision = STATUS[act.verb], item["status"], cause in DECIDING
    is_sample, is_confirmation = item.get("status_day", "").startswith("SAMPLE#"), cause == "confirmation"
    if before == "PENDING":
        raise Refused("it is not judged yet")
    if MUST_BE.get(act.verb, before) != before:
        raise Refused(f"only what is {MUST_BE[act.verb]} can be sent back so, and it is {before}")
    if is_confirmation and not is_sample:
        raise Refused("only samples can be confirmed")
    if is_decision and item.get("recused") == by:
        raise Refused("your decision on it was appealed or reported, so another person has to decide")
    said = {"reason": act.code} | ({"note": act.note} if act.note else {})
    digit = hashlib.sha256(item["object"].encode()).digest()[0] % 10
    is_kept = status == "REVIEW" or settings.retention is None
    decided_by = str(item.get("decided_by", ""))
    after = {
        "status": status,
        "decided_at": at,
        "decided_by": decided_by if is_confirmation else by,
        "decided_by_name": None if is_confirmation else act.name,
        "decision": said,
        "expires_at": None if is_kept else int((now + (settings.retention or timedelta())).timestamp()),
        "revision": int(item.get("revision", 0)) + 1,
        "change": {"cause": cause, "announce": not is_confirmation},
        "recused": None if is_decision else doubted(item),
        "review_claim": None,
        "status_day": None if status == "APPROVED" else f"{status}#{at[:10]}#{digit}",
        "decision_day": f"{at[:10]}#{digit}" if is_decision else None,
        "decided_order": f"{at}#{item['version']}",
    }
    entry = {"cause": cause, "at": at, "by": by, "from": before, "to": status, "since": item["decided_at"]}
    entry |= said | ({"name": act.name} if act.name else {}) | ({"sample": True} if is_sample else {})
    kept = {name: value for name, value in after.items() if value is not None}
    sets = [f"#{name} = :{name}" for name in kept]
    sets.append("#history = list_append(if_not_exists(#history, :none), :entries)")
    removes = [f"#{name}" for name, value in after.items() if value is None]
    is_first = "revision" not in item
    revision = "attribute_not_exists(#revision)" if is_first else "#revision = :seen_revision"
    seen = ["status", "batch_id", "claimed_at", *([] if is_first else ["revision"])]
    names = [*after, "history", "batch_id", "claimed_at", *(["until", "by"] if is_decision else [])]
    return {
        "Key": {"object": item["object"], "version": item["version"]},
        "UpdateExpression": f"SET {', '.join(sets)} REMOVE {', '.join(removes)}",
        "ConditionExpression": " AND ".join([SEEN, revision, *MAY_DECIDE.get(cause, []), HAS_ROOM]),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": {
            **{f":{name}": value for name, value in kept.items()},
            **{f":seen_{name}": item[name] for name in seen},
            ":none": [],
            ":entries": [entry],
            **({":now": at} if is_decision else {}),
            **({":person": by} if is_confirmation else {}),
            ":full": 100,
        },
    }


def doubted(item: dict[str, Any]) -> str | None:
    """Whose word the status is, if it is a person's."""
    if item.get("change", {}).get("cause") == "confirmation":
        return str(item["history"][-1]["by"])
    decided_by = str(item.get("decided_by", ""))
    return decided_by if decided_by.startswith("person:") else None


def is_there(s3: Any, item: dict[str, Any]) -> bool:
    """Whether S3 has the very bytes that an approval would show."""
    where = {"Bucket": item["bucket"], "Key": item["key"]}
    try:
        if item.get("version_id") not in (None, "", "null"):
            s3.head_object(**where, VersionId=item["version_id"])
            return True
        answer = s3.head_object(**where, IfMatch=f'"{item["etag"]}"')
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 405, 412):
            return False
        raise
    current = answer.get("VersionId") in (None, "", "null")
    uploaded = datetime.fromisoformat(item["uploaded_at"]).replace(microsecond=0)
    return bool(current and answer["LastModified"].replace(microsecond=0) <= uploaded)


def is_same(item: dict[str, Any], entry: dict[str, Any]) -> bool:
    """Whether this person did the same last, for the same reason: nobody needs to hear of it twice."""
    last = (item.get("history") or [{}])[-1]
    return all(last.get(name) == entry.get(name) for name in ("cause", "by", "to", "reason")) and (
        item["status"] == entry["to"] and item.get("change", {}).get("cause") == entry["cause"]
    )


def decide(table: Any, s3: Any, identity: tuple[str, str], act: Act, settings: Settings) -> None:
    """Read the item, and decide. A page does the first when it shows the upload, and the rest when a key is pressed."""
    key = {"object": identity[0], "version": identity[1]}
    item = table.get_item(Key=key, ConsistentRead=True).get("Item")
    if item is None:
        raise Refused("there is no such upload")
    request = update(item, act, datetime.now(UTC), settings)
    (entry,) = request["ExpressionAttributeValues"][":entries"]
    if is_same(item, entry):
        return
    if STATUS[act.verb] == "APPROVED" and not is_there(s3, item):
        raise Refused("S3 does not have it any more")
    try:
        table.update_item(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in LOST:
            now = table.get_item(Key=key, ConsistentRead=True).get("Item", {})
            if entry in now.get("history", []):
                return  # it was written; only the answer was lost, and the SDK wrote once more
            raise Refused("somebody was faster, or is looking at it; show it again") from error
        raise


def main() -> int:
    """Decide what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("table", "object", "version"):
        parser.add_argument(name)
    parser.add_argument("verb", choices=STATUS)
    parser.add_argument("person")
    parser.add_argument("--retention", required=True)
    parser.add_argument("--reasons", default="")
    for name in ("--reason", "--note", "--name"):
        parser.add_argument(name)
    said = parser.parse_args()
    if said.verb not in OWN_REASON and not (said.reasons and said.reason):
        parser.error("a decision needs --reasons and --reason")
    act = Act(said.verb, said.person, said.reason, said.note, said.name)
    retention = None if said.retention == "never" else timedelta(days=int(said.retention))
    settings = Settings(frozenset(filter(None, said.reasons.split(","))), retention)
    table = boto3.resource("dynamodb").Table(said.table)
    try:
        decide(table, boto3.client("s3"), (said.object, said.version), act, settings)
    except Refused as refused:
        print(f"Not decided: {refused}", file=sys.stderr)
        return 1
    print(f"{said.object}@{said.version}: {STATUS[act.verb]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
