//! Throwaway hosts on this machine: a network namespace, a root and a real sshd each.
