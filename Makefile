# Alpaca. `make help` lists the targets.
#
# Everything is built into build/: lib/ (the library), include/, bin/ (the command), examples/.

VERSION := 1.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
MODEL   := models/mini/chinese-alpaca-mini-q8_0.gguf
PYTHON  := .venv/bin/python

export SWIFT_BACKTRACE := enable=no

# Self-contained: the Swift runtime is linked in, and what nobody calls is left out. --wrap=NAME: calls of NAME from inside the library come to
# __wrap_NAME in Sources/CAlpacaHost/host.c, which keeps the runtime from the host's signals and from locks that do not survive a fork.
# Tests/abi/wrapped.sh sees whether a new toolchain still does these things that way, and says what to do when it does not.
SWIFT_BUILD := swift build -c release --disable-local-rpath -Xswiftc -static-stdlib -Xswiftc -use-ld=lld
LIBRARY_FLAGS := \
	-Xlinker -s -Xlinker --gc-sections \
	-Xlinker --version-script=$(CURDIR)/exports.map -Xlinker -soname=libalpaca.so.1 \
	-Xlinker --wrap=sigaction -Xlinker --wrap=sigaltstack -Xlinker --wrap=syscall \
	-Xlinker -z -Xlinker nodelete -Xlinker -z -Xlinker now

all: lib cli

help:
	@echo "make            the library and the command, in build/"
	@echo "make demo       sets up what is missing, builds, and writes a poem through C and through Python"
	@echo "make test       sets up what is missing and runs all tests"
	@echo "make test-abi   the C interface from outside, and against the interface of 1.0; test-valgrind: in valgrind, with the C examples (minutes)"
	@echo "make test-hostile  broken and malicious files through the command, C and Python (minutes)"
	@echo "make test-faults  every write and read fails, kills, too little memory (minutes); or test-write, test-read, test-oom"
	@echo "make soak       1000 times open, write, free; 200,000 tokens; nothing may be left; CYCLES=, TOKENS="
	@echo "make test-cancel  how long calls take to return when they are cancelled, at 1000 random moments; CANCEL=, LARGE=a larger model too"
	@echo "make test-asan  the Swift tests under AddressSanitizer; test-tsan: under ThreadSanitizer (minutes)"
	@echo "make test-arm   the kernels for AArch64 under qemu, each path against plain C (a minute or two)"
	@echo "make coverage   which lines the Swift tests reach (minutes)"
	@echo "make fuzz       every reader under libFuzzer; SECONDS=60 TARGETS=\"gguf torch\""
	@echo "make test-reference  outputs read by torch, transformers, gguf; merges against PEFT; logits of a real model"
	@echo "make install    PREFIX=$(PREFIX): library, header, pkg-config and CMake files, bin/alpaca"
	@echo "make wheel      the Python wheel, in build/wheel/"
	@echo "make bench      speed beside the machine's limits and llama.cpp, charts; SUITE=types|threads|steps|depth|all"
	@echo "                SIZE=mini|130m|1.3b|7b|llama3|qwen3|mixtral TYPES=q4_0,q4_k_m|all PATHS=avx2,avx512 DEPTH=4096 KEEP=no (scripts/bench.sh)"
	@echo "make bench-peer builds llama.cpp's llama-bench and llama-batched-bench for it to compare with (minutes); BUILDS=avx2,native"
	@echo "make bench-convert  speed of conversions; SIZE=1.3b|7b TYPES=f16,q4_0 PEER_PYTHON=a Python with torch, transformers and peft"
	@echo "make bench-threads  calls of several threads at once; SECONDS=2 ROUNDS=5 MODEL= OLD_LIBRARY= SUBJECTS=callers,alone,prompt,cancel,sharing"
	@echo "make bench-start  time to the first token, with MODEL=path in memory and not; ROUNDS=3"
	@echo "make bench-tokenizer  speed of the tokenizers beside sentencepiece's and tokenizers'"
	@echo "make bench-context  perplexity over the length of the text, by kind of rope scaling; MODEL=, TEXT="
	@echo "make models-page  writes docs/models.md from the list of published models"
	@echo "make lint       formatting"
	@echo "make clean"

# ---- Building

lib:
	$(SWIFT_BUILD) --product alpaca $(LIBRARY_FLAGS)
	@mkdir -p build/lib build/include
	@# A new file: programs that run with the old one keep it.
	@cp --remove-destination .build/release/libalpaca.so build/lib/libalpaca.so.$(VERSION)
	@ln -sf libalpaca.so.$(VERSION) build/lib/libalpaca.so.1
	@ln -sf libalpaca.so.1 build/lib/libalpaca.so
	@cp -f include/alpaca.h build/include/
	@scripts/check-library.sh build/lib/libalpaca.so.1

cli:
	$(SWIFT_BUILD) --product alpaca-cli -Xlinker -s -Xlinker --gc-sections
	@mkdir -p build/bin
	@cp -f .build/release/alpaca-cli build/bin/alpaca

example: lib
	@$(MAKE) --no-print-directory -C bindings/c-example \
		ALPACA_INCLUDE=$(CURDIR)/build/include ALPACA_LIB=$(CURDIR)/build/lib OUT=$(CURDIR)/build/examples

install: lib cli
	scripts/install.sh "$(DESTDIR)" "$(PREFIX)" "$(VERSION)"

wheel: lib
	@rm -rf build/wheel
	$(PYTHON) -m pip wheel --quiet --no-deps --no-build-isolation -w build/wheel ./bindings/python

