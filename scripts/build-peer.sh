#!/usr/bin/env bash
# Builds llama.cpp's llama-bench for `make bench` to compare with, twice: with AVX2 and no more, and with all that this machine has. The
# source is the one in the package llama-cpp-python on PyPI, PEER_VERSION or its newest. Takes minutes; the result lies in build/peer.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${PEER_VERSION:-}
work=build/peer
mkdir -p "$work/download"
if ! compgen -G "$work/source/*/vendor/llama.cpp/CMakeLists.txt" > /dev/null; then
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-binary :all: --no-deps -d "$work/download" \
        "llama-cpp-python${version:+==$version}"
    mkdir -p "$work/source"
    tar -xzf "$(ls -t "$work"/download/llama_cpp_python-*.tar.gz | sed -n 1p)" -C "$work/source"
fi
source=$(dirname "$(compgen -G "$work/source/*/vendor/llama.cpp/CMakeLists.txt" | sed -n 1p)")
common=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_UI=OFF)

# build NAME OPTION...
build() {
    local name=$1
    shift
    cmake -S "$source" -B "$work/$name" "${common[@]}" "$@" > "$work/$name.log" 2>&1 \
        && cmake --build "$work/$name" --target llama-bench -j "$(nproc)" >> "$work/$name.log" 2>&1 \
        || { tail -20 "$work/$name.log"; exit 1; }
    echo "$work/$name/bin/llama-bench"
}

if [ "$(uname -m)" = x86_64 ]; then
    build avx2 -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON
fi
build native -DGGML_NATIVE=ON
