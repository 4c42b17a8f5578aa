"""Every OTEL_* variable that OpenTelemetry's API and SDK define, and what it does here.

honoured: it does what the specification says. mapped: the closest thing that we have does what it asks for. not applicable: nothing here depends on it.
`setting` is the field of Settings that it sets; empty where the API or the SDK reads the variable itself.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from otel_agents.otlp.signals import SIGNALS

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DISABLED = "OTEL_SDK_DISABLED"


class Variable(NamedTuple):
    name: str
    standing: Literal["honoured", "mapped", "not applicable"]
    why: str
    setting: str = ""
    unit: str = ""  # appended to the variable's bare number


def honoured(name: str, why: str, setting: str = "", unit: str = "") -> Variable:
    return Variable(name, "honoured", why, setting, unit)


def mapped(name: str, why: str, setting: str = "", unit: str = "") -> Variable:
    return Variable(name, "mapped", why, setting, unit)


def not_applicable(name: str, why: str) -> Variable:
    return Variable(name, "not applicable", why)


def of_each_route(knob: str, why: str) -> list[Variable]:
    """The general OTLP variable and its three per-signal forms, which win over it."""
    general = honoured(f"OTEL_EXPORTER_OTLP_{knob}", why, f"otlp_{knob.lower()}")
    return [general, *(honoured(f"OTEL_EXPORTER_OTLP_{s.upper()}_{knob}", why, f"otlp_{s}_{knob.lower()}") for s in SIGNALS)]


LIMIT = "The SDK's provider applies it before an item reaches the journal."
QUEUE = "Items wait on disk, in no queue; with OTEL_AGENTS_JOURNAL=off the SDK's own batch processor reads it."
SESSION = "Our shipper uses neither requests nor the SDK's channels; with OTEL_AGENTS_JOURNAL=off the SDK's own exporter reads it."
CONFIGURATOR = "Only the SDK's configurator reads it (opentelemetry-instrument); a provider that it built is joined and keeps it."
NAMED = "The API loads the provider that it names; we join that one."

VARIABLES = (
    honoured(DISABLED, "`true` switches everything off, whatever else is set.", "enabled"),
    mapped(
        "OTEL_CONFIG_FILE",
        "No provider is built from it here, which is said at start; those that opentelemetry-instrument builds are joined.",
        "declarative_file",
    ),
    honoured("OTEL_RESOURCE_ATTRIBUTES", "The SDK's resource reads it."),
    not_applicable("OTEL_LOG_LEVEL", "The Python SDK reads it nowhere, and records of its loggers are never exported."),
    honoured("OTEL_TRACES_SAMPLER", "The SDK's tracer provider reads it."),
    honoured("OTEL_TRACES_SAMPLER_ARG", "The SDK's tracer provider reads it."),
    mapped("OTEL_BSP_SCHEDULE_DELAY", "It is how often the shipper sends what the journal has (milliseconds).", "ship_interval", "ms"),
    mapped("OTEL_BLRP_SCHEDULE_DELAY", "It is how often the shipper sends, where OTEL_BSP_SCHEDULE_DELAY is not set (milliseconds).", "ship_interval", "ms"),
    *(not_applicable(f"OTEL_{p}_{knob}", QUEUE) for p in ("BSP", "BLRP") for knob in ("EXPORT_TIMEOUT", "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")),
    *(honoured(f"OTEL_{of}ATTRIBUTE_COUNT_LIMIT", LIMIT) for of in ("", "EVENT_", "LINK_", "SPAN_", "LOGRECORD_")),
    *(honoured(f"OTEL_{of}ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT) for of in ("", "SPAN_", "LOGRECORD_")),
    *(honoured(f"OTEL_SPAN_{of}_COUNT_LIMIT", LIMIT) for of in ("EVENT", "LINK")),
    *(not_applicable(f"OTEL_EXPORTER_ZIPKIN_{knob}", "Zipkin's format is not spoken; a Collector turns OTLP into it.") for knob in ("ENDPOINT", "TIMEOUT")),
    *of_each_route("ENDPOINT", "Where items are shipped to; without one they stay in the local journal."),
    *of_each_route("PROTOCOL", "http/json, http/protobuf or grpc; unset: JSON first, protobuf where the endpoint does not take it."),
    *of_each_route("HEADERS", "Sent with every request, percent-decoded."),
    *of_each_route("TIMEOUT", "Seconds that one request may take, as in the Python SDK."),
    *of_each_route("COMPRESSION", "gzip (default) or none."),
    *of_each_route("CERTIFICATE", "The authority that signs the endpoint's certificate."),
    *of_each_route("CLIENT_KEY", "Our key for mutual TLS."),
    *of_each_route("CLIENT_CERTIFICATE", "Our certificate for mutual TLS."),
    *of_each_route("INSECURE", "Whether grpc to a host without a scheme goes without TLS."),
    *(
        not_applicable(f"OTEL_PYTHON_EXPORTER_OTLP_{p}_{of}CREDENTIAL_PROVIDER", SESSION)
        for p in ("HTTP", "GRPC")
        for of in ("", "LOGS_", "TRACES_", "METRICS_")
    ),
    not_applicable("OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES", SESSION),
    honoured("OTEL_SERVICE_NAME", "The name of the service in every resource.", "service_name"),
    not_applicable("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "Records are read without a handler on the root logger; OTEL_AGENTS_LOGS switches it."),
    honoured("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative (default), delta or lowmemory.", "metric_temporality"),
    honoured("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "Explicit buckets (default) or base-2 exponential ones.", "metric_histogram"),
    honoured("OTEL_METRIC_EXPORT_INTERVAL", "How often metrics are collected (milliseconds).", "metric_interval", "ms"),
    honoured("OTEL_METRIC_EXPORT_TIMEOUT", "How long one collection may take (milliseconds).", "metric_timeout", "ms"),
    honoured("OTEL_METRICS_EXEMPLAR_FILTER", "The SDK's meter provider reads it."),
    honoured("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "The SDK's resource reads it."),
    honoured("OTEL_EXPORTER_PROMETHEUS_HOST", "Where OTEL_METRICS_EXPORTER=prometheus listens (localhost)."),
    honoured("OTEL_EXPORTER_PROMETHEUS_PORT", "Its port (9464), which processes share; 0: a free one for each."),
    *(not_applicable(f"OTEL_PYTHON_{of}_CONFIGURATOR", CONFIGURATOR) for of in ("TRACER", "METER", "LOGGER")),
    honoured("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "The SDK's providers read it."),
    *(honoured(f"OTEL_{s.upper()}_EXPORTER", "none records nothing of the signal; otlp ships it, console prints it too.", f"{s}_exporter") for s in SIGNALS),
    honoured("OTEL_PROPAGATORS", "The API reads it."),
    honoured("OTEL_PYTHON_CONTEXT", "The API reads it."),
    honoured("OTEL_PYTHON_ID_GENERATOR", "The entry point that makes ids for a provider of ours.", "id_generator"),
    *(honoured(f"OTEL_PYTHON_{of}_PROVIDER", NAMED) for of in ("TRACER", "METER", "LOGGER")),
    mapped(CAPTURE, "Switches content on where OTEL_AGENTS_CONTENT is not set, and says where it goes: spans, events, or both.", "content_in"),
)
