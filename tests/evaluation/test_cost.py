import pytest

from pipeline.evaluation.cost import latency_ms


def test_latency_is_the_median_in_milliseconds_without_the_first_two_runs(monkeypatch):
    runs, shapes, now = iter([9.0, 9.0, 0.002, 0.5, 0.003]), [], [0.0]

    def infer(x):
        shapes.append(tuple(x.shape))
        now[0] += next(runs)
        return x

    monkeypatch.setattr("pipeline.evaluation.cost.time.perf_counter", lambda: now[0])
    assert latency_ms(infer, (2, 4, 4, 3), windows=3, repeats=3) == pytest.approx(3)
    assert shapes == [(3, 2, 4, 4, 3)] * 5


def test_latency_is_that_of_one_window():
    seen = []
    assert latency_ms(lambda windows: seen.append(windows.shape), (2, 8, 8, 3)) >= 0
    assert set(seen) == {(1, 2, 8, 8, 3)}
