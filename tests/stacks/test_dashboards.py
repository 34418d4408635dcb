"""Two dashboards: what becomes of the uploads, and what the machinery does."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch

from gatehouse.contracts.function_metrics import AnalyzerMetric, OutcomesMetric, ResultsMetric
from gatehouse.contracts.list_price import LIST_PRICE
from gatehouse.moderation.lane import Priority
from stacks.constructs.dashboards.dashboard_section import alarm_lists
from tests.benchmarks.cost import REKOGNITION_IMAGE
from tests.stacks.conftest import Assembly
from tests.stacks.watched_metrics import dashboards, rows, watched_by_widget

LANES = {"default", "profile-pictures", "chat", "archive"}

#: Lanes that a deployment may have: each has seven outputs of the pipeline's stack, monitoring's included, and a
#: template may have 200 (CloudFormation User Guide, cloudformation-limits.html).
MANY_LANES = 28

#: CloudWatch's limits (`stacks.constructs.dashboards.dashboard_section`).
WIDGETS, METRICS, METRICS_A_WIDGET, ALARMS_A_WIDGET = 500, 2500, 500, 100


def titled(widgets: list[dict[str, Any]], beginning: str) -> dict[str, Any]:
    (widget,) = [one for one in widgets if one["properties"].get("title", "").startswith(beginning)]
    return widget


def names_in(widget: dict[str, Any]) -> set[str]:
    return {metric.name for metric in watched_by_widget(widget)}


def shown(widget: dict[str, Any]) -> list[str]:
    """Labels of what a widget shows."""
    options = [row[-1] for row in rows(widget)]
    return [option["label"] for option in options if option.get("visible", True)]


def test_the_business_dashboard_answers_what_becomes_of_the_uploads(elaborate: Assembly) -> None:
    widgets = dashboards(elaborate.monitoring)["Business"]

    assert shown(titled(widgets, "Uploads and verdicts")) == [
        *("Uploads", "Approved", "In review", "Blocked", "Unsupported", "Failed")
    ]
    assert set(shown(titled(widgets, "Flagged share"))) == LANES
    assert set(shown(titled(widgets, "Upload to verdict"))) == {f"{lane} {p}" for lane in LANES for p in ("p50", "p95")}
    assert set(shown(titled(widgets, "Backlog: uploads"))) == LANES
    assert set(shown(titled(widgets, "Backlog: chunks"))) == set(Priority)


def test_sums_are_taken_over_all_lanes(elaborate: Assembly) -> None:
    widget = titled(dashboards(elaborate.monitoring)["Business"], "Uploads and verdicts")

    for name in names_in(widget):
        found = {
            value for one in watched_by_widget(widget) if one.name == name for value in dict(one.dimensions).values()
        }
        assert found >= LANES


def test_every_image_that_is_paid_counts_in_the_cost_whichever_engine_had_it(elaborate: Assembly) -> None:
    widget = titled(dashboards(elaborate.monitoring)["Business"], "Rekognition")
    paid = {(one.name, value) for one in watched_by_widget(widget) for value in dict(one.dimensions).values()}

    assert paid >= {(AnalyzerMetric.IMAGES_ANALYZED, priority) for priority in Priority}
    assert paid >= {(ResultsMetric.IMAGES_ANALYZED_IN_BULK, lane) for lane in LANES}
    assert shown(widget) == ["Images paid", "USD at list price"]
    images, dollars = (row[-1]["expression"] for row in rows(widget) if "expression" in row[-1])
    assert dollars == f"{LIST_PRICE:g} * {images}"
    assert widget["properties"]["setPeriodToTimeRange"] is True


def test_the_price_is_the_one_the_cost_page_counts_with() -> None:
    assert LIST_PRICE == REKOGNITION_IMAGE


def test_the_technical_dashboard_begins_with_the_alarms_and_follows_an_uploads_way(elaborate: Assembly) -> None:
    widgets = dashboards(elaborate.monitoring)["Technical"]

    assert [widget["type"] for widget in widgets][:2] == ["text", "alarm"]
    assert len(shown(titled(widgets, "Messages in dead-letter queues"))) == 2 * len(LANES)
    assert len(shown(titled(widgets, "Age of the oldest message"))) == len(LANES) + len(Priority)
    for title in ("Errors", "Throttles", "Longest invocation", "Stopped as recursive loops"):
        assert len(shown(titled(widgets, title))) == len(LANES) + len(Priority) + 4
    assert names_in(titled(widgets, "Batches started")) == {"ExecutionsStarted", "ExecutionsSucceeded"}
    assert names_in(titled(widgets, "Batches failed")) == {"ExecutionsFailed", "ExecutionsAborted"}
    assert names_in(titled(widgets, "Image engine: images")) == {
        AnalyzerMetric.IMAGES_ANALYZED,
        AnalyzerMetric.CALLS_THROTTLED,
        AnalyzerMetric.CALLS_FAILED,
        AnalyzerMetric.FRAMES_ANALYZED,
    }
    assert names_in(titled(widgets, "Image engine: chunks")) == {
        AnalyzerMetric.CHUNKS_PUT_BACK,
        AnalyzerMetric.CHUNKS_GIVEN_UP,
    }
    assert names_in(titled(widgets, "Changes by people")) == {
        OutcomesMetric.CHANGES_ANNOUNCED,
        OutcomesMetric.CHANGES_REFUSED,
        OutcomesMetric.CHANGES_UNREADABLE,
        "ApproximateNumberOfMessagesVisible",
    }
    assert names_in(titled(widgets, "Change to flag")) == {OutcomesMetric.CHANGE_TO_FLAG, "IteratorAge"}


@pytest.mark.parametrize("name", ["Business", "Technical"])
def test_every_section_says_what_good_looks_like_and_every_graph_its_unit(elaborate: Assembly, name: str) -> None:
    for widget in dashboards(elaborate.monitoring)[name]:
        if widget["type"] == "text":
            title, good = widget["properties"]["markdown"].split("\n")
            assert title.startswith("## ")
            assert good.startswith("Good: ")
        elif widget["properties"].get("view") == "timeSeries":
            assert widget["properties"]["yAxis"]["left"]["label"]


@pytest.mark.parametrize("name", ["Business", "Technical"])
def test_nothing_shows_twice_under_one_label(elaborate: Assembly, name: str) -> None:
    for widget in dashboards(elaborate.monitoring)[name]:
        labels = shown(widget)
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", ["Business", "Technical"])
def test_a_dashboard_of_many_lanes_is_within_cloudwatchs_limits(
    shipped: Assembly, elaborate: Assembly, name: str
) -> None:
    """What three lanes more add to one, so many would add as many times."""
    one, four = dashboards(shipped.monitoring)[name], dashboards(elaborate.monitoring)[name]

    def many(of_one: int, of_four: int) -> float:
        return of_one + (of_four - of_one) / 3 * MANY_LANES

    of_events = 3 if name == "Technical" else 0  # at the end, and only where events are sent
    assert len(one) + of_events == len(four) < WIDGETS
    sizes = [many(len(rows(small)), len(rows(large))) for small, large in zip(one, four, strict=False)]
    sizes += [many(0, len(rows(widget))) for widget in four[len(one) :]]
    assert max(sizes) < METRICS_A_WIDGET
    assert sum(sizes) < METRICS


def test_the_technical_dashboard_shows_events_where_they_are_sent(elaborate: Assembly) -> None:
    widgets = dashboards(elaborate.monitoring)["Technical"]

    assert names_in(titled(widgets, "Events sent")) == {
        ResultsMetric.EVENTS_SENT,
        ResultsMetric.EVENTS_KEPT,
    }  # of Results and of Outcomes, under the same names
    assert shown(titled(widgets, "Events in the dead-letter queue")) == ["not sent"]


def test_more_alarms_than_a_list_holds_go_into_a_second_one() -> None:
    stack = cdk.Stack()
    arns = (f"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:{n}" for n in range(ALARMS_A_WIDGET + 1))
    alarms = [cloudwatch.Alarm.from_alarm_arn(stack, f"Alarm{n}", arn) for n, arn in enumerate(arns)]

    first, second = (widget.to_json()[0]["properties"] for widget in alarm_lists(alarms))

    assert (len(first["alarms"]), len(second["alarms"])) == (ALARMS_A_WIDGET, 1)
    assert (first["title"], second["title"]) == ("Alarms, part 1 of 2", "Alarms, part 2 of 2")
