package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// What a verb returns: SEALER_OK, SEALER_FAILED and SEALER_PANICKED of sealer_plugin.h.
const (
	done     = 0
	failed   = 1
	panicked = 2
)

var (
	exported Interface
	start    sync.Once
	current  atomic.Pointer[Context]
)

// Export says which plugin the shared object holds. It is called by the plugin's main, which sealer's
// first call runs.
func Export(plugin Interface) {
	if plugin == nil {
		panic("plugin.Export wants a plugin, not nil")
	}
	exported = plugin
}

// Current returns the context of the call under way, for code that is handed none. It fails outside
// of a call.
func Current() (Context, error) {
	if context := current.Load(); context != nil {
		return *context, nil
	}
	return Context{}, errOver
}

// A shared object's main is not run by Go's runtime. Calling it here keeps a plugin's own part to one
// function, which a shared object must have anyway.
//
//go:linkname authorsMain main.main
func authorsMain()

// serveExported is serve for the plugin that main exports.
func serveExported(verb string, request []byte, send asker) (int32, []byte) {
	return guarded(func() ([]byte, error) {
		start.Do(authorsMain)
		if exported == nil {
			return nil, errors.New("the plugin's main does not call plugin.Export")
		}
		return serve(exported, verb, request, send)
	})
}

// guarded turns an error or a panic into what a verb returns and writes.
func guarded(work func() ([]byte, error)) (status int32, written []byte) {
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n\n%s", cause, debug.Stack())
			status, written = panicked, []byte(fmt.Sprint(cause))
		}
	}()
	written, err := work()
	if err != nil {
		return failed, []byte(err.Error())
	}
	return done, written
}

// serve calls a verb of a plugin, and returns the answer. A verb that the plugin does not have
// succeeds and says nothing.
func serve(plugin Interface, verb string, request []byte, send asker) ([]byte, error) {
	if verb == "describe" {
		return describe(plugin)
	}
	context, phase, err := contextOf(request)
	if err != nil {
		return nil, fmt.Errorf("sealer's request: %w", err)
	}
	context.session = &session{send: send}
	defer context.session.end()
	current.Store(&context)
	defer current.Store(nil)

	switch verb {
	case "run":
		return nil, plugin.Run(context, phase)
	case "validate":
		if validator, ok := plugin.(Validator); ok {
			return nil, validator.Validate(context)
		}
	case "plan":
		if planner, ok := plugin.(Planner); ok {
			return plan(planner, context, phase)
		}
	case "undo":
		if undoer, ok := plugin.(Undoer); ok {
			return nil, undoer.Undo(context, phase)
		}
	}
	return nil, nil
}

func describe(plugin Interface) ([]byte, error) {
	describer, ok := plugin.(Describer)
	if !ok {
		return nil, nil
	}
	description := describer.Describe()
	answer := struct {
		Description
		// An empty list is said, other than none: it has precedence over the embedded one.
		Needs *[]string `json:"needs,omitempty"`
	}{Description: description}
	if description.Needs != nil {
		answer.Needs = &description.Needs
	}
	return json.Marshal(answer)
}

func plan(planner Planner, context Context, phase Phase) ([]byte, error) {
	steps, err := planner.Plan(context, phase)
	if err != nil {
		return nil, err
	}
	if steps == nil {
		steps = []string{}
	}
	return json.Marshal(map[string][]string{"steps": steps})
}
