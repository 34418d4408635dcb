"""Misbehavior on demand, through the admin path."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.rekognition import service
from localcloud.rekognition.job import FailureCode
from localcloud.rekognition.planted_labels import plant
from localcloud.rekognition.refusal import BulkRefusal
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.conftest import ADAPTER, Rekognition

QUIET: dict[str, Any] = {
    "hold_jobs": False,
    "fail_next_jobs": [],
    "concurrent_jobs": None,
    "job_seconds": None,
    "drop_result_lines": 0,
    "duplicate_result_lines": 0,
    "garble_result_lines": 0,
    "shuffle_results": 0,
    "truncate_results": 0,
    "omit_results": 0,
    "omit_summary": 0,
    "refuse_bulk": None,
    "throttle_calls": 0,
    "fail_next_calls": [],
    "fail_images": [],
    "requests_per_second": None,
    "detect_seconds": None,
    "adapters": None,
}


def upload(rekognition: Rekognition, count: int) -> None:
    keys = [f"{number}.jpg" for number in range(count)]
    for key in keys:
        rekognition.storage.put("uploads", key, plant(pictures.jpeg(), {"ModerationLabels": []}))
    rekognition.put_manifest(keys)


def sources(rekognition: Rekognition, job: dict[str, Any]) -> list[str]:
    return [result["source-ref"].removeprefix("s3://uploads/") for result in rekognition.results(job)]


def test_everything_is_quiet_at_first_and_after_a_delete(rekognition: Rekognition) -> None:
    nothing = {"jobs_started": 0, "images_analyzed": {}, "renditions_analyzed": {}, "calls": {}}
    assert rekognition.counters() == {**nothing, "switches": QUIET}

    rekognition.switch(hold_jobs=True, concurrent_jobs=1, refuse_bulk=True, throttle_calls=3)
    status, _, body = service.handle_admin("DELETE", b"")

    assert status == 200
    assert json.loads(body)["switches"] == QUIET


@pytest.mark.parametrize("code", list(FailureCode))
def test_the_next_jobs_fail_as_told_and_those_behind_succeed(rekognition: Rekognition, code: FailureCode) -> None:
    upload(rekognition, 1)
    rekognition.switch(fail_next_jobs=[{"code": code, "message": "as told"}])

    failed, succeeded = rekognition.run(), rekognition.run()

    assert (failed["Status"], failed["FailureDetails"]) == ("FAILED", {"Code": code, "Message": "as told"})
    assert succeeded["Status"] == "SUCCEEDED"
    assert rekognition.counters()["images_analyzed"] == {"s3://uploads/0.jpg": 1}


def test_a_repeated_token_uses_up_no_failure(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    first = rekognition.start(ClientRequestToken="t")
    rekognition.switch(fail_next_jobs=[{"code": "THROTTLED"}])

    assert rekognition.start(ClientRequestToken="t") == first
    assert len(rekognition.counters()["switches"]["fail_next_jobs"]) == 1


def test_held_jobs_stay_queued(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.switch(hold_jobs=True)

    job_id = rekognition.start()
    rekognition.job_when(job_id, lambda job: job["Status"] == "QUEUED")
    assert rekognition.counters()["images_analyzed"] == {}

    rekognition.switch(hold_jobs=False)
    assert rekognition.finished(job_id)["Status"] == "SUCCEEDED"


def test_result_lines_are_dropped_across_jobs_and_the_summary_does_not_tell(rekognition: Rekognition) -> None:
    upload(rekognition, 2)
    rekognition.switch(drop_result_lines=3)

    first, second, third = (rekognition.run() for _ in range(3))

    assert [sources(rekognition, job) for job in (first, second, third)] == [[], ["1.jpg"], ["0.jpg", "1.jpg"]]
    assert rekognition.summary(first)["statistics"]["valid-json-lines"] == 2
    assert rekognition.counters()["switches"]["drop_result_lines"] == 0


def test_result_lines_are_duplicated(rekognition: Rekognition) -> None:
    upload(rekognition, 3)
    rekognition.switch(drop_result_lines=1, duplicate_result_lines=1)

    assert sources(rekognition, rekognition.run()) == ["1.jpg", "1.jpg", "2.jpg"]


def lines(rekognition: Rekognition, job: dict[str, Any]) -> list[str]:
    place = job["Results"]["S3Object"]
    return rekognition.storage.body(place["Bucket"], place["Name"]).decode().split("\n")


def is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_result_lines_are_garbled_across_jobs_and_the_summary_does_not_tell(rekognition: Rekognition) -> None:
    upload(rekognition, 2)
    rekognition.switch(garble_result_lines=3)

    jobs = [rekognition.run() for _ in range(3)]

    assert [[is_json(line) for line in lines(rekognition, job)[:-1]] for job in jobs] == [
        [False, False],
        [False, True],
        [True, True],
    ]
    assert rekognition.summary(jobs[0])["statistics"]["valid-json-lines"] == 2


def test_result_files_come_in_another_order_with_every_line(rekognition: Rekognition) -> None:
    upload(rekognition, 2)
    rekognition.switch(shuffle_results=1)

    assert [sources(rekognition, rekognition.run()) for _ in range(2)] == [["1.jpg", "0.jpg"], ["0.jpg", "1.jpg"]]


def test_a_file_of_one_line_uses_up_no_shuffling(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.switch(shuffle_results=1)

    assert sources(rekognition, rekognition.run()) == ["0.jpg"]
    assert rekognition.counters()["switches"]["shuffle_results"] == 1


@pytest.mark.parametrize("count", [1, 4])
def test_a_truncated_file_ends_in_the_middle_of_a_line(rekognition: Rekognition, count: int) -> None:
    upload(rekognition, count)
    rekognition.switch(truncate_results=1)

    truncated, whole = (lines(rekognition, rekognition.run()) for _ in range(2))

    assert len(whole) == count + 1
    assert truncated[:-1] == whole[: count // 2]
    assert whole[count // 2].startswith(truncated[-1])
    assert 0 < len(truncated[-1]) < len(whole[count // 2])


def test_an_empty_file_uses_up_no_truncation(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.switch(truncate_results=1, drop_result_lines=1)

    assert lines(rekognition, rekognition.run()) == [""]
    assert rekognition.counters()["switches"]["truncate_results"] == 1


def test_a_job_succeeds_without_its_result_file(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.switch(omit_results=1)

    without, complete = rekognition.run(), rekognition.run()

    assert without["Status"] == "SUCCEEDED"
    assert rekognition.summary(without)["statistics"]["valid-json-lines"] == 1
    with pytest.raises(KeyError):
        lines(rekognition, without)
    assert sources(rekognition, complete) == ["0.jpg"]


def test_a_job_succeeds_without_a_summary(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.switch(omit_summary=1)

    without, complete = rekognition.run(), rekognition.run()

    assert without["Status"] == "SUCCEEDED"
    assert "ManifestSummary" not in without
    assert sources(rekognition, without) == ["0.jpg"]
    written = rekognition.storage.keys(without["Results"]["S3Object"]["Bucket"])
    assert [key for key in written if without["JobId"] in key] == [without["Results"]["S3Object"]["Name"]]
    assert rekognition.summary(complete)["errors"] == []


@pytest.mark.parametrize(
    ("reading", "code", "text"),
    [
        (True, "AccessDeniedException", "is not authorized to perform: rekognition:"),
        ("permission", "AccessDeniedException", "is not authorized to perform: rekognition:"),
        ("closed", "AccessDeniedException", "not available to new customers"),
        ("plain", "AccessDeniedException", "You are not authorized to perform the action."),
        ("region", "UnknownOperationException", ""),
    ],
)
def test_bulk_is_refused_in_every_reading_and_single_images_are_not(
    rekognition: Rekognition, reading: object, code: str, text: str
) -> None:
    upload(rekognition, 1)
    rekognition.switch(refuse_bulk=reading)

    for call in (rekognition.start, lambda: rekognition.job("a"), rekognition.client.list_media_analysis_jobs):
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == code
        assert text in error.value.response["Error"]["Message"]
    assert rekognition.client.detect_moderation_labels(Image={"Bytes": pictures.jpeg()})["ModerationLabels"] == []


def test_an_account_without_bulk_can_be_given_it(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.configure(refuse_bulk=BulkRefusal.CLOSED)
    with pytest.raises(ClientError) as error:
        rekognition.start()
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"

    rekognition.switch(refuse_bulk=False)
    assert rekognition.run()["Status"] == "SUCCEEDED"


def test_calls_of_one_operation_fail_as_told(rekognition: Rekognition) -> None:
    detects = "DetectModerationLabels"
    rekognition.switch(
        fail_next_calls=[
            {"operation": detects, "error": "InternalServerError", "times": 2},
            {"operation": detects, "error": "AccessDeniedException", "message": "as told"},
        ]
    )

    def answer() -> tuple[str, str]:
        try:
            rekognition.client.detect_moderation_labels(Image={"Bytes": pictures.jpeg()})
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return "OK", ""

    assert rekognition.client.list_media_analysis_jobs()["MediaAnalysisJobs"] == []
    told = ("InternalServerError", "Told to fail.")
    assert [answer() for _ in range(4)] == [told, told, ("AccessDeniedException", "as told"), ("OK", "")]
    assert rekognition.counters()["switches"] == QUIET
    assert rekognition.counters()["calls"] == {
        "ListMediaAnalysisJobs": {"OK": 1},
        detects: {"InternalServerError": 2, "AccessDeniedException": 1, "OK": 1},
    }


def test_some_images_never_get_an_answer(rekognition: Rekognition) -> None:
    upload(rekognition, 2)
    rekognition.switch(fail_images=["1.jpg"])

    def detect(key: str) -> object:
        return rekognition.client.detect_moderation_labels(Image={"S3Object": {"Bucket": "uploads", "Name": key}})

    for _ in range(3):
        with pytest.raises(ClientError) as error:
            detect("1.jpg")
        assert error.value.response["Error"]["Code"] == "InternalServerError"
    detect("0.jpg")

    rekognition.switch(fail_images=[])
    detect("1.jpg")


def test_a_rate_quota_can_be_changed(rekognition: Rekognition) -> None:
    rekognition.configure(requests_per_second={"DetectModerationLabels": 1000})
    rekognition.switch(requests_per_second={"DetectModerationLabels": 0.001})

    def throttled() -> bool:
        try:
            rekognition.client.detect_moderation_labels(Image={"Bytes": pictures.jpeg()})
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "ProvisionedThroughputExceededException")
        return False

    assert [throttled() for _ in range(3)] == [False, True, True]
    rekognition.switch(requests_per_second={})
    assert not throttled()


def test_a_throttled_call_is_refused_at_once(rekognition: Rekognition) -> None:
    rekognition.switch(detect_seconds=3600, throttle_calls=1)

    with pytest.raises(ClientError) as error:
        rekognition.client.detect_moderation_labels(Image={"Bytes": pictures.jpeg()})
    assert error.value.response["Error"]["Code"] == "ThrottlingException"


def test_an_adapter_can_expire(rekognition: Rekognition) -> None:
    def adapter() -> object:
        answer = rekognition.client.detect_moderation_labels(Image={"Bytes": pictures.jpeg()}, ProjectVersion=ADAPTER)
        return answer.get("ProjectVersion")

    assert adapter() == ADAPTER
    rekognition.switch(adapters={ADAPTER: "EXPIRED"})
    assert adapter() is None
    rekognition.switch(adapters=None)
    assert adapter() == ADAPTER


def test_calls_are_throttled_as_many_times_as_told(rekognition: Rekognition) -> None:
    rekognition.switch(throttle_calls=2)

    for _ in range(2):
        with pytest.raises(ClientError) as error:
            rekognition.client.list_media_analysis_jobs()
        assert error.value.response["Error"]["Code"] == "ThrottlingException"
    assert rekognition.client.list_media_analysis_jobs()["MediaAnalysisJobs"] == []


def test_a_jobs_duration_can_be_changed_while_it_is_quiet(rekognition: Rekognition) -> None:
    upload(rekognition, 1)
    rekognition.configure(job_seconds=3600)
    rekognition.switch(job_seconds=0)

    assert rekognition.run()["Status"] == "SUCCEEDED"


def test_a_slow_pace_delays_the_results(rekognition: Rekognition) -> None:
    upload(rekognition, 2)
    rekognition.configure(images_per_second=0.001)

    job_id = rekognition.start()
    rekognition.job_when(job_id, lambda _: len(rekognition.counters()["images_analyzed"]) == 2)

    assert rekognition.job(job_id)["Status"] == "IN_PROGRESS"
    assert rekognition.storage.keys("work") == ["manifest.jsonl"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"hold_job": true}',
        b'{"hold_jobs": 1}',
        b'{"hold_jobs": "true"}',
        b'{"concurrent_jobs": -1}',
        b'{"concurrent_jobs": true}',
        b'{"drop_result_lines": 1.5}',
        b'{"duplicate_result_lines": null}',
        b'{"refuse_bulk": "AccessDenied"}',
        b'{"throttle_calls": "2"}',
        b'{"fail_next_calls": {"DetectModerationLabels": 1}}',
        b'{"fail_next_calls": [{"operation": "DetectModerationLabels"}]}',
        b'{"fail_next_calls": [{"operation": "DetectLabels", "error": "InternalServerError"}]}',
        b'{"fail_next_calls": [{"operation": "DetectModerationLabels", "error": "Oops"}]}',
        b'{"fail_next_calls": [{"operation": "DetectModerationLabels", "error": "ThrottlingException", "times": -1}]}',
        b'{"fail_images": "a.jpg"}',
        b'{"fail_images": [1]}',
        b'{"requests_per_second": 5}',
        b'{"requests_per_second": {"DetectLabels": 5}}',
        b'{"requests_per_second": {"DetectModerationLabels": 0}}',
        b'{"detect_seconds": -1}',
        b'{"adapters": {"arn": "GOOD"}}',
        b'{"job_seconds": -1}',
        b'{"job_seconds": NaN}',
        b'{"job_seconds": true}',
        b'{"fail_next_jobs": "INTERNAL_ERROR"}',
        b'{"fail_next_jobs": ["INTERNAL_ERROR"]}',
        b'{"fail_next_jobs": [{"message": "no code"}]}',
        b'{"fail_next_jobs": [{"code": "NO_SUCH_CODE"}]}',
        b'{"fail_next_jobs": [{"code": "THROTTLED", "times": 2}]}',
        b'{"concurrent_jobs": 1, "hold_jobs": 1}',
    ],
)
def test_a_switch_that_makes_no_sense_is_refused_and_sets_nothing(rekognition: Rekognition, body: bytes) -> None:
    status, _, answer = service.handle_admin("POST", body)

    assert status == 400
    assert json.loads(answer)["error"]
    assert rekognition.counters()["switches"] == QUIET


def test_other_methods_are_refused(rekognition: Rekognition) -> None:
    assert service.handle_admin("PUT", b"{}")[0] == 405
