/* `Plugin` without `PluginType`. */
#include "sealer_plugin.h"

const struct sealer_plugin Plugin = {.size = sizeof(struct sealer_plugin), .version = SEALER_PLUGIN_VERSION};
