package plugin_test

import (
	"errors"
	"testing"

	"sealer/sdk/plugin"
)

// everything is a plugin with all verbs.
type everything struct{ err error }

func (e everything) Run(plugin.Context, plugin.Phase) error { return e.err }

func (e everything) Describe() plugin.Description {
	return plugin.Description{
		Version:        "1.2.0",
		Summary:        "greets",
		Phases:         []plugin.Phase{plugin.PhasePostInstall},
		Scope:          plugin.ScopeHost,
		Schema:         map[string]string{"type": "string"},
		Needs:          []string{plugin.NeedsExec, plugin.NeedsKube},
		Idempotent:     true,
		TimeoutSeconds: 600,
	}
}

func (e everything) Validate(plugin.Context) error { return e.err }

func (e everything) Plan(_ plugin.Context, phase plugin.Phase) ([]string, error) {
	return []string{"greet at " + string(phase)}, e.err
}

func (e everything) Undo(plugin.Context, plugin.Phase) error { return e.err }

func TestVerbsAnswerTheDocumentedJSON(t *testing.T) {
	described := `{"version":"1.2.0","summary":"greets","phases":["PostInstall"],"scope":"host","schema":{"type":"string"},` +
		`"idempotent":true,"timeout_seconds":600,"needs":["exec","kube"]}`
	cases := []struct{ verb, request, answer string }{
		{"describe", `{}`, described},
		{"run", request, ``},
		{"validate", request, ``},
		{"plan", request, `{"steps":["greet at PostInstall"]}`},
		{"undo", request, ``},
	}
	for _, c := range cases {
		answer, err := plugin.Serve(everything{}, c.verb, []byte(c.request), nil)
		same(t, err, nil)
		same(t, string(answer), c.answer)
	}
}

func TestVerbsThatAPluginDoesNotHaveSucceedAndSayNothing(t *testing.T) {
	run := plugged(func(plugin.Context, plugin.Phase) error { return errors.New("this is not run") })
	for _, verb := range []string{"describe", "validate", "plan", "undo"} {
		answer, err := plugin.Serve(run, verb, []byte(request), nil)
		same(t, err, nil)
		same(t, string(answer), "")
	}
}

// described is a plugin that says something of itself.
type described struct {
	plugged
	description plugin.Description
}

func (d described) Describe() plugin.Description { return d.description }

func TestADescriptionTellsNeedingNothingFromNotSaying(t *testing.T) {
	for text, needs := range map[string][]string{`{}`: nil, `{"needs":[]}`: {}} {
		said := described{description: plugin.Description{Needs: needs}}
		answer, err := plugin.Serve(said, "describe", nil, nil)
		same(t, err, nil)
		same(t, string(answer), text)
	}
}

func TestAnErrorOfAnyVerbIsReturned(t *testing.T) {
	wrong := errors.New("the data has no colour")
	for _, verb := range []string{"run", "validate", "plan", "undo"} {
		_, err := plugin.Serve(everything{wrong}, verb, []byte(request), nil)
		same(t, err, wrong)
	}
}

func TestErrorsAndPanicsBecomeWhatTheABIReturns(t *testing.T) {
	cases := []struct {
		run     func(plugin.Context, plugin.Phase) error
		status  int32
		written string
	}{
		{func(plugin.Context, plugin.Phase) error { return nil }, plugin.Done, ""},
		{func(plugin.Context, plugin.Phase) error { return errors.New("not today") }, plugin.Failed, "not today"},
		{func(plugin.Context, plugin.Phase) error { panic("a bug") }, plugin.Panicked, "a bug"},
		{
			func(context plugin.Context, _ plugin.Phase) error { _ = context.Host[2]; return nil },
			plugin.Panicked, "runtime error: index out of range [2] with length 2",
		},
	}
	for _, c := range cases {
		status, written := plugin.Guarded(func() ([]byte, error) {
			return plugin.Serve(plugged(c.run), "run", []byte(request), nil)
		})
		same(t, status, c.status)
		same(t, string(written), c.written)
		_, err := plugin.Current()
		same(t, plugin.IsOver(err), true)
	}
}
