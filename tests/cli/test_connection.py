"""Connections are made as the AWS tools make them."""

import pytest

from gatehouse.cli.connection import Connection


def test_the_region_named_wins_over_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")

    assert Connection(region="ap-south-1").client("ssm").meta.region_name == "ap-south-1"
    assert Connection().client("ssm").meta.region_name == "eu-west-1"
    monkeypatch.delenv("AWS_REGION")
    assert Connection().client("ssm").meta.region_name == "us-west-2"


def test_the_endpoint_named_is_called_and_buckets_stay_in_the_path() -> None:
    client = Connection(endpoint_url="http://localhost:4566").client("s3")

    url = client.generate_presigned_url("get_object", {"Bucket": "work", "Key": "a"})

    assert url.startswith("http://localhost:4566/work/a?")


def test_the_environments_endpoint_is_called_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")

    assert Connection().client("ssm").meta.endpoint_url == "http://127.0.0.1:4566"


def test_a_client_has_a_connection_for_every_thread() -> None:
    assert Connection().client("dynamodb", connections=32).meta.config.max_pool_connections == 32
