"""What others' libraries cost, run in an environment that has them.

`peers.py NAME FILE COUNT` prints nanoseconds an event; `peers.py duckdb FILE KIND` counts the events of a kind.
"""

import sys
import time

PEERS = __file__
MESSAGE = "x" * 90


def structlog_ns(path, events):
    import orjson
    import structlog

    with open(path, "wb") as file:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=orjson.dumps),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            logger_factory=structlog.BytesLoggerFactory(file=file),
            cache_logger_on_first_use=True,
        )
        log = structlog.get_logger()
        log.info(MESSAGE)
        began = time.perf_counter_ns()
        for _ in range(events):
            log.info(MESSAGE)
        return (time.perf_counter_ns() - began) / events


def opentelemetry_ns(path, events):
    from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    open(path, "wb").close()
    provider = TracerProvider()
    # Room for all, so that none is dropped.
    processor = BatchSpanProcessor(FileSpanExporter(path), max_queue_size=2 * events)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("bench")
    began = time.perf_counter_ns()
    for _ in range(events):
        with tracer.start_as_current_span("work", attributes={"message": MESSAGE}):
            pass
    provider.shutdown()
    spent = (time.perf_counter_ns() - began) / events
    with open(path, "rb") as file:
        written = sum(line.count(b'"spanId"') for line in file)
    if written != events:
        sys.exit(f"OpenTelemetry wrote {written} spans of {events}")
    return spent


def count_with_duckdb(path, kind):
    import duckdb

    query = (
        "select count(*) from read_json(?, format='newline_delimited', columns={kind: 'varchar'})"
        " where kind = ?"
    )
    return duckdb.execute(query, [path, kind]).fetchone()[0]


def main():
    name, path, last = sys.argv[1:]
    if name == "duckdb":
        print(count_with_duckdb(path, last))
    else:
        peer = {"structlog": structlog_ns, "opentelemetry": opentelemetry_ns}[name]
        print(peer(path, int(last)))


if __name__ == "__main__":
    main()
