"""`upload`: files become objects, and a script learns by the exit code what became of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.upload import upload_command
from gatehouse.moderation.status import Status
from tests.cli.conftest import UPLOADS, Deployed, Run
from tests.cli.judged_uploads import LATER, PatientClock
from tests.cli.operated import Operated
from tests.unit.aws_calls import an_error
from tests.unit.builders import a_claim, a_verdict, an_upload


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> PatientClock:
    patience = PatientClock()
    monkeypatch.setattr(upload_command, "CLOCK", patience.clock)
    return patience


@pytest.fixture
def operated(deployed: Deployed, patience: PatientClock) -> Operated:
    return Operated.of(deployed)


@pytest.fixture
def cat(here: Path) -> Path:
    path = here / "cat.jpg"
    path.write_bytes(b"picture")
    return path


def judge(operated: Operated, key: str, status: Status | None, sequencer: str = "02", **fields: Any) -> None:
    """Have the pipeline decide on what is stored under a key now, or claim it."""
    stored = operated.deployed.s3.head_object(Bucket=UPLOADS, Key=key)
    version_id = fields.pop("version_id", stored.get("VersionId"))
    upload = an_upload(key, sequencer, etag=stored["ETag"].strip('"'), version_id=version_id, **fields)
    claim = a_claim(upload)
    operated.deployed.put(a_verdict(status, claim) if status else claim)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.APPROVED, 0),
        (Status.REVIEW, 1),
        (Status.BLOCKED, 1),
        (Status.UNSUPPORTED, 2),
        (Status.FAILED, 2),
    ],
)
def test_the_exit_code_is_the_verdicts(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path, status: Status, code: int
) -> None:
    patience.meanwhile += [
        lambda: judge(operated, "incoming/cat.jpg", None),
        lambda: judge(operated, "incoming/cat.jpg", status),
    ]

    result = gatehouse("upload", "cat.jpg", "--prefix", "incoming/", "--output", "json")

    (document,) = json.loads(result.stdout)
    assert (document["status"], result.exit_code) == (status.value, code)
    assert document["object"] == "s3://uploads/incoming/cat.jpg"
    stored = operated.deployed.s3.get_object(Bucket=UPLOADS, Key="incoming/cat.jpg")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"picture", "image/jpeg")


def test_a_flagged_one_counts_more_than_a_failed_one(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path, here: Path
) -> None:
    (here / "dog.png").write_bytes(b"dog")
    patience.meanwhile += [
        lambda: judge(operated, "cat.jpg", Status.FAILED),
        lambda: judge(operated, "dog.png", Status.BLOCKED),
    ]

    result = gatehouse("upload", "cat.jpg", "dog.png")

    assert result.exit_code == 1
    assert any("cat.jpg" in line and "FAILED" in line for line in result.stdout.splitlines())
    assert any("dog.png" in line and "BLOCKED" in line for line in result.stdout.splitlines())
    assert operated.deployed.s3.head_object(Bucket=UPLOADS, Key="dog.png")["ContentType"] == "image/png"


def test_what_has_no_verdict_in_time_is_told(gatehouse: Run, operated: Operated, cat: Path) -> None:
    result = gatehouse("upload", "cat.jpg", "--timeout", "1")

    assert result.exit_code == 3
    assert "no batch has it yet" in result.stdout


def test_an_object_is_not_overwritten_unless_that_is_asked_for(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path
) -> None:
    operated.deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=b"mine")
    refused = gatehouse("upload", "cat.jpg", "--timeout", "0")
    kept = operated.deployed.s3.get_object(Bucket=UPLOADS, Key="cat.jpg")["Body"].read()
    patience.meanwhile.append(lambda: judge(operated, "cat.jpg", Status.APPROVED))

    done = gatehouse("upload", "cat.jpg", "--overwrite")

    assert (refused.exit_code, kept) == (4, b"mine")
    assert "--overwrite replaces it" in refused.stdout
    assert done.exit_code == 0
    assert operated.deployed.s3.get_object(Bucket=UPLOADS, Key="cat.jpg")["Body"].read() == b"picture"


def test_the_verdict_of_an_earlier_upload_is_not_this_ones(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path
) -> None:
    """The same bytes were approved before; without versioning only the order of events tells the two apart."""
    operated.deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=b"picture")
    judge(operated, "cat.jpg", Status.APPROVED, sequencer="01")
    patience.meanwhile += [lambda: None, lambda: judge(operated, "cat.jpg", Status.BLOCKED)]

    assert gatehouse("upload", "cat.jpg", "--overwrite").exit_code == 1


def test_with_versioning_the_version_that_s3_made_is_waited_for(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path
) -> None:
    operated.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    patience.meanwhile += [
        lambda: judge(operated, "cat.jpg", Status.BLOCKED, sequencer="03", version_id="another"),
        lambda: judge(operated, "cat.jpg", Status.APPROVED, sequencer="02"),
    ]

    assert gatehouse("upload", "cat.jpg").exit_code == 0


def test_without_waiting_nothing_is_asked_about(gatehouse: Run, operated: Operated, cat: Path) -> None:
    result = gatehouse("upload", "cat.jpg", "--prefix", "tmp/", "--no-wait")

    assert result.exit_code == 0
    assert "tmp/cat.jpg" in result.stdout
    assert operated.deployed.calls.made["ListStackResources"] == 0


def test_what_no_lane_takes_is_not_uploaded(gatehouse: Run, operated: Operated, cat: Path) -> None:
    result = gatehouse("upload", "cat.jpg", "--prefix", "tmp/")

    assert result.exit_code == 4
    assert "No lane takes tmp/cat.jpg" in result.stderr
    assert operated.deployed.calls.made["PutObject"] == 0


def test_files_that_cannot_be_meant_are_refused_before_anything_is_uploaded(
    gatehouse: Run, operated: Operated, cat: Path, here: Path
) -> None:
    (here / "more").mkdir()
    (here / "more" / "cat.jpg").write_bytes(b"another")

    for files, said in (
        (("cat.jpg", "nowhere.jpg"), "nowhere.jpg is no file"),
        (("cat.jpg", "more"), "more is no file"),
        (("cat.jpg", "more/cat.jpg"), "would both be cat.jpg"),
        (("cat.jpg", "--prefix", "k" * 1020), "can't be a key"),
    ):
        result = gatehouse("upload", *files)
        assert (result.exit_code, said in result.stderr) == (4, True)
    assert operated.deployed.calls.made["PutObject"] == 0


def test_an_interrupted_wait_says_that_the_verdicts_come_all_the_same(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    patience.meanwhile.append(stop)

    result = gatehouse("upload", "cat.jpg")

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("Interrupted after the upload: cat.jpg. The verdicts come all the same;")


def test_the_same_bytes_are_taken_as_uploaded_and_waited_for(
    gatehouse: Run, operated: Operated, patience: PatientClock, cat: Path
) -> None:
    assert gatehouse("upload", "cat.jpg", "--no-wait").exit_code == 0
    patience.meanwhile.append(lambda: judge(operated, "cat.jpg", Status.BLOCKED, uploaded_at=LATER))

    result = gatehouse("upload", "cat.jpg", "--output", "json")

    (document,) = json.loads(result.stdout)
    assert (result.exit_code, document["status"], document["was_there"]) == (1, "BLOCKED", True)
    assert operated.deployed.calls.made["PutObject"] == 2, "S3 is asked, and refuses"
    cat.write_bytes(b"another")
    assert gatehouse("upload", "cat.jpg").exit_code == 4


def test_bytes_without_a_checksum_are_known_by_their_etag(gatehouse: Run, operated: Operated, cat: Path) -> None:
    operated.deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=b"picture")

    assert gatehouse("upload", "cat.jpg", "--no-wait").exit_code == 0


def test_an_object_that_may_not_be_looked_at_is_not_taken_as_uploaded(
    gatehouse: Run, operated: Operated, cat: Path
) -> None:
    operated.deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=b"picture")
    operated.deployed.calls.answer_always("HeadObject", lambda _: an_error("403", "no", 403))

    assert gatehouse("upload", "cat.jpg", "--no-wait").exit_code == 4


@pytest.mark.parametrize("interruption", [True, False])
def test_what_ends_while_sending_names_what_is_in_the_bucket(
    gatehouse: Run, operated: Operated, here: Path, monkeypatch: pytest.MonkeyPatch, interruption: bool
) -> None:
    monkeypatch.setattr("gatehouse.cli.upload.file_upload.PARALLEL", 1)
    names = [f"{n}.jpg" for n in range(40)]
    for name in names:
        (here / name).write_bytes(name.encode())

    def stop(request: Any) -> Any:
        if operated.deployed.calls.made["PutObject"] < 3:
            return None
        if interruption:
            raise KeyboardInterrupt
        return an_error("AccessDenied", "no", 403)

    operated.deployed.calls.answer_always("PutObject", stop)
    result = gatehouse("upload", *names, "--no-wait")

    assert result.exit_code == (130 if interruption else 4)
    assert "In the bucket: 2 of 40: 0.jpg 1.jpg. Run the same command again" in " ".join(result.stderr.split())
    # The thread may begin with some more before the command has heard of the end.
    assert operated.deployed.calls.made["PutObject"] < len(names), "the files that nobody has begun with are left"


@pytest.mark.parametrize("arguments", [(), ("cat.jpg", "--timeout", "soon"), ("cat.jpg", "--no-such-option")])
def test_wrong_usage_is_no_verdict(gatehouse: Run, arguments: tuple[str, ...]) -> None:
    assert gatehouse("upload", *arguments).exit_code == 4


def test_what_aws_refuses_is_no_verdict(gatehouse: Run, operated: Operated, cat: Path) -> None:
    operated.deployed.calls.answer_always("PutObject", lambda _: an_error("AccessDenied", "no", 403))

    result = gatehouse("upload", "cat.jpg", "--no-wait")

    assert (result.exit_code, "PutObject was refused" in result.stderr) == (4, True)
