#!/usr/bin/env bash
# The corpus of broken and malicious files through the command: what it says of each, opening and running models, merging adapters.
# Needs the generator, in ALPACA_SHARED. KINDS=adapter,torch takes some kinds only.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
shared=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
hostile=$shared/fixtures/hostile
if [ ! -f "$hostile/make_hostile.py" ]; then
    echo "SKIPPED the hostile corpus: its generator is not in $shared (set ALPACA_SHARED)"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$hostile/make_hostile.py" "$work/corpus" > /dev/null
status=0

# $1: title, $2: kinds, $3: command, then options. Failures and the closing line are shown.
try() {
    local title=$1 kinds=$2 command=$3
    shift 3
    if [ -n "${KINDS:-}" ]; then kinds=$(comm -12 <(tr , '\n' <<< "$kinds" | sort) <(tr , '\n' <<< "$KINDS" | sort) | paste -sd,); fi
    [ -n "$kinds" ] || return 0
    python3 "$hostile/check_hostile.py" --corpus "$work/corpus" --kinds "$kinds" "$@" "$command" > "$work/report" || status=1
    grep -E '^FAIL' "$work/report" | cut -c1-400 || true
    echo "$title: $(tail -1 "$work/report")"
}

alpaca=build/bin/alpaca
all=gguf,ggml,safetensors,torch,tokenizer,tokenizer_json,hf_folder,meta_folder,adapter,other
# What is described need not be fit to run.
try inspect "$all" "$alpaca inspect {path}" --stage file
try generate gguf,ggml,hf_folder,meta_folder,other "$alpaca generate {path} -n 1 hi"
try "convert (base)" gguf,ggml,hf_folder,meta_folder,other "$alpaca convert {path} -o /dev/null"
try "convert (adapter)" adapter "$alpaca convert {base} --adapter {path} -o /dev/null"
try tokenize tokenizer "$alpaca tokenize {path} hi"
exit $status
