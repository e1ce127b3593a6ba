// Package v1 has the original's type of a plugin's YAML.
package v1

// TypeMeta says what a document is.
type TypeMeta struct {
	Kind       string `json:"kind,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
}

// ObjectMeta names a document.
type ObjectMeta struct {
	Name        string            `json:"name,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Plugin is a `kind: Plugin` document, as far as sealer passes it on.
type Plugin struct {
	TypeMeta   `json:",inline"`
	ObjectMeta `json:"metadata,omitempty"`

	Spec PluginSpec `json:"spec,omitempty"`
}

// PluginSpec is what a plugin is to do, and when.
type PluginSpec struct {
	// Type is the string that the shared object exports as `PluginType`.
	Type string `json:"type,omitempty"`
	// Data is text for the plugin, in a form of its own.
	Data string `json:"data,omitempty"`
	// Action is the phase that is being run, also where the YAML lists several.
	Action string `json:"action,omitempty"`
	// On selects hosts. Sealer resolves it: it is empty here, and the hosts are in Context.Host.
	On string `json:"on,omitempty"`
}
