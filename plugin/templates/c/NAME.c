/* {{name}}: says which hosts it is called for. */
#include "sealer_plugin.h"

#include <stdio.h>
#include <string.h>

/* The request is JSON (docs/reference/plugin-abi.md). What is printed is shown; a message that is
 * written to the sink is the error where the status is not SEALER_OK. */
static int32_t run(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    static const char *const no_hosts = "the request names no hosts";
    const char *hosts = memmem(request, size, "\"hosts\":[\"", 10), *end;
    (void)host; /* host->call asks sealer for things: sealer_plugin.h has them */
    if (!hosts || !(end = memchr(hosts, ']', size - (size_t)(hosts - (const char *)request)))) {
        write(sink, (const uint8_t *)no_hosts, strlen(no_hosts));
        return SEALER_FAILED;
    }
    printf("{{name}} is called for %.*s\n", (int)(end - hosts) - 9, hosts + 9);
    fflush(stdout);
    return SEALER_OK;
}

const char PluginType[] = "{{TYPE}}";
const struct sealer_plugin Plugin = {sizeof(struct sealer_plugin), SEALER_PLUGIN_VERSION, run, 0, 0, 0, 0};
