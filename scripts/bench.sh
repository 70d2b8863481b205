#!/usr/bin/env bash
# bench.sh SIZE TYPES: speed on models of real size with random weights (130m, 1.3b or 7b; llama3, qwen3 or mixtral: Llama-3-8B, Qwen3-4B and
# Mixtral-8x7B; types with commas, or "all"), beside llama.cpp where there is one. Results and charts go to docs/benchmarks/KIND, by the kind of
# this machine's CPU; SIZE mini takes the model of the repository and leaves them in build/bench.
#
#   SUITE=types,steps        what is measured, types by default: types (prompts and writing), threads (with fewer), steps (1 to 32 sequences
#                            together, short prompts), depth (after other tokens, caches of F16 and Q8_0); all: these four
#   LAYERS=4                 of llama3, qwen3 and mixtral in place of the real model's; default: all, of mixtral 4 of its 32 (4 GB in place of
#                            26). Names say "mixtral-4of32".
#   PATHS=avx2,avx512        CPU paths of ours to measure; default: the one that it chooses
#   LLAMA_BENCH=avx2=FILE:native=FILE   llama-bench programs to compare with, each with a label or without one, llama-batched-bench beside them;
#                            default: those of `make bench-peer`, else the one on PATH. The package xllamacpp takes part where it is installed in
#                            .venv. LLAMA_BENCH=none: no llama.cpp.
#   MODELS=build/bench       where the models are, or are made; FILES=FOLDER: finished ones to take from there instead, SIZE-TYPE.gguf
#   KEEP=no                  models that this run made are removed when they have been measured
#   CPU_KIND=zen4            in place of what the processor says of itself
#   ROUNDS=3 DEPTH=4096 OPTIONS=...     more for Benchmarks/compare.py; PEER_ROUNDS=1: llama.cpp takes part in the first round alone, as it
#                            takes most of the time
#
# The models are made by the generator in the folder that ALPACA_SHARED names, one at a time; types that it does not write are converted from
# its Q8_0, IQ1 to IQ3 by llama-quantize (LLAMA_QUANTIZE names it). 4 GB for 7B in Q4_0.
set -euo pipefail
cd "$(dirname "$0")/.."
size=$1 types=$2
[ "$types" = all ] && types=q2_k,q3_k_m,iq4_xs,mxfp4,q4_0,iq4_nl,q4_1,q4_k_m,q5_0,q5_1,q5_k_m,q6_k,q8_0,f16
suites=${SUITE:-types}
[ "$suites" = all ] && suites=types,threads,steps,depth
for suite in ${suites//,/ }; do
    [[ " types threads steps depth " == *" $suite "* ]] \
        || { echo "error: SUITE: found \"$suite\", expected types, threads, steps, depth or all" >&2; exit 2; }
done
shared=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
maker=$shared/tools/make_synthetic_gguf.py
python=${BENCH_PYTHON:-.venv/bin/python}
models=${MODELS:-build/bench}
results=docs/benchmarks/$("$python" Benchmarks/machine.py)
mkdir -p "$models"

# Those of scripts/make-synthetic.py have vocabularies that are made up, and need nothing that is shared.
shape=
case $size in
    llama3 | qwen3 | mixtral)
        shape=$size
        layers=${LAYERS:-}
        [ "$shape" != mixtral ] || layers=${layers:-4}
        size=$("$python" scripts/make-synthetic.py --shape "$shape" ${layers:+--layers "$layers"} --print-name) ;;
esac

if [ -z "$shape" ] && [ "$size" != mini ] && [ -z "${FILES:-}" ] && [ ! -f "$maker" ]; then
    echo "SKIPPED: the generator of large models is not in $shared: measuring the mini model"
    size=mini
fi
if [ "$size" = mini ]; then
    results=$models types=q8_0,f16
    for type in q8_0 f16; do cp -f "models/mini/chinese-alpaca-mini-$type.gguf" "$models/mini-$type.gguf"; done
fi
mkdir -p "$results"

# Models of this run, for KEEP=no.
made=()

# make_model TYPE: $models/SIZE-TYPE.gguf, whole or not at all; sets `file`.
make_model() {
    file=$models/$size-$1.gguf
    if [ -f "${FILES:-/nowhere}/$size-$1.gguf" ]; then file=$FILES/$size-$1.gguf; fi
    [ ! -f "$file" ] || return 0
    local wanted=$file
    echo "  $(date +%T) making $wanted" >&2
    case $1 in
        iq[123]*)
            # Types that we only read: by llama.cpp's own program, LLAMA_QUANTIZE, from F16.
            make_model f16
            "${LLAMA_QUANTIZE:-llama-quantize}" --pure "$file" "$wanted.part" "$1" > "$models/quantize.log"
            mv "$wanted.part" "$wanted" ;;
        q4_0 | q5_0 | q8_0 | q4_k_m | f16 | q4_1 | q6_k)
            if [ -z "$shape" ]; then
                "$python" "$maker" --size "$size" --type "$1" --tokenizers "$shared/fixtures/tokenizers" "$wanted.part"
                mv "$wanted.part" "$wanted"
            elif [ "$1" = q4_1 ] || [ "$1" = q6_k ]; then
                make_model q8_0
                build/bin/alpaca convert "$file" --type "$1" -o "$wanted"
            else
                "$python" scripts/make-synthetic.py --shape "$shape" ${layers:+--layers "$layers"} --type "$1" "$wanted.part"
                mv "$wanted.part" "$wanted"
            fi ;;
        *)
            make_model q8_0
            build/bin/alpaca convert "$file" --type "$1" -o "$wanted" ;;
    esac
    file=$wanted
    made+=("$file")
}

# What other types are made of is kept until all of them have been measured.
drop_models() {
    [ "${KEEP:-yes}" = no ] || return 0
    local each kept=()
    for each in "${made[@]}"; do
        case $each in
            *-q8_0.gguf | *-f16.gguf) if [ "$1" = all ]; then rm -f "$each"; else kept+=("$each"); fi ;;
            *) rm -f "$each" ;;
        esac
    done
    made=("${kept[@]}")
}
trap 'drop_models all' EXIT

peers=${LLAMA_BENCH:-}
if [ -z "$peers" ]; then
    for build in avx2 native; do
        [ ! -x "build/peer/$build/bin/llama-bench" ] || peers+=${peers:+:}$build=build/peer/$build/bin/llama-bench
    done
    [ -n "$peers" ] || peers=$(command -v llama-bench || true)
fi
[ "$peers" != none ] || peers=

for type in ${types//,/ }; do
    make_model "$type"
    for suite in ${suites//,/ }; do
        name=$size-$type
        [ "$suite" = types ] || name+=-$suite
        # shellcheck disable=SC2086
        "$python" Benchmarks/compare.py "$file" --suite "$suite" --paths "${PATHS:-}" --peers "$peers" -r "${ROUNDS:-3}" \
            -d "${DEPTH:-4096}" --peer-rounds "${PEER_ROUNDS:-0}" --json "$results/$name.json" ${OPTIONS:-}
        echo
    done
    drop_models some
done
"$python" -c 'import matplotlib' 2> /dev/null || "$python" -m pip install --quiet --disable-pip-version-check matplotlib
"$python" Benchmarks/charts.py "$results"
[ "$size" = mini ] || "$python" Benchmarks/figures.py
