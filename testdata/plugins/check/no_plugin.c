/* `PluginType` without `Plugin`. */
const char PluginType[] = "LIST_NODE";
