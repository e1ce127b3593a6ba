//! Docker, podman and we agree on keys.
