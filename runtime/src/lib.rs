//! From a Clusterfile, an image and facts to a run plan, and its execution over hosts.
