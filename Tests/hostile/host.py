"""What `alpaca` does to a file, through the Python package: check_hostile.py judges how it ends.

    host.py inspect PATH | run PATH | convert PATH | merge BASE ADAPTER | tokenize PATH

Exit status 0, or 1 with a line "ALPACA_...: message".
"""
import sys

import alpaca
from alpaca._abi import lib

WORK = {
    "inspect": lambda path: alpaca.inspect(path),
    "run": lambda path: "".join(alpaca.Model(path).generate("hi", max_new_tokens=1)),
    "convert": lambda path: alpaca.convert(path, output="/dev/null"),
    "merge": lambda base, adapter: alpaca.convert(base, adapters=[adapter], output="/dev/null"),
    "tokenize": lambda path: alpaca.Tokenizer(path).encode("hi"),
}

try:
    WORK[sys.argv[1]](*sys.argv[2:])
except alpaca.Error as error:
    print("%s: %s" % (lib.alpaca_status_name(error.status).decode(), error), file=sys.stderr)
    sys.exit(1)
