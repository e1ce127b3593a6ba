// Package plugin is what the author of a plugin in Go uses. It has the original's names, and speaks
// sealer's C ABI instead of Go's: a shared object that was built once loads in every later sealer.
//
//	package main
//
//	import (
//		// const char PluginType[] = "GREETER";
//		"C"
//
//		"sealer/sdk/plugin"
//	)
//
//	type greeter struct{}
//
//	func (greeter) Run(context plugin.Context, phase plugin.Phase) error {
//		for _, address := range context.Host {
//			context.LogFor(address, "hello")
//		}
//		return nil
//	}
//
//	func main() { plugin.Export(greeter{}) }
//
// The comment above `"C"` is C: sealer reads the array from the file, without running it. Build it
// with
//
//	go build -buildmode=c-shared -o greeter.so .
//
// and copy the `.so` into the image's `plugin/`. A file with that comment must not have `//export`
// functions of its own: cgo would then define the array twice.
package plugin

import (
	v1 "sealer/sdk/types/api/v1"
	v2 "sealer/sdk/types/api/v2"
)

// Interface is a plugin.
type Interface interface {
	// Run does the plugin's work for one phase. Its error ends sealer's run with that message. A
	// panic is reported as a bug of the plugin; one of another goroutine ends the process.
	Run(context Context, phase Phase) error
}

// Describer is a plugin that says what it is.
type Describer interface {
	// Describe is called without a cluster.
	Describe() Description
}

// Validator is a plugin that can check its `spec.data`.
type Validator interface {
	// Validate checks, and touches nothing: sealer refuses all questions meanwhile. Its error says
	// what is wrong with the data.
	Validate(context Context) error
}

// Planner is a plugin that can say what it would do.
type Planner interface {
	// Plan returns what Run would do, a line each, and changes nothing: sealer refuses commands and
	// copies meanwhile.
	Plan(context Context, phase Phase) ([]string, error)
}

// Undoer is a plugin that can take back what it did.
type Undoer interface {
	// Undo takes back what Run did in a phase, also if Run did only a part of it: on a delete, and
	// after a Run that failed.
	Undo(context Context, phase Phase) error
}

// Phase is a point of a run where plugins are called.
type Phase string

// The phases, in the order of a run.
const (
	PhaseOriginally  = Phase("Originally")
	PhasePreHostInit = Phase("PreHostInit")
	PhasePreInit     = Phase("PreInit")
	PhasePreInstall  = Phase("PreInstall")
	PhasePreJoin     = Phase("PreJoin")
	PhasePostJoin    = Phase("PostJoin")
	PhasePreGuest    = Phase("PreGuest")
	PhasePostInstall = Phase("PostInstall")
	PhasePreUpgrade  = Phase("PreUpgrade")
	PhasePostUpgrade = Phase("PostUpgrade")
	PhasePreClean    = Phase("PreClean")
	PhasePostClean   = Phase("PostClean")
)

// Context is what a plugin is called for, and its way to ask sealer for things.
//
// Its methods may be called from any goroutine until the plugin has returned; afterwards they fail.
// Sealer answers one question at a time.
type Context struct {
	// Plugin is the YAML that calls the plugin.
	Plugin *v1.Plugin
	// Cluster is the cluster.
	Cluster *v2.Cluster
	// Host has the addresses of the hosts that the call is for: those `spec.on` selects, else all.
	Host []string

	session    *session
	rootfs     string
	kubeconfig string
}

// Rootfs returns the folder that the image has on every host.
func (c Context) Rootfs() string { return c.rootfs }

// Kubeconfig returns a kubeconfig file on the machine where the plugin runs, or nothing before the
// cluster has one.
func (c Context) Kubeconfig() string { return c.kubeconfig }

// What a plugin may need of sealer: the words of Description.Needs.
const (
	NeedsExec    = "exec"
	NeedsCopy    = "copy"
	NeedsRead    = "read"
	NeedsKube    = "kube"
	NeedsNetwork = "network"
)

// Whether a plugin is called once for all hosts or once for each: the words of Description.Scope.
const (
	ScopeCluster = "cluster"
	ScopeHost    = "host"
)

// Description says what a plugin is. All of it may be left out.
type Description struct {
	// Version is the plugin's own.
	Version string `json:"version,omitempty"`
	// Summary is one line on what it does.
	Summary string `json:"summary,omitempty"`
	// Phases are those that the plugin may be called in; none: all of them.
	Phases []Phase `json:"phases,omitempty"`
	// Scope is ScopeCluster, which nothing means too, or ScopeHost.
	Scope string `json:"scope,omitempty"`
	// Schema is a JSON Schema of `spec.data`, which is read as YAML then: anything that
	// encoding/json can write.
	Schema any `json:"schema,omitempty"`
	// Needs says what the plugin asks for, and all else is refused. Without it, all is allowed.
	Needs []string `json:"needs,omitempty"`
	// Idempotent says that a second call does no more than the first.
	Idempotent bool `json:"idempotent,omitempty"`
	// TimeoutSeconds is how long a call may take where the YAML says nothing.
	TimeoutSeconds uint64 `json:"timeout_seconds,omitempty"`
}
