package plugin_test

import (
	"reflect"
	"testing"

	"sealer/sdk/plugin"
	v1 "sealer/sdk/types/api/v1"
	v2 "sealer/sdk/types/api/v2"
)

// The request of docs/reference/plugin-abi.md, with a field of a later sealer.
const request = `{
  "name": "list_nodes.so", "type": "LIST_NODE", "phase": "PostInstall", "data": "some data",
  "hosts": ["10.0.0.1", "10.0.0.4"], "later": {"than": "this"},
  "cluster": {
    "name": "my-cluster", "image": "kubernetes-post-install:v1.19.8",
    "rootfs": "/var/lib/sealer/data/my-cluster/rootfs",
    "env": { "MODE": "fast", "B": "2=2" },
    "kubeconfig": "/var/lib/sealer/clusters/my-cluster/admin.conf",
    "hosts": [
      { "address": "10.0.0.1", "hostname": "m0", "roles": ["master"], "env": { "MODE": "slow" } },
      { "address": "10.0.0.4", "roles": ["node", "gpu"] }
    ]
  },
  "sealer_version": "0.1.0"
}`

// plugged is a plugin that is a function, with no verb but run.
type plugged func(plugin.Context, plugin.Phase) error

func (p plugged) Run(context plugin.Context, phase plugin.Phase) error { return p(context, phase) }

func TestContextIsFilledFromTheRequest(t *testing.T) {
	run := func(context plugin.Context, phase plugin.Phase) error {
		wanted := &v1.Plugin{
			TypeMeta:   v1.TypeMeta{Kind: "Plugin", APIVersion: "sealer.aliyun.com/v1alpha1"},
			ObjectMeta: v1.ObjectMeta{Name: "list_nodes.so"},
			Spec:       v1.PluginSpec{Type: "LIST_NODE", Data: "some data", Action: "PostInstall"},
		}
		same(t, context.Plugin, wanted)
		same(t, context.Cluster, &v2.Cluster{
			TypeMeta:   v1.TypeMeta{Kind: "Cluster", APIVersion: "sealer.cloud/v2"},
			ObjectMeta: v1.ObjectMeta{Name: "my-cluster"},
			Spec: v2.ClusterSpec{
				Image: "kubernetes-post-install:v1.19.8",
				Env:   []string{"B=2=2", "MODE=fast"},
				Hosts: []v2.Host{
					{IPS: []string{"10.0.0.1"}, Hostname: "m0", Roles: []string{"master"}, Env: []string{"MODE=slow"}},
					{IPS: []string{"10.0.0.4"}, Roles: []string{"node", "gpu"}},
				},
			},
		})
		same(t, context.Host, []string{"10.0.0.1", "10.0.0.4"})
		same(t, context.Rootfs(), "/var/lib/sealer/data/my-cluster/rootfs")
		same(t, context.Kubeconfig(), "/var/lib/sealer/clusters/my-cluster/admin.conf")
		same(t, phase, plugin.PhasePostInstall)

		same(t, context.Cluster.GetMasterIPList(), []string{"10.0.0.1"})
		same(t, context.Cluster.GetNodeIPList(), []string{"10.0.0.4"})
		same(t, context.Cluster.GetAllIPList(), []string{"10.0.0.1", "10.0.0.4"})
		same(t, context.Cluster.GetIPSByRole("gpu"), []string{"10.0.0.4"})
		same(t, context.Cluster.GetMaster0IP(), "10.0.0.1")
		return nil
	}
	_, err := plugin.Serve(plugged(run), "run", []byte(request), nil)
	same(t, err, nil)
}

func TestAClusterWithoutMastersHasNoFirst(t *testing.T) {
	same(t, (&v2.Cluster{}).GetMaster0IP(), "")
	same(t, len((&v2.Cluster{}).GetAllIPList()), 0)
}

func TestARequestThatIsNoneIsAnError(t *testing.T) {
	_, err := plugin.Serve(plugged(nil), "run", []byte("[]"), nil)
	if err == nil {
		t.Fatal("no error")
	}
}

func same(t *testing.T, found, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(found, wanted) {
		t.Errorf("found  %#v\nwanted %#v", found, wanted)
	}
}
