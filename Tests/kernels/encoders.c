/* Rows of floats to every type, with and without importance, and what encoders refuse; then the checksums. */
#include "kernels.h"
#include <string.h>

enum { ROW = 512, ROWS = 8 };
static const char *const row_names[ROWS] = {"noise", "zero", "all alike", "positive", "subnormal", "large", "one outlier", "edges"};

static void make_row(int which, float *x) {
    fill_floats(x, ROW, 1);
    if (which == 7) fill_edges(x, ROW, false);
    for (size_t i = 0; i < ROW; i++) {
        switch (which) {
        case 1: x[i] = i % 2 ? 0.0f : -0.0f; break;
        case 2: x[i] = i < ROW / 2 ? 0.37f : -0.37f; break;
        case 3: x[i] = (x[i] < 0 ? -x[i] : x[i]) + 1; break;
        case 4: x[i] *= 0x1p-135f; break;
        case 5: x[i] *= 1e38f; break;
        case 6: if (i == 100) x[i] = 1000; break;
        default: break;
        }
    }
}

static void compare_row(const kern_table *const *tables, int n_tables, const format *f, const char *row, const float *x,
                        const float *importance) {
    const size_t bytes = ROW / f->weights * f->bytes;
    uint8_t *expected = NULL;
    int expected_ok = 0;
    for (int i = 0; i < n_tables; i++) {
        uint8_t *out = guarded(bytes, 4);
        int ok = tables[i]->vector.quantize_row(f->type, x, ROW, importance, out);
        if (!i) expected = out, expected_ok = ok;
        compare(&ok, i ? &expected_ok : &ok, sizeof ok, false, tables[i]->name, "%s of %s: accepted", f->name, row);
        if (!ok) continue;
        compare(out, expected, bytes, false, tables[i]->name, "%s of %s%s", f->name, row, importance ? ", importance" : "");
        const int stored = tables[i]->vector.stored_numbers(f->type, out, ROW);
        const int known = tables[0]->vector.stored_numbers(f->type, expected, ROW);
        compare(&stored, &known, sizeof stored, false, tables[i]->name, "%s of %s: what is stored", f->name, row);
    }
}

void compare_encoders(const kern_table *const *tables, int n_tables, bool brief) {
    for (int i = 0; i < FORMATS; i++) {
        for (int row = 0; row < ROWS; row++) {
            if (brief && row % 3) continue;
            float *x = guarded(ROW * 4, 4), *importance = guarded(ROW * 4, 4);
            make_row(row, x);
            for (size_t k = 0; k < ROW; k++) importance[k] = k % 7 && !(k / 32 == 3) ? random_float(0.5f) + 0.5f : 0;
            compare_row(tables, n_tables, &formats[i], row_names[row], x, NULL);
            compare_row(tables, n_tables, &formats[i], row_names[row], x, importance);
            x[row * 31 + 17] = row % 2 ? __builtin_inff() : __builtin_nanf("");
            compare_row(tables, n_tables, &formats[i], "not finite", x, NULL);
            forget_all();
        }
    }
}

void compare_checksums(const kern_table *const *tables, int n_tables, bool brief) {
    (void)tables, (void)n_tables, (void)brief; /* they have paths of their own */
    static const size_t lengths[] = {0, 1, 7, 8, 9, 63, 64, 255, 256, 257, 1000, 5003};
    uint8_t *bytes = guarded(5003, 1);
    for (size_t i = 0; i < 5003; i++) bytes[i] = (uint8_t)(random_bits() >> 24);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t n = lengths[i];
        const uint32_t plain = kern_crc32_generic(0x12345678, bytes + 5003 - n, n), crc = kern_crc32(0x12345678, bytes + 5003 - n, n);
        uint32_t plain_state[8], state[8];
        for (uint32_t k = 0; k < 8; k++) plain_state[k] = state[k] = 0x9E3779B9u * (k + 1);
        kern_sha256_generic(plain_state, bytes + 5003 - n, n / 64);
        kern_sha256(state, bytes + 5003 - n, n / 64);
        compare(&plain, &plain, 4, false, "generic", "CRC-32");
        compare(plain_state, plain_state, 32, false, "generic", "SHA-256");
        compare(&crc, &plain, 4, false, kern_crc32_name(), "CRC-32 of %zu bytes", n);
        compare(state, plain_state, 32, false, kern_sha256_name(), "SHA-256 of %zu blocks", n / 64);
    }
    kern_pause();
    forget_all();
}
