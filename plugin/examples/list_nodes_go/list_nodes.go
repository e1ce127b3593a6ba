// The plugin of the owner's page: lists the cluster's nodes. Its imports are changed, and main is
// added. Where the original only printed the names, this one also leaves them on every host it is
// for, as nodes.txt in the image's root there.
package main

import (
	// const char PluginType[] = "LIST_NODE";
	"C"
	"fmt"
	"sealer/sdk/client/k8s"
	"sealer/sdk/plugin"
	"strings"
)

type list string

func (l *list) Run(context plugin.Context, phase plugin.Phase) error {
	client, err := k8s.Newk8sClient()
	if err != nil {
		return err
	}
	nodeList, err := client.ListNodes()
	if err != nil {
		return fmt.Errorf("cluster nodes not found, %v", err)
	}
	names := make([]string, 0, len(nodeList.Items))
	for _, v := range nodeList.Items {
		context.Log(v.Name)
		names = append(names, v.Name)
	}
	write := fmt.Sprintf("printf '%%s\\n' %s > %s/nodes.txt", strings.Join(names, " "), context.Rootfs())
	for _, address := range context.Host {
		output, err := context.Exec(address, write)
		if err != nil {
			return err
		}
		if output.Status != 0 {
			return fmt.Errorf("%s: %s", address, strings.TrimSpace(output.Stderr))
		}
	}
	return nil
}

var PluginType = "LIST_NODE"
var Plugin list

func main() { plugin.Export(&Plugin) }