# The sample of a C extension of Python: one wheel for Python 3.9 and later.
extension: lib
	@rm -rf build/extension bindings/python/extension-sample/build
	ALPACA_INCLUDE=$(CURDIR)/build/include ALPACA_LIB=$(CURDIR)/build/lib $(PYTHON) -m pip wheel --quiet --no-deps --no-build-isolation -w build/extension \
		./bindings/python/extension-sample

# ---- The two commands of the README

setup:
	@scripts/setup.sh

demo: setup example wheel
	@scripts/demo.sh "$(MODEL)"

test: setup
	@scripts/test.sh

test-abi: setup wheel extension
	@scripts/install-wheels.sh
	@FULL=1 Tests/abi/run.sh build/lib/libalpaca.so.1 $(PYTHON)

test-valgrind: lib
	@scripts/setup.sh valgrind
	@VALGRIND=1 Tests/abi/run.sh build/lib/libalpaca.so.1

# Broken and malicious files; valid ones that are cut at every byte of their headers, and with every bit of their first 4 KB turned.
test-hostile: lib cli
	@scripts/test-hostile.sh
	@FULL=1 scripts/test-some.sh DamagedFileTests

# Every system call that writes fails once, 200 kills for each format.
test-write: cli
	@Tests/faults/run.sh write

# Every system call that opens, reads and maps fails, once and from then on.
test-read: cli
	@Tests/faults/run.sh read

# From too little memory for anything to enough, in small steps; and each large allocation refused.
test-oom: lib
	@Tests/faults/run.sh oom
	@scripts/test-some.sh OutOfMemoryTests

test-faults: test-write test-read test-oom

soak: lib
	@Tests/soak/run.sh build/lib/libalpaca.so.1

# Of a machine with nothing else to do: it is a matter of milliseconds.
test-cancel: lib
	@CYCLES=0 CANCEL=$(or $(CANCEL),1000) LARGE=$(LARGE) Tests/soak/run.sh build/lib/libalpaca.so.1

# The Swift tests under sanitizers: minutes.
test-asan:
	@scripts/sanitize.sh address

test-tsan:
	@scripts/sanitize.sh thread

# Which lines the Swift tests reach.
coverage:
	@scripts/coverage.sh

# The kernels for AArch64 under qemu.
test-arm:
	@scripts/test-arm.sh

# docs/models.md, from the list that the library has (a test compares them).
models-page:
	ALPACA_WRITE_DOCS=1 scripts/test-some.sh ModelsPageTests

# Every reader under libFuzzer and AddressSanitizer.
fuzz:
	@scripts/fuzz.sh $(if $(RUNS),-runs=$(RUNS),-max_total_time=$(or $(SECONDS),60)) $(TARGETS)

# What the converter writes, read by torch, transformers, PEFT, gguf and sentencepiece, which take a gigabyte or more to install.
test-reference:
	@scripts/test-reference.sh

# ---- Measuring

# In variables: a comma inside $(or ...) would part them.
BENCH_TYPES   := q4_0,q4_k_m
CONVERT_TYPES := f16,q4_0,q8_0,q4_k_m

# Takes SUITE, PATHS, LLAMA_BENCH, FILES, KEEP, ROUNDS, DEPTH, OPTIONS from the environment too: scripts/bench.sh.
bench: setup cli
	@scripts/bench.sh "$(or $(SIZE),130m)" "$(or $(TYPES),$(BENCH_TYPES))"

# PEER_VERSION: of the package llama-cpp-python. PEER_SOURCE, BUILDS: scripts/build-peer.sh.
bench-peer: setup
	@scripts/build-peer.sh

bench-convert: setup cli
	@scripts/bench-convert.sh "$(or $(SIZE),1.3b)" "$(or $(TYPES),$(CONVERT_TYPES))" $(OPTIONS)

# Takes OLD_LIBRARY and SUBJECTS from the environment too, MODEL from the command line alone: scripts/bench-threads.sh.
bench-threads: setup lib cli
	@scripts/bench-threads.sh "$(or $(SECONDS),2)" "$(or $(ROUNDS),5)"

# MODEL from the command line alone: scripts/bench-start.sh.
bench-start: setup lib
	@scripts/bench-start.sh $(PYTHON) "$(if $(filter command,$(firstword $(origin MODEL))),$(MODEL))" "$(or $(ROUNDS),3)"

# With the published tokenizers where the folder that ALPACA_SHARED names has them.
bench-tokenizer: setup lib
	@scripts/bench-tokenizer.sh $(PYTHON) $(OPTIONS)

# MODEL, TEXT: another model than the mini family's, and a text of at least three times its context; OPTIONS=--original N.
bench-context: setup lib
	@ALPACA_LIBRARY=$(CURDIR)/build/lib/libalpaca.so.1 $(PYTHON) Benchmarks/context.py \
		"$(or $(if $(filter command,$(firstword $(origin MODEL))),$(MODEL)),$${ALPACA_SHARED:-$(CURDIR)/../shared}/fixtures/mini/gguf/mini-chinese-alpaca-f16.gguf)" \
		"$(or $(TEXT),$${ALPACA_SHARED:-$(CURDIR)/../shared}/fixtures/mini/gguf/heldout_poems.txt)" $(OPTIONS)

# ---- Keeping order

lint:
	swift format lint --strict -r Sources Tests Package.swift

clean:
	rm -rf build .build .build-test bindings/python/dist

.PHONY: all help lib cli example install wheel setup demo test test-abi test-valgrind test-hostile test-write test-read test-oom test-faults test-asan test-tsan test-arm fuzz test-reference bench bench-convert bench-tokenizer bench-context lint clean bench-peer soak test-cancel bench-threads bench-start extension coverage models-page
