/* Where C meets Go: the exported struct `Plugin`, whose functions Go serves, and the callbacks that
 * Go cannot call by itself. `PluginType` stands in the plugin's own file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "abi.h"

#include <string.h>

#include "_cgo_export.h"

#define VERB(name)                                                                                          \
    static int32_t name(const uint8_t *request, size_t size, const struct sealer_host *host,                \
                        sealer_write write, void *sink) {                                                   \
        return sealerGoServe((char *)#name, (uint8_t *)request, size, (struct sealer_host *)host, write,    \
                             sink);                                                                         \
    }

VERB(run)
VERB(describe)
VERB(validate)
VERB(plan)
VERB(undo)

const struct sealer_plugin Plugin = {
    sizeof(struct sealer_plugin), SEALER_PLUGIN_VERSION, run, describe, validate, plan, undo,
};

void sealer_go_write(sealer_write write, void *sink, const uint8_t *data, size_t size) {
    write(sink, data, size);
}

static void collect(void *sink, const uint8_t *data, size_t size) {
    struct sealer_go_bytes *bytes = sink;
    if (size > bytes->capacity - bytes->size) {
        size_t capacity = 2 * bytes->capacity > bytes->size + size ? 2 * bytes->capacity : bytes->size + size;
        uint8_t *grown = realloc(bytes->data, capacity);
        if (!grown) abort();
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    if (size) memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

int32_t sealer_go_call(const struct sealer_host *host, const uint8_t *request, size_t size,
                       struct sealer_go_bytes *reply) {
    return host->call(host->context, request, size, collect, reply);
}
