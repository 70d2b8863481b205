#!/usr/bin/env bash
# The corpus of broken and malicious files through the command, C and Python: what is said of each, opening and running models, merging
# adapters (Tests/hostile). KINDS=adapter,torch takes some kinds only, FACES=command,c,python some ways only.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 Tests/hostile/make_hostile.py "$work/corpus" > /dev/null
status=0

# $1: title, $2: kinds, $3: command, then options. Failures and the closing line are shown.
try() {
    local title=$1 kinds=$2 command=$3
    shift 3
    if [ -n "${KINDS:-}" ]; then kinds=$(comm -12 <(tr , '\n' <<< "$kinds" | sort) <(tr , '\n' <<< "$KINDS" | sort) | paste -sd,); fi
    [ -n "$kinds" ] || return 0
    python3 Tests/hostile/check_hostile.py --corpus "$work/corpus" --kinds "$kinds" "$@" "$command" > "$work/report" || status=1
    grep -E '^FAIL' "$work/report" | cut -c1-400 || true
    echo "$title: $(tail -1 "$work/report")"
}

all=gguf,ggml,safetensors,torch,tokenizer,tokenizer_json,hf_folder,meta_folder,adapter,other
models=gguf,ggml,hf_folder,meta_folder,other

# $1: what it goes through, $2..$6: its commands that describe, run, convert, merge and tokenize.
face() {
    # What is described need not be fit to run.
    try "$1: inspect" "$all" "$2" --stage file
    try "$1: generate" "$models" "$3"
    try "$1: convert (base)" "$models" "$4"
    try "$1: convert (adapter)" adapter "$5"
    try "$1: tokenize" tokenizer,tokenizer_json "$6"
}

# $1: what it goes through, $2: a command that takes the names of what is to be done.
host() {
    face "$1" "$2 inspect {path}" "$2 run {path}" "$2 convert {path}" "$2 merge {base} {path}" "$2 tokenize {path}"
}

faces=${FACES:-command,c,python}
alpaca=build/bin/alpaca
if [[ $faces == *command* ]]; then
    face command "$alpaca inspect {path}" "$alpaca generate {path} -n 1 hi" "$alpaca convert {path} -o /dev/null" \
        "$alpaca convert {base} --adapter {path} -o /dev/null" "$alpaca tokenize {path} hi"
fi
if [[ $faces == *c,* || $faces == c ]]; then
    cc -std=c11 -O1 -Wall -Wextra -Iinclude -o "$work/host" Tests/hostile/host.c build/lib/libalpaca.so.1 -Wl,-rpath,"$PWD/build/lib"
    host C "$work/host"
fi
if [[ $faces == *python* ]]; then
    export ALPACA_LIBRARY=$PWD/build/lib/libalpaca.so.1 PYTHONPATH=$PWD/bindings/python/src
    host Python "python3 Tests/hostile/host.py"
fi
exit $status
