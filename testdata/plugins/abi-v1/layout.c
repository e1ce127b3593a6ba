/* The layout of the ABI's structs, pinned: compiled with the header as it is, and as it was frozen. */
#include <sealer_plugin.h>

#define AT(type, field, words) _Static_assert(offsetof(struct type, field) == 8 + (words) * sizeof(void *), #field)

_Static_assert(SEALER_PLUGIN_VERSION == 1, "version");
_Static_assert(SEALER_OK == 0 && SEALER_FAILED == 1 && SEALER_PANICKED == 2, "statuses");
_Static_assert(offsetof(struct sealer_host, size) == 0 && sizeof(((struct sealer_host *)0)->size) == 4, "size");
_Static_assert(offsetof(struct sealer_host, version) == 4 && sizeof(((struct sealer_host *)0)->version) == 4, "version");
AT(sealer_host, context, 0);
AT(sealer_host, call, 1);
_Static_assert(sizeof(struct sealer_host) == 8 + 2 * sizeof(void *), "sealer_host");
_Static_assert(offsetof(struct sealer_plugin, size) == 0 && sizeof(((struct sealer_plugin *)0)->size) == 4, "size");
_Static_assert(offsetof(struct sealer_plugin, version) == 4 && sizeof(((struct sealer_plugin *)0)->version) == 4, "version");
AT(sealer_plugin, run, 0);
AT(sealer_plugin, describe, 1);
AT(sealer_plugin, validate, 2);
AT(sealer_plugin, plan, 3);
AT(sealer_plugin, undo, 4);
_Static_assert(sizeof(struct sealer_plugin) == 8 + 5 * sizeof(void *), "sealer_plugin");

/* The functions' types: another one is an error here. */
static void write_it(void *sink, const uint8_t *data, size_t size) { (void)sink, (void)data, (void)size; }
static int32_t call_it(void *context, const uint8_t *request, size_t size, sealer_write write, void *sink) {
    return (void)context, (void)request, (void)size, (void)write, (void)sink, SEALER_OK;
}
static int32_t verb_it(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    return (void)request, (void)size, (void)host, (void)write, (void)sink, SEALER_OK;
}
const sealer_write pinned_write = write_it;
const struct sealer_host pinned_host = {sizeof pinned_host, SEALER_PLUGIN_VERSION, 0, call_it};
const struct sealer_plugin pinned_plugin = {sizeof pinned_plugin, SEALER_PLUGIN_VERSION, verb_it, verb_it, verb_it, verb_it, verb_it};
