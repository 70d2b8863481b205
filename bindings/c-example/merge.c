/* Merges LoRAs into a base model and quantizes it, in one pass:
 *
 *     merge BASE OUTPUT.gguf TYPE ADAPTER...         merge llama/7B alpaca-7b.gguf q4_k_m chinese-alpaca-lora-7b
 *
 * Ctrl-C stops it and leaves nothing half done. C11, nothing but libalpaca. */
#include <alpaca.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

/* A line that tells how far it has come. A result other than 0 stops the conversion. */
static int32_t show(const alpaca_progress *progress, void *user_data) {
    (void)user_data;
    double share = progress->total > 0 ? (double)progress->done / (double)progress->total : 1;
    fprintf(stderr, "\r\033[K%s %3.0f %% %s", progress->stage, 100 * share, progress->item);
    return interrupted;
}

static int failed(const char *doing) {
    fprintf(stderr, "\r\033[K%s: %s\n", doing, alpaca_last_error());
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s BASE OUTPUT.gguf TYPE ADAPTER...\n", argv[0]);
        return 2;
    }
    size_t n = (size_t)(argc - 4);
    alpaca_adapter_source *adapters = (alpaca_adapter_source *)calloc(n > 0 ? n : 1, sizeof *adapters);
    if (adapters == NULL) return 1;
    for (size_t i = 0; i < n; i++) {
        adapters[i].path = argv[4 + i];
        adapters[i].scale = 1;
    }
    signal(SIGINT, on_interrupt);

    alpaca_convert_params params;
    if (alpaca_convert_params_init(&params, sizeof params) != ALPACA_OK) {
        free(adapters);
        return failed("the library is older than this program");
    }
    params.base = argv[1];
    params.output = argv[2];
    params.quantization = argv[3];
    params.adapters = adapters;
    params.n_adapters = n;
    params.overwrite = 1;
    params.progress = show;

    alpaca_convert_result result;
    result.struct_size = sizeof result;
    alpaca_status status = alpaca_convert(&params, &result, NULL);
    free(adapters);
    if (status == ALPACA_CANCELLED) {
        fprintf(stderr, "\r\033[Kstopped; nothing was changed\n");
        return 130;
    }
    if (status != ALPACA_OK) return failed(alpaca_status_name(status));
    printf("\r\033[K%s: %.1f MB in %.1f s, %llu tensors merged, %.0f MB of memory\n", argv[2], (double)result.size_bytes / 1e6,
           result.seconds, (unsigned long long)result.n_merged, (double)result.peak_memory / 1e6);
    return 0;
}
