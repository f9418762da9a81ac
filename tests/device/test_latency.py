import hashlib
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from rotkeras.cli.benchmark import benchmark
from rotkeras.device import latency, measure_latency
from rotkeras.device.host import describe_host
from rotkeras.errors import UserError


def test_a_measured_file(exported):
    path = exported / "encoder-int8.tflite"
    measured = measure_latency(path, threads=(1, 2), warm_up_runs=3, runs=7)
    assert (measured.file, measured.bytes) == (path.name, path.stat().st_size)
    assert measured.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (measured.signature, measured.inputs) == ("embed", {"images": "uint8 (1, 16, 16, 3)"})
    assert measured.delegate == "XNNPACK, CPU"
    assert [timing.threads for timing in measured.timings] == [1, 2]
    for timing in measured.timings:
        # Half a second and a second of runs of a tenth of a millisecond are more than 3 and 7.
        assert timing.warm_up_runs > 3
        assert timing.runs > 7
        assert 0 < timing.min_ms <= timing.median_ms <= timing.p95_ms
        assert timing.min_ms <= timing.mean_ms
        assert timing.initialization_ms > 0
        assert (
            0 < timing.memory_before_mb < timing.memory_loaded_mb <= timing.memory_peak_mb < 500
        )  # TensorFlow alone would be more
    again = json.loads(measured.json())
    assert again["timings"][1]["runs"] == measured.timings[1].runs
    assert again["host"]["processor"] == measured.host.processor != ""


@pytest.mark.parametrize(
    ("least", "seconds", "limit", "expected"),
    [
        (7, 0.0, 100.0, 7),
        (0, 0.0, 100.0, 1),
        (3, 5.0, 100.0, 5),
        (50, 0.0, 4.0, 4),
        (50, 0.0, -1.0, 1),
        (2, 50.0, 9.0, 9),
    ],
)
def test_runs_are_so_many_and_so_long_at_least_and_capped(
    monkeypatch, least, seconds, limit, expected
):
    clock = iter(
        np.arange(0, 1000, 0.5)
    )  # read before and after each run, which so takes half a second, as does each pause
    monkeypatch.setattr(latency.time, "perf_counter", lambda: float(next(clock)))
    ran = []
    times = latency._times(lambda: ran.append(1), least, seconds, deadline=limit)
    assert times == [0.5] * expected
    assert len(ran) == expected


def test_noise_is_the_same_each_time():
    noise = latency._noise(np.dtype("uint8"), (1, 16, 16, 3))
    np.testing.assert_array_equal(noise, latency._noise(np.dtype("uint8"), (1, 16, 16, 3)))
    assert noise.dtype == np.uint8
    assert noise.min() < 10
    assert noise.max() > 245
    assert latency._noise(np.dtype("int32"), (3,)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("model name\t: Some Xeon\nflags\t\t: fpu avx2 avx512_vnni\n", ("AVX512-VNNI",)),
        ("model name\t: Some Core\nflags\t\t: fpu avx2 avx_vnni\n", ("AVX-VNNI",)),
        ("model name\t: Some EPYC\nflags\t\t: fpu avx2\n", ()),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n", ("ARM dotprod", "ARM i8mm")),
        ("processor\t: 0\nFeatures\t: fp asimd\n", ()),
        ("", None),
    ],
)
def test_integer_dot_products_are_read_from_the_flags(tmp_path, content, expected):
    (tmp_path / "cpuinfo").write_text(content)
    host = describe_host(tmp_path / "cpuinfo")
    assert host.integer_dot_products == expected
    if "Some" in content:
        assert host.processor == re.search("Some .*", content)[0]
    said = {None: "unknown", (): "may be no faster than float32"}.get(
        expected, ", ".join(expected or ())
    )
    assert said in host.about_int8
    assert describe_host(tmp_path / "none").integer_dot_products is None


def test_what_cannot_be_measured_is_told(exported, tmp_path):
    learner = exported / "learner.tflite"
    (tmp_path / "cut.tflite").write_bytes(learner.read_bytes()[:5000])
    for call, said in (
        (
            lambda: measure_latency(tmp_path / "cut.tflite", (1,)),
            r"is cut short or damaged; copy or export it again\.",
        ),
        (lambda: measure_latency(tmp_path / "none.tflite"), "does not exist"),
        (
            lambda: measure_latency(learner, (1,), signature="lern"),
            r"has no signature 'lern'; it has 'classify', 'embed', 'get_head', 'learn', 'set_head'\.",
        ),
        (lambda: measure_latency(learner, ()), "threads must be a list of numbers of threads"),
        (lambda: measure_latency(learner, (0,)), r"threads\[0\] must be at least 1, got 0"),
        (lambda: measure_latency(learner, runs=0), "runs must be at least 1, got 0"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_the_command_prints_a_table_of_80_columns_or_json(exported, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    path = str(exported / "orient.tflite")
    result = CliRunner().invoke(
        benchmark,
        [path, "--threads", "1", "--runs", "3", "--warm-up-runs", "0"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("orient.tflite, 'predict': ")
    assert max(map(len, lines)) <= 80, lines
    assert "XNNPACK, CPU" in result.output
    assert "Integer dot products: " in lines[-1]
    result = CliRunner().invoke(
        benchmark, [path, "--threads", "2", "--json"], catch_exceptions=False
    )
    assert [timing["threads"] for timing in json.loads(result.output)["timings"]] == [2]
    for threads in ("0", "a", "1,,2", ""):
        result = CliRunner().invoke(benchmark, [path, "--threads", threads])
        assert result.exit_code == 2
        assert "must be whole numbers of at least 1" in result.output
