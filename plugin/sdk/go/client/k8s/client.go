// Package k8s has as much of the original's client as its plugins' examples use. It asks sealer,
// which asks the cluster: no kubeconfig is read and no package of Kubernetes is needed.
package k8s

import (
	"encoding/json"
	"fmt"

	"sealer/sdk/plugin"
	v1 "sealer/sdk/types/api/v1"
)

// Client asks the cluster of the call under way.
type Client struct {
	context plugin.Context
}

// NodeList is the answer to ListNodes.
type NodeList struct {
	Items []Node `json:"items"`
}

// Node is one of the cluster's nodes, as far as this package knows it.
type Node struct {
	v1.ObjectMeta `json:"metadata"`

	Status NodeStatus `json:"status"`
}

// NodeStatus is what a node says of itself.
type NodeStatus struct {
	Addresses []NodeAddress `json:"addresses"`
}

// NodeAddress is an address of a node, and its kind: `InternalIP`, `Hostname`.
type NodeAddress struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// Newk8sClient returns a client of the cluster that sealer calls the plugin for.
//
// It fails outside of a call.
func Newk8sClient() (*Client, error) {
	context, err := plugin.Current()
	if err != nil {
		return nil, err
	}
	return &Client{context}, nil
}

// ListNodes asks the cluster for its nodes.
func (c *Client) ListNodes() (*NodeList, error) {
	const path = "/api/v1/nodes"
	reply, err := c.context.Kube("GET", path, nil)
	if err != nil {
		return nil, err
	}
	if reply.Status != 200 {
		return nil, fmt.Errorf("the API server answers GET %s with %d: %s", path, reply.Status, reply.Body)
	}
	nodes := &NodeList{}
	if err := json.Unmarshal(reply.Body, nodes); err != nil {
		return nil, fmt.Errorf("the API server's nodes: %w", err)
	}
	return nodes, nil
}
