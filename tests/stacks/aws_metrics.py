"""The metrics of AWS's own namespaces that we watch: dimensions, and the page that documents them.

A metric that AWS does not emit, or under other dimensions, stays without data, and an alarm on it never rings.
"""

from collections.abc import Mapping

_SQS = "SQS Developer Guide, sqs-available-cloudwatch-metrics.html"
_LAMBDA = "Lambda Developer Guide, monitoring-metrics-types.html"
_STATES = "Step Functions Developer Guide, procedure-cw-metrics.html"
_EVENTS = "EventBridge User Guide, eb-monitoring.html"
_SNS = "SNS Developer Guide, sns-monitoring-using-cloudwatch.html"

#: Namespace and name -> names of the dimensions, and the source.
DOCUMENTED: Mapping[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): (("QueueName",), _SQS),
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): (("QueueName",), _SQS),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): (("QueueName",), _SQS),
    ("AWS/SQS", "NumberOfMessagesDeleted"): (("QueueName",), _SQS),
    ("AWS/Lambda", "Duration"): (("FunctionName",), _LAMBDA),
    ("AWS/Lambda", "IteratorAge"): (("FunctionName",), _LAMBDA),
    ("AWS/Lambda", "Errors"): (("FunctionName",), _LAMBDA),
    ("AWS/Lambda", "Invocations"): (("FunctionName",), _LAMBDA),
    ("AWS/Lambda", "RecursiveInvocationsDropped"): (("FunctionName",), _LAMBDA),
    ("AWS/Lambda", "Throttles"): (("FunctionName",), _LAMBDA),
    ("AWS/States", "ExecutionsAborted"): (("StateMachineArn",), _STATES),
    ("AWS/States", "ExecutionsFailed"): (("StateMachineArn",), _STATES),
    ("AWS/States", "ExecutionsStarted"): (("StateMachineArn",), _STATES),
    ("AWS/States", "ExecutionsSucceeded"): (("StateMachineArn",), _STATES),
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"): (("RuleName",), _EVENTS),
    ("AWS/SNS", "NumberOfMessagesPublished"): (("TopicName",), _SNS),
    ("AWS/SNS", "NumberOfNotificationsFailed"): (("TopicName",), _SNS),
}
