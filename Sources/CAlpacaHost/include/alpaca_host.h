/* See host.c. The header exists because a C target needs one. */
#ifndef ALPACA_HOST_H
#define ALPACA_HOST_H
#endif
