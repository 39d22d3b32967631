"""Names that would do harm if anybody believed them: each would set window.harmed."""

from __future__ import annotations

SCRIPT = "</script><script>window.harmed=1</script>"
IMAGE = "<img src=x onerror=window.harmed=2>"
BREAKS = '"><svg onload=window.harmed=3>\u2028$data {{7*7}} &lt;b&gt;'
#: has a control, which no XML may have, and a mark that turns the text behind it around
TURNS = "fc\x01\u202e3"
LAYERS = {"fc1.weight": f"{IMAGE}.weight", "fc2.weight": f"{SCRIPT}.weight", "fc3.weight": f"{TURNS}.weight"}
RUN = f"run {IMAGE}"
