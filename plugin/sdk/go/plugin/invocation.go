package plugin

import (
	"encoding/json"
	"sort"

	v1 "sealer/sdk/types/api/v1"
	v2 "sealer/sdk/types/api/v2"
)

// invocation is the request of every verb but describe, as docs/reference/plugin-abi.md has it.
type invocation struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Phase   Phase    `json:"phase"`
	Data    string   `json:"data"`
	Hosts   []string `json:"hosts"`
	Cluster struct {
		Name       string            `json:"name"`
		Image      string            `json:"image"`
		Rootfs     string            `json:"rootfs"`
		Env        map[string]string `json:"env"`
		Kubeconfig string            `json:"kubeconfig"`
		Hosts      []struct {
			Address  string            `json:"address"`
			Hostname string            `json:"hostname"`
			Roles    []string          `json:"roles"`
			Env      map[string]string `json:"env"`
		} `json:"hosts"`
	} `json:"cluster"`
}

// contextOf reads a request: it gives all of a Context but the session.
func contextOf(request []byte) (Context, Phase, error) {
	var sent invocation
	if err := json.Unmarshal(request, &sent); err != nil {
		return Context{}, "", err
	}
	plugin := &v1.Plugin{
		TypeMeta:   v1.TypeMeta{Kind: "Plugin", APIVersion: "sealer.aliyun.com/v1alpha1"},
		ObjectMeta: v1.ObjectMeta{Name: sent.Name},
		Spec:       v1.PluginSpec{Type: sent.Type, Data: sent.Data, Action: string(sent.Phase)},
	}
	cluster := &v2.Cluster{
		TypeMeta:   v1.TypeMeta{Kind: "Cluster", APIVersion: "sealer.cloud/v2"},
		ObjectMeta: v1.ObjectMeta{Name: sent.Cluster.Name},
		Spec:       v2.ClusterSpec{Image: sent.Cluster.Image, Env: list(sent.Cluster.Env)},
	}
	for _, host := range sent.Cluster.Hosts {
		cluster.Spec.Hosts = append(cluster.Spec.Hosts, v2.Host{
			IPS: []string{host.Address}, Hostname: host.Hostname, Roles: host.Roles, Env: list(host.Env),
		})
	}
	context := Context{
		Plugin: plugin, Cluster: cluster, Host: sent.Hosts,
		rootfs: sent.Cluster.Rootfs, kubeconfig: sent.Cluster.Kubeconfig,
	}
	return context, sent.Phase, nil
}

// list returns an environment as the original has it.
func list(env map[string]string) []string {
	var lines []string
	for name, value := range env {
		lines = append(lines, name+"="+value)
	}
	sort.Strings(lines)
	return lines
}
