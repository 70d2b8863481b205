/* See host.c. */
#ifndef ALPACA_HOST_H
#define ALPACA_HOST_H

/* 1 when a megabyte can be had of the system, 0 when memory is about to run out. */
int host_has_headroom(void);

#endif
