"""The rows of a dashboard section: a heading that says what good looks like, and the widgets below it.

A dashboard holds 500 widgets, a widget 500 metrics and expressions, hidden ones included, and a list of alarms 100
(CloudWatch User Guide, CloudWatch-Dashboard-Body-Structure.html, using-metric-math.html); all widgets of a dashboard
together hold 2,500 metrics (cloudwatch_limits.html).
"""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.constructs.alarm import PERIOD

_WIDTH = 24
_ALARMS_A_WIDGET = 100


def heading(title: str, good: str) -> cloudwatch.IWidget:
    """A section's name, and one line that says what to expect when all is well."""
    return cloudwatch.TextWidget(markdown=f"## {title}\n{good}", width=_WIDTH, height=2)


def graph(title: str, unit: str, metrics: Iterable[cloudwatch.IMetric], *, stacked: bool = False) -> cloudwatch.IWidget:
    """Lines over time, half a row wide."""
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_y_axis=cloudwatch.YAxisProps(label=unit, show_units=False, min=0),
        stacked=stacked,
        width=_WIDTH // 2,
    )


def figures(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
    """One number for each metric, over the dashboard's whole time range."""
    return cloudwatch.SingleValueWidget(
        title=title, metrics=list(metrics), width=_WIDTH, height=4, set_period_to_time_range=True, full_precision=True
    )


def alarm_lists(alarms: Sequence[cloudwatch.IAlarm]) -> list[cloudwatch.IWidget]:
    """The state of all alarms, active ones first."""
    lists = [alarms[first : first + _ALARMS_A_WIDGET] for first in range(0, len(alarms), _ALARMS_A_WIDGET)]
    return [
        cloudwatch.AlarmStatusWidget(
            title="Alarms" if len(lists) == 1 else f"Alarms, part {n} of {len(lists)}",
            alarms=part,
            sort_by=cloudwatch.AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
            width=_WIDTH,
            height=4,
        )
        for n, part in enumerate(lists, start=1)
    ]


def total(label: str, metrics: Mapping[str, cloudwatch.IMetric], factor: float = 1) -> cloudwatch.MathExpression:
    """The sum of metrics, by an id for each, times a factor."""
    added = f"SUM([{', '.join(metrics)}])"
    return cloudwatch.MathExpression(
        expression=added if factor == 1 else f"{factor:g} * {added}",
        using_metrics=dict(metrics),
        label=label,
        period=PERIOD,
    )
