#!/usr/bin/env bash
# Builds llama.cpp's llama-bench and llama-batched-bench for `make bench` to compare with, twice: with AVX2 and no more, and with all that this
# machine has. The source is the one in the package llama-cpp-python on PyPI, PEER_VERSION or its newest. Takes minutes, half an hour with two
# cores; the result lies in build/peer. Its loops for AMX are left out where they do not run: a machine may name AMX and not let programs use
# it. PEER_SOURCE names another folder of llama.cpp; BUILDS=native builds one of the two.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${PEER_VERSION:-}
work=build/peer
mkdir -p "$work/download"
if [ -z "${PEER_SOURCE:-}" ] && ! compgen -G "$work/source/*/vendor/llama.cpp/CMakeLists.txt" > /dev/null; then
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-binary :all: --no-deps -d "$work/download" \
        "llama-cpp-python${version:+==$version}"
    mkdir -p "$work/source"
    tar -xzf "$(ls -t "$work"/download/llama_cpp_python-*.tar.gz | sed -n 1p)" -C "$work/source"
fi
source=${PEER_SOURCE:-$(dirname "$(compgen -G "$work/source/*/vendor/llama.cpp/CMakeLists.txt" | sed -n 1p)")}
common=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_UI=OFF)

# build NAME OPTION...
build() {
    local name=$1
    shift
    cmake -S "$source" -B "$work/$name" "${common[@]}" "$@" > "$work/$name.log" 2>&1 \
        && cmake --build "$work/$name" --target llama-bench llama-batched-bench -j "$(nproc)" >> "$work/$name.log" 2>&1 \
        || { tail -20 "$work/$name.log"; exit 1; }
    echo "$work/$name/bin/llama-bench"
}

wanted() { [[ ",${BUILDS:-avx2,native}," == *",$1,"* ]]; }

if [ "$(uname -m)" = x86_64 ] && wanted avx2; then
    build avx2 -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON
fi

# has FLAG...: whether the processor says that it has all of them.
has() {
    local flag
    for flag in "$@"; do grep -m 1 -qw "^flags.* $flag" /proc/cpuinfo || return 1; done
}

native=(-DGGML_NATIVE=ON)
if [ "$(uname -m)" = x86_64 ] && has amx_tile; then
    # Named one by one, without AMX: asked for "native", the compiler takes AMX for usable, and a host may refuse it.
    native=(-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON -DGGML_AMX_TILE=OFF -DGGML_AMX_INT8=OFF
        -DGGML_AMX_BF16=OFF)
    ! has avx_vnni || native+=(-DGGML_AVX_VNNI=ON)
    ! has avx512f avx512bw avx512dq avx512vl avx512cd || native+=(-DGGML_AVX512=ON)
    ! has avx512_vnni || native+=(-DGGML_AVX512_VNNI=ON)
    ! has avx512vbmi || native+=(-DGGML_AVX512_VBMI=ON)
    ! has avx512_bf16 || native+=(-DGGML_AVX512_BF16=ON)
fi
! wanted native || build native "${native[@]}"
