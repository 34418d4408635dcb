import pytest

from localcloud.rekognition.refusal import BulkRefusal
from localcloud.rekognition.settings import AdapterStatus, RekognitionSettings, SettingsError
from tests.localcloud.rekognition.conftest import ADAPTER, OLD_ADAPTER


def test_an_empty_environment_gives_the_defaults() -> None:
    assert RekognitionSettings.from_environment({}) == RekognitionSettings()
    assert RekognitionSettings.from_environment({"GATEHOUSE_REKOGNITION_JOB_SECONDS": ""}) == RekognitionSettings()


def test_the_default_quota_is_that_of_the_large_regions() -> None:
    assert RekognitionSettings().concurrent_jobs == 20


def test_every_setting_is_read() -> None:
    environment = {
        "GATEHOUSE_REKOGNITION_JOB_SECONDS": "2",
        "GATEHOUSE_REKOGNITION_IMAGES_PER_SECOND": "1.5",
        "GATEHOUSE_REKOGNITION_CONCURRENT_JOBS": "5",
        "GATEHOUSE_REKOGNITION_DETECT_SECONDS": "0.25",
        "GATEHOUSE_REKOGNITION_REQUESTS_PER_SECOND": "DetectModerationLabels=50, StartMediaAnalysisJob=5",
        "GATEHOUSE_REKOGNITION_ADAPTERS": f"{ADAPTER}=DEPRECATED,{OLD_ADAPTER}=EXPIRED",
        "GATEHOUSE_REKOGNITION_LINE_NUMBER_KEY": "line-number",
        "GATEHOUSE_REKOGNITION_REFUSE_BULK": "closed",
        "PATH": "/bin",
    }

    assert RekognitionSettings.from_environment(environment) == RekognitionSettings(
        job_seconds=2.0,
        images_per_second=1.5,
        concurrent_jobs=5,
        detect_seconds=0.25,
        requests_per_second={"DetectModerationLabels": 50.0, "StartMediaAnalysisJob": 5.0},
        adapters={ADAPTER: AdapterStatus.DEPRECATED, OLD_ADAPTER: AdapterStatus.EXPIRED},
        line_number_key="line-number",
        refuse_bulk=BulkRefusal.CLOSED,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOB_SECONDS", "soon"),
        ("JOB_SECONDS", "-1"),
        ("JOB_SECONDS", "nan"),
        ("JOB_SECONDS", "inf"),
        ("IMAGES_PER_SECOND", "0"),
        ("IMAGES_PER_SECOND", "nan"),
        ("CONCURRENT_JOBS", "-1"),
        ("CONCURRENT_JOBS", "1.5"),
        ("DETECT_SECONDS", "-1"),
        ("REQUESTS_PER_SECOND", "50"),
        ("REQUESTS_PER_SECOND", "DetectModerationLabels=0"),
        ("REQUESTS_PER_SECOND", "DetectModeration=5"),
        ("ADAPTERS", ADAPTER),
        ("ADAPTERS", f"{ADAPTER}=GOOD"),
        ("LINE_NUMBER_KEY", "line"),
        ("REFUSE_BULK", "true"),
        ("NO_SUCH_SETTING", "1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"GATEHOUSE_REKOGNITION_{name}"):
        RekognitionSettings.from_environment({f"GATEHOUSE_REKOGNITION_{name}": value})
