"""Programs in benchmarks/ import one another by name."""

import sys

from tests.conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))
