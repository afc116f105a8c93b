# Sums up what the conformance suite has written, and fails if a case failed.
from __future__ import print_function
import collections
import json
import sys

with open(sys.argv[1]) as index:
    (agent, cases), = json.load(index).items()
kinds = collections.Counter(case["behavior"] for case in cases.values())
bad = sorted(
    name for name, case in cases.items()
    if case["behavior"] not in ("OK", "NON-STRICT", "INFORMATIONAL")
    or case["behaviorClose"] not in ("OK", "INFORMATIONAL")
)
print(agent, len(cases), "cases:", ", ".join("%d %s" % (kinds[kind], kind) for kind in sorted(kinds)))
if bad:
    sys.exit("failed: " + " ".join(bad))
