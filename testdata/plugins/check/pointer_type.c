/* `PluginType` as a pointer, which cannot be read without running the file. */
#include "sealer_plugin.h"

const char *PluginType = "LIST_NODE";
const struct sealer_plugin Plugin = {.size = sizeof(struct sealer_plugin), .version = SEALER_PLUGIN_VERSION};
