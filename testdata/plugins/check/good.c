/* A plugin as sealer_plugin.h says. TYPE is its type. */
#include "sealer_plugin.h"

#ifndef TYPE
#define TYPE "LIST_NODE"
#endif

static int32_t run(const uint8_t *request, size_t request_size, const struct sealer_host *host,
                   sealer_write write, void *sink) {
    (void)request, (void)request_size, (void)host, (void)write, (void)sink;
    return SEALER_OK;
}

const char PluginType[] = TYPE;
const struct sealer_plugin Plugin = {.size = sizeof(struct sealer_plugin), .version = SEALER_PLUGIN_VERSION, .run = run};
