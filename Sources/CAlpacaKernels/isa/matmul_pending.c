/* Placeholders, so that the package links until the matrix products land. */
#include "alpaca_kernels.h"
extern const kern_matmul_table kern_matmul_generic, kern_matmul_avx2, kern_matmul_avxvnni, kern_matmul_avx512;
const kern_matmul_table kern_matmul_generic = {0}, kern_matmul_avx2 = {0}, kern_matmul_avxvnni = {0}, kern_matmul_avx512 = {0};
