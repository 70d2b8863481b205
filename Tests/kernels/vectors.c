/* Norms, gates, rotation, conversions, low-rank updates; and the angles, which have one path that must give the same on every machine. */
#include "kernels.h"
#include <math.h>
#include <string.h>

static const size_t lengths[] = {1, 2, 15, 16, 17, 47, 128, 1030};
enum { LENGTHS = sizeof lengths / sizeof *lengths, KINDS = 3, LONGEST = 1030 };

static float *numbers(size_t n, int kind) {
    float *x = guarded(n * 4, 4);
    fill_floats(x, n, 3);
    if (kind) fill_edges(x, n, kind == 2);
    return x;
}

static float *copy(const float *x, size_t n) { return memcpy(guarded(n * 4, 4), x, n * 4); }

/* One function of two vectors into another. */
typedef void operation(const kern_vector_table *v, float *x, const float *y, size_t n);
static void norm(const kern_vector_table *v, float *x, const float *y, size_t n) { v->rms_norm(x, y, 1e-6f, n, x); }
static void sum(const kern_vector_table *v, float *x, const float *y, size_t n) { v->add(x, y, n); }
static void gate(const kern_vector_table *v, float *x, const float *y, size_t n) { v->silu_mul(x, y, n); }

static void compare_operation(const kern_table *const *tables, int n_tables, const char *name, operation *f, size_t n, int kind) {
    const float *x = numbers(n, kind), *y = numbers(n, kind);
    float *expected = NULL;
    for (int i = 0; i < n_tables; i++) {
        float *out = copy(x, n);
        f(&tables[i]->vector, out, y, n);
        if (!i) expected = out;
        compare(out, expected, n * 4, true, tables[i]->name, "%s, %zu numbers, kind %d", name, n, kind);
    }
    forget_all();
}

/* Three heads whose pairs lie side by side, to heads of first halves and second halves; or back. */
static void reorder(float *to, const float *from, size_t head_dim, size_t rope_dim, bool to_halves) {
    for (size_t h = 0; h < 3; h++, to += head_dim, from += head_dim) {
        for (size_t i = 0; i < rope_dim; i++) {
            const size_t half = i % 2 * (rope_dim / 2) + i / 2;
            if (to_halves) to[half] = from[i];
            else to[i] = from[half];
        }
    }
}

static void compare_rope(const kern_table *const *tables, int n_tables, size_t head_dim, size_t rope_dim, int kind) {
    double frequencies[64];
    float *angles = guarded(rope_dim * 4, 4), *expected = NULL;
    for (size_t i = 0; i < rope_dim / 2; i++) frequencies[i] = 1.0 / (1.0 + (double)(i * i) * 7.25);
    kern_rope_angles(4000 + head_dim, frequencies, rope_dim / 2, 1.0f, angles);
    compare(angles, angles, rope_dim * 4, true, "generic", "angles");
    const float *x = numbers(3 * head_dim, kind);
    for (int i = 0; i < n_tables; i++) {
        float *out = copy(x, 3 * head_dim);
        tables[i]->vector.rope(out, 3, head_dim, rope_dim, angles, KERN_ROPE_INTERLEAVED);
        if (!i) expected = out;
        compare(out, expected, 3 * head_dim * 4, true, tables[i]->name, "rope, %zu of %zu, kind %d", rope_dim, head_dim, kind);
        /* The same pairs in the other order. */
        float *halves = copy(x, 3 * head_dim);
        reorder(halves, x, head_dim, rope_dim, true);
        tables[i]->vector.rope(halves, 3, head_dim, rope_dim, angles, KERN_ROPE_HALVES);
        float *back = copy(halves, 3 * head_dim);
        reorder(back, halves, head_dim, rope_dim, false);
        compare(back, expected, 3 * head_dim * 4, true, tables[i]->name, "rope by halves, %zu of %zu, kind %d", rope_dim, head_dim, kind);
    }
    forget_all();
}

static void compare_halves(const kern_table *const *tables, int n_tables, size_t n, int kind) {
    const float *x = numbers(n, kind);
    uint16_t *expected[2] = {NULL, NULL};
    for (int i = 0; i < n_tables; i++) {
        uint16_t *f16 = guarded(n * 2, 2), *bf16 = guarded(n * 2, 2);
        tables[i]->vector.f32_to_f16(x, n, f16);
        tables[i]->vector.f32_to_bf16(x, n, bf16);
        if (!i) expected[0] = f16, expected[1] = bf16;
        compare(f16, expected[0], n * 2, false, tables[i]->name, "f32_to_f16, %zu numbers, kind %d", n, kind);
        compare(bf16, expected[1], n * 2, false, tables[i]->name, "f32_to_bf16, %zu numbers, kind %d", n, kind);
    }
    forget_all();
}

