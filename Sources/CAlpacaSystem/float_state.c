#include "float_state.h"
#include <stdint.h>

/* The control words alone are read and written: <fenv.h> also takes the state of the x87 registers, which costs ten times as much. */
#if defined(__x86_64__)
#include <immintrin.h>
/* x87 is what long double uses, and where glibc looks for the rounding mode when it reads a number. */
typedef struct {
    uint32_t mxcsr;
    uint16_t x87;
} state;
static const state standard = {0x1F80, 0x037F};
static inline state get(void) {
    state s = {_mm_getcsr(), 0};
    __asm__ volatile("fnstcw %0" : "=m"(s.x87));
    return s;
}
static inline void set(state s) {
    _mm_setcsr(s.mxcsr);
    __asm__ volatile("fldcw %0" : : "m"(s.x87));
}
#elif defined(__aarch64__)
typedef struct {
    uint64_t fpcr, fpsr;
} state;
static const state standard = {0, 0};
static inline state get(void) {
    state s;
    __asm__ volatile("mrs %0, fpcr" : "=r"(s.fpcr));
    __asm__ volatile("mrs %0, fpsr" : "=r"(s.fpsr));
    return s;
}
static inline void set(state s) {
    __asm__ volatile("msr fpcr, %0" : : "r"(s.fpcr));
    __asm__ volatile("msr fpsr, %0" : : "r"(s.fpsr));
}
#else
#error "float_state.c: the floating-point control register of this architecture"
#endif

static __thread struct {
    int is_ours;
    state hosts;
} thread;

int float_state_enter(void) {
    if (thread.is_ours) return 0;
    thread.hosts = get();
    thread.is_ours = 1;
    set(standard);
    return 1;
}

void float_state_leave(void) {
    set(thread.hosts);
    thread.is_ours = 0;
}

int float_state_begin_callback(void) {
    if (!thread.is_ours) return 0;
    float_state_leave();
    return 1;
}

void float_state_end_callback(void) { (void)float_state_enter(); }

void float_state_set_default(void) { set(standard); }
