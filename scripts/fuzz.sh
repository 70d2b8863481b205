#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET...]: fuzzes each reader for that long under AddressSanitizer. Findings stay in build/fuzz/findings; exit status 1 if
# there are any. Corpora grow in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no ALPACA_FUZZ=1 ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
seconds=$1
shift
timeout 1800 swift build -c release --product Fuzz --scratch-path .build-fuzz -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer,address \
    -Xcc -fsanitize=fuzzer-no-link,address -Xswiftc -use-ld=lld 2>&1 | grep -E 'error|Compiling|Build of' | tail -3
fuzz=.build-fuzz/release/Fuzz
rm -rf build/fuzz/seeds build/fuzz/findings
mkdir -p build/fuzz/findings
python3 Tests/fuzz/make_seeds.py build/fuzz/seeds
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(gguf ggml safetensors torch zip json adapter_config sentencepiece text template sampler)
export FUZZ_TOKENIZER=Tests/Goldens/tokenizers/mini_chinese_alpaca.model
failed=0
for target in "${targets[@]}"; do
    mkdir -p "build/fuzz/corpus/$target" "build/fuzz/seeds/$target"
    dictionary=Tests/fuzz/dictionaries/$target.dict
    case $target in ggml) dictionary=Tests/fuzz/dictionaries/gguf.dict ;; zip) dictionary=Tests/fuzz/dictionaries/torch.dict ;;
        safetensors | adapter_config) dictionary=Tests/fuzz/dictionaries/json.dict ;; esac
    options=(-max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=16384 -artifact_prefix="build/fuzz/findings/$target-" -print_final_stats=1)
    [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
    log=build/fuzz/$target.log
    if FUZZ_TARGET=$target timeout $((seconds + 120)) "$fuzz" "${options[@]}" "build/fuzz/corpus/$target" "build/fuzz/seeds/$target" > "$log" 2>&1; then
        echo "$target: $(grep -oE 'number_of_executed_units: [0-9]+' "$log" | grep -oE '[0-9]+') executions, no finding"
    else
        failed=1
        echo "$target: FOUND"
        grep -E 'ERROR|SUMMARY|Fatal|Test unit written' "$log" | head -5
    fi
done
exit $failed
