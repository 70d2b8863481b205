#ifndef ALPACA_H
#define ALPACA_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
const char *alpaca_version(void);
#ifdef __cplusplus
}
#endif
#endif
