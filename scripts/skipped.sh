#!/usr/bin/env bash
# skipped.sh LOG...: counts and names what the runs that wrote these logs left out, with the reasons: Swift tests, pytest's (-rs), and whatever
# else prints a line that begins with SKIPPED.
set -euo pipefail
cat "$@" | python3 -c '
import re, sys

found = []
for line in sys.stdin:
    line = line.rstrip()
    if match := re.match(r"\S+ (?:Test|Suite) (.+?) skipped(?:: \"(.*)\"|\.?)$", line):
        found.append("Swift: %s: %s" % (match[1].strip("\""), match[2] or "disabled"))
    elif match := re.match(r"SKIPPED \[(\d+)\] (\S+): (.*)$", line):
        found += ["pytest: %s: %s" % (match[2], match[3])] * int(match[1])
    elif match := re.match(r"SKIPPED:? (.*)$", line):
        found.append(match[1])
names = list(dict.fromkeys(found))
print("%d skipped%s" % (len(found), ":" if found else ""))
for name in names:
    count = found.count(name)
    print("  " + name + (" (%d times)" % count if count > 1 else ""))
'
