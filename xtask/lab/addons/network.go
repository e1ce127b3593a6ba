package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Where the container runtime looks for networks.
const networks = "/etc/cni/net.d"

const conflist = `{
  "cniVersion": "0.3.1", "name": "routes",
  "plugins": [
    {"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "%s"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// network gives this node's pods the addresses that Kubernetes set apart for them, and routes to
// those of all other nodes: for hosts of one link.
func network() error {
	kube, err := client()
	if err != nil {
		return err
	}
	for {
		nodes, err := kube.CoreV1().Nodes().List(context.TODO(), meta.ListOptions{})
		if err == nil {
			for _, node := range nodes.Items {
				if err := connect(&node); err != nil {
					fmt.Fprintln(os.Stderr, "addons:", node.Name, err)
				}
			}
		} else {
			fmt.Fprintln(os.Stderr, "addons:", err)
		}
		time.Sleep(2 * time.Second)
	}
}

func connect(node *core.Node) error {
	if node.Spec.PodCIDR == "" {
		return nil
	}
	if node.Name == os.Getenv("NODE_NAME") {
		return write(filepath.Join(networks, "10-routes.conflist"), fmt.Sprintf(conflist, node.Spec.PodCIDR))
	}
	_, pods, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil {
		return err
	}
	for _, address := range node.Status.Addresses {
		if address.Type == core.NodeInternalIP {
			return netlink.RouteReplace(&netlink.Route{Dst: pods, Gw: net.ParseIP(address.Address)})
		}
	}
	return nil
}

func write(path, text string) error {
	if there, err := os.ReadFile(path); err == nil && string(there) == text {
		return nil
	}
	aside := path + ".new"
	if err := os.WriteFile(aside, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(aside, path)
}
