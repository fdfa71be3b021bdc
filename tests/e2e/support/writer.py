"""A user who writes, deletes and has garbage collected, and knows what there was at any moment."""

import json
import subprocess
import textwrap
from dataclasses import dataclass, field

from tests.e2e.support.checkout import Checkout

_LIVING = 20  # rows; older ones are deleted
# Ten times a second: a numbered row with an attachment of its own, committed together.
_SCRIPT = """
import json, os, time
attachments, ids, number, collected = env["ir.attachment"], {}, 0, time.time()
env.cr.execute("CREATE TABLE IF NOT EXISTS numbered (n int PRIMARY KEY, file text)")
env.cr.commit()
def told(n, what, since):
    print(json.dumps({"n": n, what: [since, time.time()]}), flush=True)
end = time.time() + %(seconds)d
while time.time() < end:
    number, begin = number + 1, time.time()
    made = attachments.create({"name": str(number), "raw": os.urandom(2000)})
    env.cr.execute("INSERT INTO numbered VALUES (%%s, %%s)", (number, made.store_fname))
    env.cr.commit()
    told(number, "made", begin)
    ids[number] = made.id
    if number > %(living)d:
        old, begin = number - %(living)d, time.time()
        attachments.browse(ids.pop(old)).unlink()
        env.cr.execute("DELETE FROM numbered WHERE n = %%s", (old,))
        env.cr.commit()
        told(old, "gone", begin)
    if time.time() - collected > 3:
        attachments._gc_file_store()
        collected = time.time()
    time.sleep(0.1)
"""


@dataclass
class Written:
    """Of each number between which two times its row came, and went (seconds since 1970)."""

    made: dict[int, tuple[float, float]] = field(default_factory=dict)
    gone: dict[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def span(self) -> tuple[float, float]:
        """When the first row was there, and the last."""
        times = [end for _, end in self.made.values()]
        return min(times), max(times)

    def certain(self, moment: float) -> set[int]:
        """What has to be there at that moment."""
        return {
            n
            for n, (_, end) in self.made.items()
            if end < moment and (n not in self.gone or moment < self.gone[n][0])
        }

    def possible(self, moment: float) -> set[int]:
        """The same, and what was coming or going just then."""
        return {
            n
            for n, (begin, _) in self.made.items()
            if begin < moment and (n not in self.gone or moment < self.gone[n][1])
        }


def write(platform: Checkout, seconds: int) -> Written:
    """Have Odoo write for so long."""
    script = textwrap.dedent(_SCRIPT) % {"seconds": seconds, "living": _LIVING}
    container = f"{platform.project}-odoo-1"
    shell = ["odoo", "shell", "--database=odoo", "--no-http", "--log-level=error"]
    done = subprocess.run(
        ["docker", "exec", "--interactive", "--user", "odoo", container, *shell],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 120,
    )
    found = Written()
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            said = json.loads(line)
            for what, known in (("made", found.made), ("gone", found.gone)):
                if what in said:
                    known[said["n"]] = tuple(said[what])
    assert found.gone, done.stdout[-2000:] + done.stderr[-2000:]
    return found
