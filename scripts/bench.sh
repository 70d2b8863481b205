#!/usr/bin/env bash
# bench.sh SIZE TYPES: speed on models of real size with random weights (130m, 1.3b or 7b; llama3, qwen3 or mixtral: Llama-3-8B, Qwen3-4B and
# Mixtral-8x7B; types with commas, or "all"), beside llama.cpp where there is one. Results and charts go to docs/benchmarks; SIZE mini takes
# the model of the repository and leaves them in build/bench.
#
#   LAYERS=4                 of llama3, qwen3 and mixtral in place of the real model's; default: all, of mixtral 4 of its 32 (4 GB in place of
#                            26). Names say "mixtral-4of32".
#   PATHS=avx2,avx512        CPU paths of ours to measure; default: the one that it chooses
#   LLAMA_BENCH=avx2=FILE:native=FILE   llama-bench programs to compare with, each with a label or without one; default: those of
#                            `make bench-peer`, else the one on PATH. The package xllamacpp takes part where it is installed in .venv.
#   ROUNDS=3 DEPTH=4096 OPTIONS=...     more for Benchmarks/compare.py
#
# The models are made in build/bench by the generator in the folder that ALPACA_SHARED names; types that it does not write are converted from
# its Q8_0, IQ1 to IQ3 by llama-quantize (LLAMA_QUANTIZE names it). They stay there: 4 GB for 7B in Q4_0.
set -euo pipefail
cd "$(dirname "$0")/.."
size=$1 types=$2
[ "$types" = all ] && types=q2_k,q3_k_m,iq4_xs,mxfp4,q4_0,iq4_nl,q4_1,q4_k_m,q5_0,q5_1,q5_k_m,q6_k,q8_0,f16
shared=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
maker=$shared/tools/make_synthetic_gguf.py
models=build/bench results=docs/benchmarks
mkdir -p "$models" "$results"

# Those of scripts/make-synthetic.py have vocabularies that are made up, and need nothing that is shared.
shape=
case $size in
    llama3 | qwen3 | mixtral)
        shape=$size
        layers=${LAYERS:-}
        [ "$shape" != mixtral ] || layers=${layers:-4}
        size=$(.venv/bin/python scripts/make-synthetic.py --shape "$shape" ${layers:+--layers "$layers"} --print-name) ;;
esac

if [ -z "$shape" ] && [ "$size" != mini ] && [ ! -f "$maker" ]; then
    echo "SKIPPED: the generator of large models is not in $shared: measuring the mini model"
    size=mini
fi
if [ "$size" = mini ]; then
    results=$models types=q8_0,f16
    for type in q8_0 f16; do cp -f "models/mini/chinese-alpaca-mini-$type.gguf" "$models/mini-$type.gguf"; done
fi

# make_model TYPE: build/bench/SIZE-TYPE.gguf, whole or not at all.
make_model() {
    local file=$models/$size-$1.gguf
    [ -f "$file" ] && return
    if [ -n "$shape" ]; then
        case $1 in
            q4_0 | q5_0 | q8_0 | q4_k_m | f16)
                .venv/bin/python scripts/make-synthetic.py --shape "$shape" ${layers:+--layers "$layers"} --type "$1" "$file.part"
                mv "$file.part" "$file" ;;
            *)
                make_model q8_0
                build/bin/alpaca convert "$models/$size-q8_0.gguf" --type "$1" -o "$file" ;;
        esac
        return
    fi
    case $1 in
        iq[123]*)
            # Types that we only read: by llama.cpp's own program, LLAMA_QUANTIZE, from F16.
            make_model f16
            "${LLAMA_QUANTIZE:-llama-quantize}" --pure "$models/$size-f16.gguf" "$file.part" "$1" > "$models/quantize.log"
            mv "$file.part" "$file" ;;
        q5_1 | q2_k | q3_k_m | q5_k_m | iq4_* | mxfp4 | tq*)
            make_model q8_0
            build/bin/alpaca convert "$models/$size-q8_0.gguf" --type "$1" -o "$file" ;;
        *)
            .venv/bin/python "$maker" --size "$size" --type "$1" --tokenizers "$shared/fixtures/tokenizers" "$file.part"
            mv "$file.part" "$file" ;;
    esac
}

peers=${LLAMA_BENCH:-}
if [ -z "$peers" ]; then
    for build in avx2 native; do
        [ ! -x "build/peer/$build/bin/llama-bench" ] || peers+=${peers:+:}$build=build/peer/$build/bin/llama-bench
    done
    [ -n "$peers" ] || peers=$(command -v llama-bench || true)
fi

for type in ${types//,/ }; do
    make_model "$type"
    # shellcheck disable=SC2086
    .venv/bin/python Benchmarks/compare.py "$models/$size-$type.gguf" --paths "${PATHS:-}" --peers "$peers" -r "${ROUNDS:-3}" \
        -d "${DEPTH:-4096}" --json "$results/$size-$type.json" ${OPTIONS:-}
    echo
done
.venv/bin/python -c 'import matplotlib' 2> /dev/null || .venv/bin/python -m pip install --quiet --disable-pip-version-check matplotlib
.venv/bin/python Benchmarks/charts.py "$results"
