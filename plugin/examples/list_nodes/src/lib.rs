//! The plugin of the owner's page: lists the cluster's nodes.
