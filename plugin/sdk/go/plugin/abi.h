/* What Go calls of C; see abi.c. */
#ifndef SEALER_GO_ABI_H
#define SEALER_GO_ABI_H

#include <stdlib.h>

#include "sealer_plugin.h"

/* Bytes from malloc; who asked for them frees `data`. */
struct sealer_go_bytes {
    uint8_t *data;
    size_t size, capacity;
};

/* Calls `write`: Go cannot call a function pointer. */
void sealer_go_write(sealer_write write, void *sink, const uint8_t *data, size_t size);

/* Asks sealer, and adds its answer to `reply`. */
int32_t sealer_go_call(const struct sealer_host *host, const uint8_t *request, size_t size,
                       struct sealer_go_bytes *reply);

#endif
