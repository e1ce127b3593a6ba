//! From a Kubefile and a context to a cluster image.
