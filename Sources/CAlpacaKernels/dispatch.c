#include "alpaca_kernels.h"
