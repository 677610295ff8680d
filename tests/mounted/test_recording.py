"""The script that makes the recording of the README plays its session, in real terminals, as far as the second device."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.support.mounts import mount_points
from tests.support.processes import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def test_the_session_of_the_recording_can_be_played_again(tmp_path: Path) -> None:
    command = [sys.executable, f"{ROOT}/contrib/recording/record.py", "--short", f"{tmp_path}/picture.svg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/picture.svg: ")
    shown = [text.text for text in ET.parse(tmp_path / "picture.svg").getroot().iter(f"{SVG}text")]
    for line in ("$ kvass mount ~/kvass", "$ kvass pair", "desktop has joined", "$ cat kvass/notes/trip"):
        assert line in shown
    assert shown.count("Train at 9:14, platform 3") >= 1
    assert str(tmp_path) not in (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert not [
        place for place in mount_points() if "/kvass-" in place and place.endswith(("laptop/kvass", "desktop/kvass"))
    ]
