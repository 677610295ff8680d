"""Things that people share."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path

from PIL import Image

TEAL = (0, 128, 128)
GREEN = (0, 128, 0)
RED = (255, 0, 0)
BLUE = (0, 0, 255)

STOLEN = "/health/stolen/"
"""What the scripts below ask the hub for, once they run."""

BLOCK = 256 * 1024


def png() -> bytes:
    """Return a teal picture of 320 × 200."""
    file = io.BytesIO()
    Image.new("RGB", (320, 200), TEAL).save(file, "PNG")
    return file.getvalue()


SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200" onload="fetch('{STOLEN}svg-load')">
<title>as drawn</title>
<rect id="area" width="300" height="200" fill="rgb{GREEN}"/>
<script>
document.getElementById("area").setAttribute("fill", "rgb{RED}")
document.title = "changed"
fetch("{STOLEN}svg-script")
</script>
</svg>
""".encode()
"""A green area that a script paints red."""


def html(script: str) -> bytes:
    """Return a page with all kinds of scripts; ``script`` is the address of one."""
    return f"""<!DOCTYPE html>
<html lang="de">
<head>
<meta charset="utf-8">
<title>as written</title>
<style>h1 {{ background: rgb{BLUE}; color: white; height: 200px }}</style>
<script src="{script}"></script>
<script>document.title = "changed"; fetch("{STOLEN}inline")</script>
</head>
<body onload="document.title = 'changed'; fetch('{STOLEN}load')">
<h1>Grüße</h1>
<img src="data:," alt="" onerror="document.title = 'changed'; fetch('{STOLEN}error')">
<iframe srcdoc="<script>parent.document.title = 'changed'; fetch('{STOLEN}frame')</script>"></iframe>
<p><a href="javascript:document.title = 'changed'; fetch('{STOLEN}link')">hierher</a></p>
</body>
</html>
""".encode()


SCRIPT = f"document.title = 'changed'; fetch('{STOLEN}source')".encode()
"""A script as a file of its own."""


def pdf(url: str) -> bytes:
    """Return a page with a red area and a greeting, which leads to ``url`` wherever it is clicked."""
    drawing = b"1 0 0 rg 50 150 300 100 re f BT /F 24 Tf 50 60 Td 0 g (Good morning) Tj ET"
    fonts = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    link = f"<< /Type /Annot /Subtype /Link /Rect [0 0 400 300] /Border [0 0 0] /A << /S /URI /URI ({url}) >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 4 0 R /Resources {fonts} /Annots [{link}] >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing.decode()}\nendstream",
    ]
    made = b"%PDF-1.7\n"
    table = "0000000000 65535 f \n"
    for number, content in enumerate(objects, 1):
        table += f"{len(made):010} 00000 n \n"
        made += f"{number} 0 obj\n{content}\nendobj\n".encode()
    count = len(objects) + 1
    end = f"xref\n0 {count}\n{table}trailer << /Size {count} /Root 1 0 R >>\nstartxref\n{len(made)}\n%%EOF\n"
    return made + end.encode()


CODECS = {
    "webm": "-c:v libvpx -deadline realtime -cpu-used 8 -qmin 2 -qmax 20 -b:v 6M -g 15 -keyint_min 15",
    "mp4": "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 6M -g 15",
}
"""VP8, and H.264 with the index at the end of the file, as cameras write it; a key frame each second."""


def video(folder: Path, kind: str) -> Path:
    """Make a video of 20 seconds and some 20 MB, and return where it is."""
    short, made = folder / f"short.{kind}", folder / f"film.{kind}"
    picture = "-f lavfi -i testsrc2=s=320x180:r=15:d=2 -vf noise=alls=100:allf=t"
    for arguments in (f"{picture} {CODECS[kind]} {short}", f"-stream_loop 9 -i {short} -c copy {made}"):
        subprocess.run(["ffmpeg", "-v", "error", *arguments.split()], check=True, stdin=subprocess.DEVNULL)
    return made


class Blocks:
    """A stream of so many blocks of a large value, each unlike the others; ``hash`` is of what was read."""

    def __init__(self, count: int) -> None:
        self.hash = hashlib.blake2b()
        self._left = count

    def read(self, size: int, /) -> bytes:
        """Return the next block."""
        assert size >= BLOCK
        if self._left == 0:
            return b""
        self._left -= 1
        block = hashlib.blake2b(str(self._left).encode()).digest() * (BLOCK // 64)
        self.hash.update(block)
        return block
