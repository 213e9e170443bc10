"""What `make bench-check` lets pass: ratios and peaks of a quick run, with the room that a busy machine needs.

A figure is named by what is measured and what it is compared with. What a change makes better is made
smaller here in the same commit; what it makes worse needs a reason in that commit.
"""

AT_MOST = {
    "log, 300 B / orjson + crc32c + os.write": 1.5,
    'log, 300 B, flush="batch" / orjson + crc32c + os.write': 0.7,
    "log, 1.2 KB / orjson + crc32c + os.write": 1.6,
    'log, 1.2 KB, flush="batch" / orjson + crc32c + os.write': 0.9,
    "log, the last tenth of a trace / the first tenth": 1.5,
    "a conversation, on disk / sent": 0.06,
    "verify / cksum": 1.0,
    "verify / wc -l": 2.0,
    "verify --deep / wc -l": 5.0,
    "cat / cat": 4.0,
    "filter -k / wc -l": 4.0,
    "verify, start / a Typer program": 0.6,
    "cat, start / a Typer program": 0.6,
    "verify, peak memory": 64,
    "cat, peak memory": 64,
    "filter -k, peak memory": 64,
    "filter EXPR, peak memory": 64,
}
