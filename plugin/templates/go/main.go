// {{name}}: asks every host for its kernel, and reports a line each.
package main

import (
	// const char PluginType[] = "{{TYPE}}";
	"C"
	"fmt"
	"sealer/sdk/plugin"
	"strings"
)

type reporter struct{}

// Run is called at the phases that {{name}}.yaml names. What it prints is shown; an error ends the run.
func (reporter) Run(context plugin.Context, phase plugin.Phase) error {
	for _, host := range context.Host {
		output, err := context.Exec(host, "uname -r")
		if err != nil {
			return err
		}
		if output.Status != 0 {
			return fmt.Errorf("%s: %s", host, strings.TrimSpace(output.Stderr))
		}
		context.LogFor(host, strings.TrimSpace(output.Stdout))
	}
	return nil
}

// Plan says what Run would do; leave it out if that cannot be said.
func (reporter) Plan(context plugin.Context, phase plugin.Phase) ([]string, error) {
	return []string{fmt.Sprintf("ask %d hosts for their kernels", len(context.Host))}, nil
}

// Describe says what the plugin needs; all of it may be left out.
func (reporter) Describe() plugin.Description {
	return plugin.Description{Version: "0.1.0", Needs: []string{plugin.NeedsExec}, Idempotent: true}
}

func main() { plugin.Export(reporter{}) }
