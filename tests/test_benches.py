"""The benchmarks' own judgement: what they call grown, and what they draw and write."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benches import bench, limits, report
from benches.measuring import Figure, Section, peak_megabytes_of
from benches.plot import Series, svg

KEPT = Figure("cat", 10, "ms", "wc", 20)
GROWN = Figure("log", 30, "ns", "floor", 10)


def test_a_ratio_above_its_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its value; so is a limit of what was not measured. What is below its limit is not."""
    wanted = {"log / floor": 2.5, "cat / wc": 0.6, "gone": 1.0}
    monkeypatch.setattr(bench, "AT_MOST", wanted)
    assert bench.grown([KEPT, GROWN]) == [
        "log / floor: 3.00, and the limit is 2.5",
        "gone: not measured",
    ]
    assert bench.grown([KEPT, GROWN, Figure("gone", 0.9, "MB")])[1:] == []


def test_the_check_fails_by_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 and a line on standard error for what has grown; else 0."""
    monkeypatch.setattr(bench, "AT_MOST", {"log / floor": 2.5})
    assert bench.check([GROWN]) == 1
    assert capsys.readouterr().err == "bench-check: log / floor: 3.00, and the limit is 2.5\n"
    monkeypatch.setattr(bench, "AT_MOST", {"log / floor": 3.5})
    assert bench.check([GROWN]) == 0


def test_limits_are_above_nothing() -> None:
    """Each is a number that can be kept."""
    assert limits.AT_MOST
    assert all(limit > 0 for limit in limits.AT_MOST.values())


def test_a_plot_is_svg_with_every_point_inside() -> None:
    """A line and a name for each series; ten times as much is as far everywhere."""
    series = [Series("a < b", [(10, 0.1), (100, 1), (1000, 10)]), Series("c", [(10, 0.5)])]
    root = ElementTree.fromstring(svg("Time & size", "events", "seconds", series))
    space = "{http://www.w3.org/2000/svg}"
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    texts = [element.text for element in root.iter(f"{space}text")]
    assert {"a < b", "c", "Time & size", "1,000"} <= set(texts)
    first = root.find(f"{space}polyline")
    assert first is not None
    points = [tuple(map(float, point.split(","))) for point in first.attrib["points"].split()]
    assert all(0 < x < width and 0 < y < height for x, y in points)
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    assert points[0][1] - points[1][1] == pytest.approx(points[1][1] - points[2][1], abs=0.2)


def test_the_document_holds_every_figure_and_says_what_is_missed() -> None:
    """Rows with ratio and goal; which machine; no name of it and no path."""
    missed = Figure("log", 30, "ns", "floor", 10, bar=1.0)
    text = report.markdown(
        "Measured on it.", ["jq 1.8"], [Section("Writing", "Why.", [missed, KEPT])]
    )
    assert "| log | 30.0 ns | floor | 10.0 ns | 3.00 | ≤ 1, missed |" in text
    assert "| cat | 10.0 ms | wc | 20.0 ms | 0.5 |  |" in text
    assert "Compared with jq 1.8." in text
    assert str(Path.home()) not in text


def test_the_peak_of_a_command_is_its_own() -> None:
    """Not that of whoever asks, however much that holds."""
    ballast = bytearray(200_000_000)
    few, many = (
        peak_megabytes_of(["sh", "-c", "true"]),
        peak_megabytes_of(["python3", "-c", "bytearray(100_000_000)"]),
    )
    assert few < 50 < 100 < many < 200
    assert len(ballast) == 200_000_000
