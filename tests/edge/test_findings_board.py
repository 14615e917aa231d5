import pytest

from edge.findings_board import examine_board, judge_throttled


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("throttled=0x0\n", ["neither under-voltage nor slowed down since the start"]),
        ("throttled=0x1", ["under-voltage now"]),
        ("throttled=0x10000", ["under-voltage since the start, not now"]),
        ("throttled=0x50005", ["under-voltage now", "slowed down now"]),
        ("throttled=0xe0008", ["clock capped since the start, not now", "slowed down since the start, not now",
                               "soft limit of temperature reached now"]),
        ("VCHI initialization failed", ["vcgencmd said 'VCHI initialization failed'"]),
    ],
)  # fmt: skip
def test_bits_in_words(text, found):
    findings = judge_throttled(text)
    assert [finding.found for finding in findings] == found
    assert all(bool(finding.mend) == (finding.state != "ok") for finding in findings)


def pi(root, *, available=400_000, governor="ondemand", temperature=51_234):
    files = {
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/meminfo": f"MemTotal:        4050000 kB\nMemFree: 1 kB\nMemAvailable:   {available} kB\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": f"{governor}\n",
        "sys/class/thermal/thermal_zone0/temp": f"{temperature}\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_pi_in_good_health(tmp_path):
    findings = examine_board(pi(tmp_path), lambda: "throttled=0x0")
    assert {finding.state for finding in findings} == {"ok"}
    assert [finding.found for finding in findings[:4]] == [
        "Raspberry Pi 5 Model B Rev 1.0",
        "390 of 3,955 MiB left",
        "ondemand",
        "51 °C",
    ]


def test_a_pi_in_bad_health(tmp_path):
    findings = examine_board(
        pi(tmp_path, available=100_000, governor="powersave", temperature=85_000), lambda: "throttled=0x4"
    )
    assert [finding.name for finding in findings if finding.state == "warning"] == [
        "memory",
        "governor",
        "temperature",
        "power",
    ]
    assert all(finding.mend for finding in findings if finding.state == "warning")


def absent():
    raise FileNotFoundError("vcgencmd")


def test_a_machine_that_is_no_pi_says_nothing_of_one(tmp_path):
    assert examine_board(tmp_path, absent) == []
    assert examine_board(pi(tmp_path), absent)[-1].found == "vcgencmd doesn't answer"