/* Every binary16 number to a float, and what lies around each of them back. */
static void compare_every_half(const kern_table *const *tables, int n_tables) {
    enum { ALL = 65536 };
    uint16_t *halves = guarded(ALL * 2, 2), *back[2] = {NULL, NULL};
    float *expected = NULL;
    for (size_t i = 0; i < ALL; i++) halves[i] = (uint16_t)i;
    for (int i = 0; i < n_tables; i++) {
        float *out = guarded(ALL * 4, 4);
        uint16_t *again = guarded(ALL * 2, 2);
        tables[i]->vector.dequantize_row(KERN_F16, halves, ALL, out);
        if (!i) expected = out;
        compare(out, expected, ALL * 4, false, tables[i]->name, "every binary16 number");
        static const uint32_t steps[] = {0, 0x0FFF, 0x1000, 0x1001};
        for (int s = 0; s < 4; s++) {
            float *near = guarded(ALL * 4, 4);
            for (size_t k = 0; k < ALL; k++) {
                uint32_t bits;
                memcpy(&bits, &expected[k], 4);
                bits += steps[s];
                memcpy(&near[k], &bits, 4);
            }
            if (!i && !s) back[0] = guarded(4 * ALL * 2, 2);
            if (!s) back[1] = i ? guarded(4 * ALL * 2, 2) : back[0];
            tables[i]->vector.f32_to_f16(near, ALL, again);
            memcpy(back[1] + (size_t)s * ALL, again, ALL * 2);
        }
        compare(back[1], back[0], 4 * ALL * 2, false, tables[i]->name, "numbers around every binary16 number");
    }
    forget_all();
}

static void compare_dequantize(const kern_table *const *tables, int n_tables, const format *f) {
    const size_t n = f->weights == 1 ? 1037 : f->weights * 9, bytes = n / f->weights * f->bytes;
    uint8_t *row = guarded(bytes, f->type == KERN_F32 ? 4 : 2);
    for (int wild = 0; wild < 2; wild++) {
        float *expected = NULL;
        fill_blocks(f, row, n / f->weights);
        for (size_t i = 0; wild && i < bytes; i++) row[i] = (uint8_t)(random_bits() >> 24);
        for (int i = 0; i < n_tables; i++) {
            float *out = guarded(n * 4, 4);
            tables[i]->vector.dequantize_row(f->type, row, n, out);
            if (!i) expected = out;
            compare(out, expected, n * 4, true, tables[i]->name, "dequantize %s%s", f->name, wild ? ", any bits" : "");
        }
    }
    forget_all();
}

static void compare_lora(const kern_table *const *tables, int n_tables, size_t rank, size_t rows, size_t columns, int kind) {
    static const int32_t types[] = {KERN_F32, KERN_F16, KERN_BF16};
    const float *a = numbers(rank * columns, kind == 2 ? 0 : kind), *b = numbers(rows * (rank + 2), kind);
    for (int type = 0; type < 3; type++) {
        const format *f = &formats[type];
        uint8_t *w = guarded(rows * columns * f->bytes, 4);
        fill_blocks(f, w, rows * columns);
        for (int out_type = 0; out_type < 3; out_type++) {
            const size_t bytes = rows * columns * formats[out_type].bytes;
            uint8_t *expected = NULL;
            for (int i = 0; i < n_tables; i++) {
                const kern_vector_table *v = &tables[i]->vector;
                float *packed = guarded(v->lora_packed_count(rank, columns) * 4, 64);
                for (size_t k = rank; k-- > 0;) v->lora_pack(a + k * columns, k, rank, columns, packed);
                const kern_lora lora = {.a = packed, .b = b, .b_stride = rank + 2, .rank = rank, .columns = columns, .scale = 0.375f,
                                        .rounding = types[(type + out_type) % 3]};
                uint8_t *out = guarded(bytes, 4);
                v->lora_merge(&lora, rows, types[type], out_type == 2 && type == 0 ? NULL : w, columns * f->bytes, types[out_type], out,
                              columns * formats[out_type].bytes);
                if (!i) expected = out;
                compare(out, expected, bytes, types[out_type] == KERN_F32, tables[i]->name, "lora, rank %zu, %zu x %zu, %s to %s, %d",
                        rank, rows, columns, f->name, formats[out_type].name, kind);
            }
        }
    }
    forget_all();
}

void compare_vectors(const kern_table *const *tables, int n_tables, bool brief) {
    for (int n = 0; n < LENGTHS; n++) {
        for (int kind = 0; kind < KINDS; kind++) {
            compare_operation(tables, n_tables, "rms_norm", norm, lengths[n], kind);
            compare_operation(tables, n_tables, "add", sum, lengths[n], kind);
            compare_operation(tables, n_tables, "silu_mul", gate, lengths[n], kind);
            compare_halves(tables, n_tables, lengths[n], kind);
        }
    }
    for (int kind = 0; kind < KINDS; kind++) {
        compare_rope(tables, n_tables, 128, 128, kind);
        compare_rope(tables, n_tables, 80, 18, kind);
        compare_rope(tables, n_tables, 6, 6, kind);
        compare_rope(tables, n_tables, 64, 46, kind);

    }
    if (!brief) compare_every_half(tables, n_tables);
    for (int i = 0; i < FORMATS; i++) compare_dequantize(tables, n_tables, &formats[i]);
    for (int kind = 0; kind < 2; kind++) {
        compare_lora(tables, n_tables, 1, 3, 17, kind);
        compare_lora(tables, n_tables, 8, 9, 131, kind);
    }
}
