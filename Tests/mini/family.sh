#!/usr/bin/env bash
# Prints the folder of the mini family: the real one where ALPACA_SHARED has it, else one of the same form, made in build/ (make_family.py).
set -euo pipefail
cd "$(dirname "$0")/../.."
real=${ALPACA_SHARED:-$(cd .. && pwd)/shared}/fixtures/mini
if [ -f "$real/mini-llama/config.json" ]; then
    echo "$real"
    exit
fi
# Named after what makes it, so that it is made anew when that changes.
made=build/mini-family-$(cat Tests/mini/make_family.py Tests/hostile/make_hostile.py | sha256sum | cut -c1-12)
if [ ! -d "$made" ]; then
    mkdir -p build
    temporary=$(mktemp -d build/family.XXXXXX)
    python3 Tests/mini/make_family.py "$temporary"
    # Another test may have been faster.
    mv -T "$temporary" "$made" 2> /dev/null || rm -rf "$temporary"
fi
echo "$PWD/$made"
