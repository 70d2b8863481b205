#!/usr/bin/env bash
# fuzz.sh LIMIT [TARGET...]: fuzzes each reader under AddressSanitizer until the limit, libFuzzer's -max_total_time=SECONDS or -runs=NUMBER (at
# most an hour each). Findings stay in build/fuzz/findings; exit status 1 if there are any. Corpora grow in build/fuzz/corpus.
# JOBS=2 fuzzes two targets at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=$1
shift
# Bytes of an input: what the small models of Tests/fuzz/small_models.py take; longer ones reach nothing more, and take longer.
declare -A most=([gguf]=4096 [imatrix]=1024 [ggml]=2048 [safetensors]=2304 [torch]=3072 [zip]=3072 [folder]=4096 [json]=1024
    [adapter_config]=1024 [sentencepiece]=3584 [text]=192 [template]=128 [sampler]=160 [blocks]=420 [jinja]=512 [tokenizer_json]=6144
    [tiktoken]=4096 [bytes]=192)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(gguf imatrix ggml safetensors torch zip folder json adapter_config sentencepiece text template sampler
    blocks jinja tokenizer_json tiktoken bytes)

# Kernels are reached by hashes alone: they have no part in the coverage, and to optimize them with the checks takes minutes. Of --wrap
# Fuzz.swift tells.
export SWIFT_BACKTRACE=enable=no ALPACA_FUZZ=1 ALPACA_KERNEL_OPTIMIZATION=-O0
wrapped=()
for width in 1 2; do
    for comparison in cmp const_cmp; do wrapped+=(-Xlinker "--wrap=__sanitizer_cov_trace_$comparison$width"); done
done
mkdir -p build/fuzz
timeout 1800 swift build -c release --product Fuzz --scratch-path .build-fuzz -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer,address \
    -Xcc -fsanitize=address -Xswiftc -num-threads -Xswiftc 2 -Xswiftc -use-ld=lld "${wrapped[@]}" > build/fuzz/build.log 2>&1 \
    || { grep -E 'error' build/fuzz/build.log || tail -5 build/fuzz/build.log; exit 1; }

rm -rf build/fuzz/seeds build/fuzz/findings
mkdir -p build/fuzz/findings
sizes=()
for target in "${!most[@]}"; do sizes+=("$target:${most[$target]}"); done
python3 Tests/fuzz/make_seeds.py build/fuzz/seeds "${sizes[@]}"

# Memory that was freed is used again soon, and where it came from is not kept: with both, most of the time went into them. A finding that is
# run alone (FUZZ_TARGET=... .build-fuzz/release/Fuzz FILE) has the whole story.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=1:malloc_context_size=0:detect_stack_use_after_return=0
export FUZZ_TOKENIZER=Tests/Goldens/tokenizers/mini_chinese_alpaca.model TMPDIR=/dev/shm

fuzz() {
    local target=$1 log=build/fuzz/$1.log dictionary=Tests/fuzz/dictionaries/$1.dict
    case $target in
    ggml | imatrix) dictionary=Tests/fuzz/dictionaries/gguf.dict ;;
    zip) dictionary=Tests/fuzz/dictionaries/torch.dict ;;
    bytes) dictionary=Tests/fuzz/dictionaries/text.dict ;;
    safetensors | adapter_config | folder | tokenizer_json) dictionary=Tests/fuzz/dictionaries/json.dict ;;
    esac
    local options=(-max_total_time=3600 "$limit" -max_len="${most[$target]}" -timeout=5 -rss_limit_mb=2048 -reload=0 -detect_leaks=0
        -artifact_prefix="build/fuzz/findings/$target-" -print_final_stats=1)
    [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
    mkdir -p "build/fuzz/corpus/$target"
    if FUZZ_TARGET=$target timeout 4000 .build-fuzz/release/Fuzz "${options[@]}" "build/fuzz/corpus/$target" "build/fuzz/seeds/$target" > "$log" 2>&1; then
        echo "$target: $(grep -oE 'number_of_executed_units: [0-9]+' "$log" | grep -oE '[0-9]+') executions in $(grep -oE 'in [0-9]+ second' "$log" | grep -oE '[0-9]+') s, $(grep -oE 'DONE +cov: [0-9]+' "$log" | grep -oE '[0-9]+$') places, no finding"
    else
        echo "$target: FOUND"
        grep -m 5 -E 'ERROR|SUMMARY|Fatal|Test unit written' "$log" || true
        touch build/fuzz/findings/any
    fi
}

for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n; done
    fuzz "$target" &
done
wait
[ ! -e build/fuzz/findings/any ]
