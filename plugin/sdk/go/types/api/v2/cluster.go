// Package v2 has the original's type of a cluster, without what a plugin never sees: passwords.
package v2

import v1 "sealer/sdk/types/api/v1"

// The roles that every cluster has.
const (
	Master = "master"
	Node   = "node"
)

// Cluster is a cluster as a plugin sees it.
type Cluster struct {
	v1.TypeMeta   `json:",inline"`
	v1.ObjectMeta `json:"metadata,omitempty"`

	Spec ClusterSpec `json:"spec,omitempty"`
}

// ClusterSpec is what a cluster is made of.
type ClusterSpec struct {
	// Image is the reference of the cluster's image.
	Image string `json:"image,omitempty"`
	// Env is the cluster's environment, `NAME=value` each, in the order of the names.
	Env []string `json:"env,omitempty"`
	// Hosts has one entry for each host: masters first.
	Hosts []Host `json:"hosts,omitempty"`
}

// Host is a machine of a cluster.
type Host struct {
	// IPS has one address: what Context.Exec and Context.Copy take.
	IPS []string `json:"ips,omitempty"`
	// Hostname is what the host calls itself. The original has no such field.
	Hostname string `json:"hostname,omitempty"`
	// Roles are `master`, `node`, and the cluster's own.
	Roles []string `json:"roles,omitempty"`
	// Env is the host's whole environment: the cluster's, with what the host has of its own.
	Env []string `json:"env,omitempty"`
}

// GetMasterIPList returns the masters' addresses.
func (in *Cluster) GetMasterIPList() []string {
	return in.GetIPSByRole(Master)
}

// GetNodeIPList returns the workers' addresses.
func (in *Cluster) GetNodeIPList() []string {
	return in.GetIPSByRole(Node)
}

// GetAllIPList returns the masters' addresses and then the workers'.
func (in *Cluster) GetAllIPList() []string {
	return append(in.GetMasterIPList(), in.GetNodeIPList()...)
}

// GetMaster0IP returns the first master's address, or nothing in a cluster without masters.
func (in *Cluster) GetMaster0IP() string {
	masters := in.GetMasterIPList()
	if len(masters) == 0 {
		return ""
	}
	return masters[0]
}

// GetIPSByRole returns the addresses of the hosts that have a role.
func (in *Cluster) GetIPSByRole(role string) []string {
	var addresses []string
	for _, host := range in.Spec.Hosts {
		for _, has := range host.Roles {
			if has == role {
				addresses = append(addresses, host.IPS...)
				break
			}
		}
	}
	return addresses
}
