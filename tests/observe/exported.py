"""What real exporters write, as bytes: one page in both formats, one OTLP request in both."""

from __future__ import annotations

from base64 import b64decode

PROMETHEUS = r"""# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="GET",path="/a\"b\\c\nd"} 3.0
http_requests_total{method="POST",path="/x"} 1e+10
# HELP http_requests_created Requests.
# TYPE http_requests_created gauge
http_requests_created{method="GET",path="/a\"b\\c\nd"} 1.7952784544580462e+09
http_requests_created{method="POST",path="/x"} 1.7952784544580927e+09
# HELP http_requests_in_flight Now.
# TYPE http_requests_in_flight gauge
http_requests_in_flight NaN
# HELP temperature_celsius T
# TYPE temperature_celsius gauge
temperature_celsius -1.5e-07
# HELP lat_seconds L
# TYPE lat_seconds histogram
lat_seconds_bucket{le="0.1"} 0.0
lat_seconds_bucket{le="1.0"} 1.0
lat_seconds_bucket{le="+Inf"} 1.0
lat_seconds_count 1.0
lat_seconds_sum 0.5
"""
"""As prometheus-client 0.26 writes it."""

OPENMETRICS = r"""# HELP http_requests Requests.
# TYPE http_requests counter
http_requests_total{method="GET",path="/a\"b\\c\nd"} 3.0 # {trace_id="abc"} 3.0 1795278454.4580646
http_requests_created{method="GET",path="/a\"b\\c\nd"} 1.7952784544580462e+09
http_requests_total{method="POST",path="/x"} 1e+10
http_requests_created{method="POST",path="/x"} 1.7952784544580927e+09
# HELP http_requests_in_flight Now.
# TYPE http_requests_in_flight gauge
http_requests_in_flight NaN
# HELP temperature_celsius T
# TYPE temperature_celsius gauge
temperature_celsius -1.5e-07
# HELP lat_seconds L
# TYPE lat_seconds histogram
lat_seconds_bucket{le="0.1"} 0.0
lat_seconds_bucket{le="1.0"} 1.0 # {trace_id="d"} 0.5 1795278454.4582603
lat_seconds_bucket{le="+Inf"} 1.0
lat_seconds_count 1.0
lat_seconds_sum 0.5
# EOF
"""
"""The same registry as OpenMetrics."""

OTLP = b64decode(
    "CpQFCjgKGAoMc2VydmljZS5uYW1lEggKBm9yZGVycwocChNzZXJ2aWNlLmluc3RhbmNlLmlkEgUKA29uZRLXBAoGCg"
    "RzaG9wEnsKDW9yZGVycy5wbGFjZWQ6agoqEZ+xyF1gHOoYGbEbz11gHOoYMQUAAAAAAAAAOg0KBGtpbmQSBQoDbmV3"
    "CjgRjEjJXWAc6hgZsRvPXWAc6hgxAgAAAAAAAAA6DwoEa2luZBIHCgVhZ2FpbjoKCgRwYWlkEgIQARACGAESLgoLcX"
    "VldWUuZGVwdGg6HwobEROMyl1gHOoYGbEbz11gHOoYMf3/////////EAISxAIKB2xhdGVuY3lKuAIKswIR5dnLXWAc"
    "6hgZsRvPXWAc6hghAQAAAAAAAAApAAAAAAAAKUAygAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADp4AAAAAAAAAAAAAAAAAAAUQAAAAAAAACRAAAAAAAAAOUAAAAAAAABJQA"
    "AAAAAAwFJAAAAAAAAAWUAAAAAAAEBvQAAAAAAAQH9AAAAAAABwh0AAAAAAAECPQAAAAAAAiKNAAAAAAACIs0AAAAAA"
    "AEy9QAAAAAAAiMNAWQAAAAAAAClAYQAAAAAAAClAEAISWQoXcHJvY2Vzcy5jcHUudXRpbGl6YXRpb24qPgodGbEbz1"
    "1gHOoYIQAAAAAAANA/OgkKA2NwdRICGAAKHRmxG89dYBzqGCEAAAAAAADgPzoJCgNjcHUSAhgB"
)
"""As the OTLP/HTTP exporter of opentelemetry-python 1.45 sends it: two counters, an up-down
counter, a histogram, two gauges."""

OTLP_JSON = (
    b'{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":'
    b'"orders"}},{"key":"service.instance.id","value":{"stringValue":"one"}}]},"scopeMetrics":[{'
    b'"scope":{"name":"shop"},"metrics":[{"name":"orders.placed","sum":{"dataPoints":[{'
    b'"startTimeUnixNano":"1795278601676435871","timeUnixNano":"1795278601676856241","asInt":"5",'
    b'"attributes":[{"key":"kind","value":{"stringValue":"new"}}]},{"startTimeUnixNano":'
    b'"1795278601676474508","timeUnixNano":"1795278601676856241","asInt":"2","attributes":[{"key":'
    b'"kind","value":{"stringValue":"again"}},{"key":"paid","value":{"boolValue":true}}]}],'
    b'"aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE","isMonotonic":true}},{"name":'
    b'"queue.depth","sum":{"dataPoints":[{"startTimeUnixNano":"1795278601676557331","timeUnixNano":'
    b'"1795278601676856241","asInt":"-3"}],"aggregationTemporality":2}},{"name":"latency",'
    b'"histogram":{"dataPoints":[{"count":"1","sum":12.5,"bucketCounts":["0","1"],'
    b'"explicitBounds":[0.0]}],"aggregationTemporality":2}},{"name":"process.cpu.utilization",'
    b'"gauge":{"dataPoints":[{"timeUnixNano":"1795278601676856241","asDouble":0.25,"attributes":[{'
    b'"key":"cpu","value":{"intValue":"0"}}]},{"timeUnixNano":"1795278601676856241","asDouble":0.5,'
    b'"attributes":[{"key":"cpu","value":{"intValue":"1"}}]}]}}]}]}]}'
)
"""The same request in the JSON mapping."""
